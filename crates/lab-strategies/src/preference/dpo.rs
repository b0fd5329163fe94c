//! Direct preference optimisation (Rafailov et al. 2023): the policy learns directly from preferences, without a
//! reward model and without sampling answers.

use super::data::{EncodedPair, PreferenceData, Wanted};
use super::judge::{Judge, Judgement, compare};
use super::order::Order;
use super::pairs::{at_once, pair_loss, pair_scores};
use super::rollout::Sampler;
use crate::asking::continuation::write;
use crate::learning::trainee::{Trainee, Updated};
use crate::run::base::Base;
use crate::run::context::{RunContext, TrainingData};
use crate::run::learner::{Learned, Learner, Step, named};
use crate::run::prompts::Prompt;
use crate::run::sample::Sample;
use crate::run::snapshot::Snapshot;
use crate::run::strategy::{Strategy, read_config, resolved};
use async_trait::async_trait;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use lab_model::decoder::Decoder;
use lab_model::formats::WeightForm;
use lab_model::memory::{MemoryNeeded, PassSize};
use lab_model::optimizer::learning_rate;
use lab_model::parameters;
use lab_model::prompts::PromptFormat;
use lab_model::rl::{self, Sequence, SequenceBatch};
use lab_protocol::{DpoConfig, GenerateRequest, LabError, RunInfo, StopReason, StrategyConfig};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// Trains a policy on preferences.
pub struct DpoStrategy {
    config: DpoConfig,
}

impl DpoStrategy {
    /// Reads the strategy's part of an experiment; missing settings take their defaults.
    pub fn new(config: &StrategyConfig) -> Result<Self, LabError> {
        Ok(Self {
            config: read_config(config)?,
        })
    }
}

#[async_trait(?Send)]
impl Strategy for DpoStrategy {
    fn kind(&self) -> &str {
        "dpo"
    }

    fn validate(&self, data: &TrainingData) -> Result<(), LabError> {
        self.config.validate().map_err(|error| error.at("config"))?;
        let config = &self.config;
        PreferenceData::check(data, true, &config.preferences, config.on_error)
    }

    async fn begin(&self, run: &RunContext) -> Result<Box<dyn Learner>, LabError> {
        Ok(Box::new(PairLearner::new(&self.config, run).await?))
    }
}

struct PairLearner {
    config: DpoConfig,
    resolved: Value,
    base: Base,
    data: PreferenceData,
    order: Order,
    policy: Trainee<Decoder>,
    /// The base, frozen.
    reference: Decoder,
    sampler: Sampler,
    judge: Judge,
    state: State,
}

/// The small state of a checkpoint, beside its tensors; the pairs of a step follow from seed and step.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    start: Option<Judgement>,
    accuracy: Option<f64>,
    last: BTreeMap<String, f64>,
}

/// The group of the policy in a snapshot.
const POLICY: &str = "policy";
/// Pairs in one forward pass of an evaluation.
const PAIRS: usize = 16;

impl PairLearner {
    async fn new(config: &DpoConfig, run: &RunContext) -> Result<Self, LabError> {
        let base = Base::load(run, WeightForm::Floats).await?;
        let end = base.end_of_answers(&config.rollout.stop)?;
        let wanted = Wanted {
            pairs: true,
            collected: &config.preferences,
            on_error: config.on_error,
            response_tokens: config.rollout.response_tokens,
            ends: end.as_slice(),
            seed: run.seed,
        };
        let data = PreferenceData::new(&run.data, &base, wanted)?;
        if let Some(left_out) = data.left_out() {
            run.warn(left_out);
        }
        let sampler = Sampler::new(&config.rollout, end, run.seed);
        let max_prompts = config.report.evaluation_prompts;
        let settings = config.optimizer.training(config.steps);
        let policy = base.to_train(config.lora.as_ref(), run.seed, &run.device)?;
        let pairs = at_once(config.micro_batch_size, config.batch_size);
        let size = PassSize {
            rows: 2 * pairs,
            columns: data.longest_pair(),
            predicted: pairs * data.most_answer_tokens(),
        };
        let step = base.step_memory(&policy, size);
        let writing = sampler.memory(&base, data.longest_prompt(), max_prompts);
        let resident = MemoryNeeded::frozen(&base.model).and(MemoryNeeded::trained(&policy));
        let meanwhile = step.or(writing).or(MemoryNeeded::checkpoint(&policy, 1));
        run.must_fit(resident.and(meanwhile))?;
        Ok(Self {
            judge: Judge::new(&data, &base, sampler.clone(), max_prompts, run)?,
            policy: Trainee::new(policy, &settings, "optimizer.learning_rate", &run.device),
            reference: base.model.valid(),
            state: State::default(),
            order: Order::new(data.training.len(), config.batch_size, run.seed),
            resolved: resolved(config)?,
            config: config.clone(),
            base,
            data,
            sampler,
        })
    }

