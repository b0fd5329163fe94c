//! The learning of the supervised strategies: the mean loss of each step's batches, and the best weights by the
//! held-out part.

use super::task::{Evaluation, Task};
use crate::asking::continuation::write;
use crate::learning::step::{Evaluated, StepSettings, evaluate, train_step};
use crate::learning::trainee::Trainee;
use crate::run::context::RunContext;
use crate::run::learner::{Learned, Learner, Step, named};
use crate::run::prompts::Prompt;
use crate::run::sample::Sample;
use crate::run::snapshot::Snapshot;
use async_trait::async_trait;
use lab_model::decoder::Decoder;
use lab_model::memory::MemoryNeeded;
use lab_model::optimizer::learning_rate;
use lab_model::parameters;
use lab_protocol::{GenerateRequest, LabError, RunInfo, StopReason, TrainingConfig};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// The group of the best weights in a snapshot; the group of the current ones is `model`.
const BEST: &str = "best";

/// Trains a decoder on a task.
pub(crate) struct SupervisedLearner<T: Task> {
    task: T,
    training: TrainingConfig,
    dropout: f64,
    trainee: Trainee<Decoder>,
    /// The weights of the best evaluation.
    best: Decoder,
    progress: Progress,
    info: RunInfo,
    /// The held-out batches that are evaluated while training.
    watched: Vec<T::Batch>,
}

/// The state of a checkpoint beside weights and moments; batches, dropout and samples follow from seed and step.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Progress {
    tokens: usize,
    /// Measurements of the last step's portions.
    last: Vec<Evaluated>,
    best_step: usize,
    best_loss: Option<f64>,
    evaluations_without_gain: usize,
}

impl Progress {
    /// Notes the loss of an evaluation after `step`. Returns whether it is the best so far.
    fn is_best(&mut self, step: usize, loss: f64) -> bool {
        let better = self.best_loss.is_none_or(|best| loss < best);
        if better {
            self.best_loss = Some(loss);
            self.best_step = step;
            self.evaluations_without_gain = 0;
        } else {
            self.evaluations_without_gain += 1;
        }
        better
    }
}

impl<T: Task> SupervisedLearner<T> {
    /// Frozen weights of `model` stay unchanged.
    pub(crate) fn new(
        task: T,
        training: &TrainingConfig,
        dropout: f64,
        model: Decoder,
        run: &RunContext,
    ) -> Result<Self, LabError> {
        let info = task.info(&model);
        let trained = MemoryNeeded::trained(&model);
        let best = MemoryNeeded {
            weights: trained.weights,
            ..MemoryNeeded::default()
        };
        let resident = task.memory_beside().and(trained).and(best);
        let meanwhile = task
            .step_memory(&model)
            .or(MemoryNeeded::checkpoint(&model, 2));
        run.must_fit(resident.and(meanwhile))?;
        Ok(Self {
            watched: task.held_out(Evaluation::Watched),
            info,
            best: model.clone(),
            trainee: Trainee::new(model, training, "training.learning_rate", &run.device),
            progress: Progress::default(),
            training: training.clone(),
            dropout,
            task,
        })
    }

    /// Writes the task's samples, with the model after `step`.
    async fn write_samples(
        &self,
        model: &Decoder,
        step: usize,
        run: &RunContext,
    ) -> Result<(), LabError> {
        for (prompt, request) in self.task.samples(run.seed.wrapping_add(step as u64)) {
            if request.max_tokens > 0 {
                run.sample(step, self.write(model, &prompt, &request, run).await?);
            }
        }
        Ok(())
    }

    async fn write(
        &self,
        model: &Decoder,
        prompt: &Prompt,
        request: &GenerateRequest,
        run: &RunContext,
    ) -> Result<Sample, LabError> {
        let text = write(model, &self.task.format(), prompt, request, &run.stop).await?;
        Ok(Sample::new(prompt.text(), text))
    }
}

#[async_trait(?Send)]
impl<T: Task> Learner for SupervisedLearner<T> {
    fn info(&self) -> RunInfo {
        self.info.clone()
    }

    async fn step(&mut self, step: usize, run: &RunContext) -> Result<Step, LabError> {
        let portions = self.task.batches(run.seed, step);
        let rate = learning_rate(&self.training, step);
        let settings = StepSettings {
            device: &run.device,
            learning_rate: rate,
            dropout: self.dropout,
            seed: run.seed,
            step,
        };
        let values = train_step(&mut self.trainee, &portions, &settings).await?;
        let tokens = values.tokens();
        self.progress.tokens += tokens;
        let mut metrics = self.task.step_metrics(&values.portions);
        self.progress.last = values.portions;
        metrics.extend([
            ("token_count", self.progress.tokens as f64),
            ("learning_rate", rate),
            ("gradient_norm", values.gradient_norm),
        ]);
        Ok(Step::new(tokens, metrics))
    }

    async fn report(&mut self, step: usize, run: &RunContext) -> Result<ControlFlow<()>, LabError> {
        let training = &self.training;
        if step == 0 {
            if self.task.samples_before() {
                self.write_samples(self.trainee.model()?, step, run).await?;
            }
            return Ok(ControlFlow::Continue(()));
        }
        let due = |interval: usize| interval > 0 && step.is_multiple_of(interval);
        let model = self.trainee.model()?;
        if !self.watched.is_empty()
            && (due(training.evaluation_interval) || step == training.steps)
            && let Some(found) = evaluate(model, &self.watched, &run.device, &run.stop).await?
        {
            run.record(step, self.task.held_out_metrics(&found));
            if self.progress.is_best(step, found.loss) {
                self.best = model.clone();
            }
        }
        if due(training.sample_interval) {
            self.write_samples(model, step, run).await?;
        }
        let patience = training.early_stopping_patience;
        match patience > 0 && self.progress.evaluations_without_gain >= patience {
            true => Ok(ControlFlow::Break(())),
            false => Ok(ControlFlow::Continue(())),
        }
    }

    fn checkpoint_due(&self, step: usize) -> bool {
        let interval = self.training.checkpoint_interval;
        // After the last step there is nothing to continue.
        interval > 0 && step.is_multiple_of(interval) && step < self.training.steps
    }

    async fn save(&self) -> Result<Snapshot, LabError> {
        let mut snapshot = Snapshot::new(&self.progress)?;
        self.trainee.save("model", &mut snapshot).await?;
        let best = parameters::trainable_to_host(&self.best).await?;
        snapshot.tensors.insert(BEST.to_owned(), best);
        Ok(snapshot)
    }

    async fn restore(&mut self, mut snapshot: Snapshot, run: &RunContext) -> Result<(), LabError> {
        let best = snapshot.take_tensors(BEST);
        self.best = parameters::trainable_from_host(self.best.clone(), &best, &run.device)?;
        self.trainee.restore("model", &mut snapshot)?;
        self.progress = snapshot.state()?;
        Ok(())
    }

    async fn generate(
        &self,
        request: &GenerateRequest,
        run: &RunContext,
    ) -> Result<Option<Sample>, LabError> {
        let (model, prompt) = (self.trainee.model()?, self.task.prompt(&request.prompt));
        Ok(Some(self.write(model, &prompt, request, run).await?))
    }

    async fn finish(&mut self, reason: StopReason, run: &RunContext) -> Result<Learned, LabError> {
        let stopped = reason == StopReason::Stopped;
        // Without a held-out part, or before its first evaluation, the last weights are the best known.
        let (best, best_step) = match self.progress.best_loss {
            Some(_) => (&self.best, Some(self.progress.best_step)),
            None => (self.trainee.model()?, None),
        };
        let mut metrics = vec![
            ("token_count", self.progress.tokens as f64),
            ("optimizer_bytes", self.trainee.optimizer_bytes() as f64),
        ];
        metrics.extend(self.task.step_metrics(&self.progress.last));
        // A user who stopped the run does not want to wait for the whole part.
        let last;
        let judged = match stopped {
            true => &self.watched,
            false => {
                last = self.task.held_out(Evaluation::Final);
                &last
            }
        };
        if !judged.is_empty()
            && let Some(found) = evaluate(best, judged, &run.device, &run.stop).await?
        {
            metrics.extend(self.task.held_out_metrics(&found));
            metrics.push(("validation_tokens", found.tokens as f64));
        }
        if !stopped {
            let step = best_step.unwrap_or(self.training.steps);
            self.write_samples(best, step, run).await?;
        }
        metrics.extend(self.task.final_metrics(best, stopped, run).await?);
        Ok(Learned {
            best_step,
            metrics: named(metrics),
            files: self.task.files(best).await?,
        })
    }
}