    /// Evaluates a model.
    async fn judge(&self, model: &Decoder, run: &RunContext) -> Result<Judgement, LabError> {
        let found = self.judge.judge(model, &self.base, None, run).await?;
        Ok(found.unwrap_or_default())
    }

    async fn write_samples(&self, step: usize, run: &RunContext) -> Result<(), LabError> {
        let policy = self.policy.model()?.valid();
        let prompts: Vec<_> = self
            .data
            .prompts
            .iter()
            .take(self.config.report.samples)
            .collect();
        let tokens: Vec<&[u32]> = prompts.iter().map(|p| p.tokens.as_slice()).collect();
        let responses = self.sampler.answer(&policy, &tokens, step as u64).await?;
        for (prompt, response) in prompts.iter().zip(&responses) {
            let text = self.base.tokenizer.decode(&response.tokens);
            run.sample(step, Sample::new(prompt.text.clone(), text));
        }
        Ok(())
    }

    /// Log-probabilities `[sequences]` of whole answers.
    fn score(&self, model: &Decoder, sequences: &[&Sequence], device: &Device) -> Tensor<1> {
        let batch = SequenceBatch::predicting(sequences, self.base.shape.context);
        batch.sums(rl::log_probabilities(model, &batch, device, 1.0))
    }

    /// Share of held-out pairs for which the policy prefers the chosen answer more strongly than the reference does.
    async fn accuracy(&self, device: &Device) -> Result<f64, LabError> {
        let policy = self.policy.model()?.valid();
        let mut right = 0;
        for pairs in self.data.held_out.chunks(PAIRS) {
            let pairs: Vec<&EncodedPair> = pairs.iter().collect();
            let size = self.config.micro_batch_size;
            let [ours, theirs] = [&policy, &self.reference].map(|model| {
                pair_scores(&pairs, size, |sequences| {
                    self.score(model, sequences, device)
                })
            });
            let gains = vec![ours.0 - theirs.0, ours.1 - theirs.1];
            let gains = parameters::read(gains).await?;
            let wins = gains.first().into_iter().flatten();
            let pairs = wins.zip(gains.get(1).into_iter().flatten());
            right += pairs.filter(|(chosen, rejected)| chosen > rejected).count();
        }
        Ok(right as f64 / self.data.held_out.len().max(1) as f64)
    }
}

#[async_trait(?Send)]
impl Learner for PairLearner {
    fn info(&self) -> RunInfo {
        let tokens = |pairs: &[EncodedPair]| -> usize {
            let lengths = pairs
                .iter()
                .map(|pair| pair.chosen.len() + pair.rejected.len());
            lengths.sum()
        };
        let training_tokens = tokens(&self.data.training);
        let mean = training_tokens / self.data.training.len().max(1);
        RunInfo {
            config: self.resolved.clone(),
            steps: self.config.steps,
            parameters: self.base.model.num_params(),
            vocabulary: self.base.tokenizer.vocabulary(),
            training_tokens,
            validation_tokens: tokens(&self.data.held_out),
            tokens_per_step: mean * self.config.batch_size,
            skipped_rows: self.data.skipped.report(),
            ..RunInfo::default()
        }
    }

    async fn step(&mut self, step: usize, run: &RunContext) -> Result<Step, LabError> {
        let chosen = self.order.of_step(step);
        let pairs: Vec<&EncodedPair> = chosen
            .iter()
            .filter_map(|&index| self.data.training.get(index))
            .collect();
        let (size, device) = (self.config.micro_batch_size, &run.device);
        let (beta, smoothing) = (self.config.beta, self.config.label_smoothing);
        let old = pair_scores(&pairs, size, |sequences| {
            self.score(&self.reference, sequences, device)
        });
        let found = pair_loss(
            self.policy.model()?,
            &pairs,
            size,
            |policy, sequences, _| self.score(policy, sequences, device),
            |chosen, rejected, range| {
                let of = |scores: &Tensor<1>| scores.clone().slice(range.clone());
                rl::dpo_loss(
                    (chosen, rejected),
                    (of(&old.0), of(&old.1)),
                    beta,
                    smoothing,
                )
            },
        );
        let tokens = pairs.iter().map(|pair| pair.answer_tokens()).sum();
        let rate = learning_rate(&self.config.optimizer.training(self.config.steps), step);
        let measured = vec![found.chosen - old.0, found.rejected - old.1];
        let gradients = found.gradients.into_tensors();
        let count = pairs.len();
        let Updated {
            loss,
            gradient_norm,
            measured,
        } = self
            .policy
            .apply(gradients, found.loss, rate, measured)
            .await?;
        let rewards = |which: usize| -> Vec<f64> {
            let gains = measured.get(which).map(Vec::as_slice).unwrap_or_default();
            gains.iter().map(|gain| beta * gain).collect()
        };
        let (chosen, rejected) = (rewards(0), rewards(1));
        let mean = |values: &[f64]| rl::mean_and_deviation(values).0;
        let right = chosen.iter().zip(&rejected).filter(|(c, r)| c > r).count();
        let training_accuracy = right as f64 / count.max(1) as f64;
        let mut values = vec![
            ("loss", loss),
            ("gradient_norm", gradient_norm),
            ("learning_rate", rate),
            ("training_reward_accuracy", training_accuracy),
            ("rewards/chosen", mean(&chosen)),
            ("rewards/rejected", mean(&rejected)),
            ("rewards/margins", mean(&chosen) - mean(&rejected)),
        ];
        if self.data.held_out.is_empty() {
            self.state.accuracy = Some(training_accuracy);
            values.push(("reward_accuracy", training_accuracy));
        }
        self.state.last = named(values.clone());
        Ok(Step::new(tokens, values))
    }

    async fn report(&mut self, step: usize, run: &RunContext) -> Result<ControlFlow<()>, LabError> {
        let go_on = Ok(ControlFlow::Continue(()));
        if step == 0 {
            if self.state.start.is_none() {
                let start = self.judge(&self.reference, run).await?;
                run.record(step, start.clone());
                self.state.start = Some(start);
            }
            return go_on;
        }
        let (report, steps) = (&self.config.report, self.config.steps);
        let due =
            |interval: usize| (interval > 0 && step.is_multiple_of(interval)) || step == steps;
        let samples_due = due(report.sample_interval) && report.samples > 0;
        if due(report.evaluation_interval) {
            if !self.data.held_out.is_empty() {
                let accuracy = self.accuracy(&run.device).await?;
                self.state.accuracy = Some(accuracy);
                run.record(step, [("reward_accuracy", accuracy)]);
            }
            if step < steps {
                let policy = self.policy.model()?.valid();
                run.record(step, self.judge(&policy, run).await?);
            }
        }
        if samples_due {
            self.write_samples(step, run).await?;
        }
        go_on
    }

    fn checkpoint_due(&self, step: usize) -> bool {
        let interval = self.config.report.checkpoint_interval;
        interval > 0 && step.is_multiple_of(interval) && step < self.config.steps
    }

    async fn save(&self) -> Result<Snapshot, LabError> {
        let mut snapshot = Snapshot::new(&self.state)?;
        self.policy.save(POLICY, &mut snapshot).await?;
        Ok(snapshot)
    }

    async fn restore(&mut self, mut snapshot: Snapshot, _run: &RunContext) -> Result<(), LabError> {
        self.policy.restore(POLICY, &mut snapshot)?;
        self.state = snapshot.state()?;
        Ok(())
    }

    async fn generate(
        &self,
        request: &GenerateRequest,
        run: &RunContext,
    ) -> Result<Option<Sample>, LabError> {
        let policy = self.policy.model()?;
        let format = PromptFormat {
            ends: &self.base.ends_of_answers(self.sampler.end),
            ..self.base.format()
        };
        let prompt = Prompt::question(&request.prompt);
        let text = write(policy, &format, &prompt, request, &run.stop).await?;
        Ok(Some(Sample::new(prompt.text(), text)))
    }

    async fn finish(&mut self, reason: StopReason, run: &RunContext) -> Result<Learned, LabError> {
        let policy = self.policy.model()?.valid();
        let mut metrics = self.state.last.clone();
        if reason == StopReason::Completed {
            let end = self.judge(&policy, run).await?;
            let compared = compare(&self.state.start.clone().unwrap_or_default(), &end);
            run.record(self.config.steps, compared.clone());
            metrics.extend(compared);
        }
        let accuracy = self.state.accuracy;
        metrics.extend(accuracy.map(|value| ("reward_accuracy".to_owned(), value)));
        let lora = self.config.lora.as_ref();
        Ok(Learned {
            best_step: None,
            metrics,
            files: self.base.trained_files(&policy, lora).await?,
        })
    }
}
