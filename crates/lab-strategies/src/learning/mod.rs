//! What the strategies that train a language model on examples share: the loop, and what it is made of.

pub(crate) mod base;
mod state;
pub(crate) mod step;

pub use step::{Evaluated, StepSettings, evaluate, train_step, write};

use crate::run::context::{Control, RunContext};
use lab_model::decoder::Decoder;
use lab_model::evaluate::MicroBatch;
use lab_model::optimizer::{AdamW, learning_rate};
use lab_model::tokenizer::Tokenizer;
use lab_protocol::{GenerateRequest, LabError, RunInfo, StopReason, TrainingConfig};
use state::Progress;
use std::collections::BTreeMap;

/// Which batches of the held-out part are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evaluation {
    /// While training: the same few every time.
    Watched,
    /// At the end: those that give the result.
    Final,
}

/// What one strategy trains on, and how it reports that.
pub trait Task {
    type Batch: MicroBatch;

    /// The micro-batches of a step (from 1), which `seed` and `step` decide.
    fn batches(&self, seed: u64, step: usize) -> Vec<Self::Batch>;

    /// The held-out part; empty if there is none.
    fn held_out(&self, evaluation: Evaluation) -> Vec<Self::Batch>;

    /// A loss's own metrics, by name.
    fn loss_metrics(&self, loss: f64, accuracy: Option<f64>) -> Vec<(&'static str, f64)>;

    /// The metrics of an evaluation on the held-out part.
    fn held_out_metrics(&self, found: &Evaluated) -> Vec<(&'static str, f64)>;

    /// What samples are to be written when one is due.
    fn samples(&self, seed: u64) -> Vec<GenerateRequest>;

    /// Whether samples are written before the first step too.
    fn samples_before(&self) -> bool {
        false
    }

    fn tokenizer(&self) -> &Tokenizer;

    /// The token that ends a text.
    fn end(&self) -> Option<u32> {
        None
    }

    /// What is known of the run, beginning after step `first_step`.
    fn info(&self, model: &Decoder, first_step: usize) -> RunInfo;
}

/// How the task is trained.
pub struct Plan<'a> {
    pub training: &'a TrainingConfig,
    pub dropout: f64,
    /// Everything that a checkpoint must have been written with to be continued.
    pub config: serde_json::Value,
}

/// How training ended.
pub struct Trained {
    /// The weights of the best evaluation, or the last.
    pub model: Decoder,
    pub stop_reason: StopReason,
    pub steps: usize,
    pub best_step: usize,
    pub metrics: BTreeMap<String, f64>,
}

/// Trains `model` until the plan's last step, early stopping or the user ends it. Weights that are
/// frozen stay as they are, and are in no checkpoint.
pub async fn train<T: Task>(
    task: &T,
    plan: &Plan<'_>,
    mut model: Decoder,
    run: &mut RunContext,
) -> Result<Trained, LabError> {
    let training = plan.training;
    let device = run.device.clone();
    let mut optimizer = AdamW::new(training, &model, &device);
    let mut progress = Progress::default();
    let mut best = model.clone();
    if let Some(bytes) = run.checkpoint.take() {
        (model, best, progress) = state::restore(&bytes, model, &mut optimizer, plan, run)?;
    }
    run.started(task.info(&model, progress.step));

    let watched = task.held_out(Evaluation::Watched);
    let mut stop_reason = StopReason::Completed;
    let mut last_values = None;
    if progress.step == 0 && task.samples_before() {
        write_samples(task, &model, 0, run).await?;
    }
    while progress.step < training.steps {
        match run.control(progress.step).await {
            Control::Continue => {}
            Control::Stop => {
                stop_reason = StopReason::Stopped;
                if progress.step > 0 {
                    let state = state::save(&model, &best, &optimizer, progress, plan, run).await?;
                    run.checkpoint(progress.step, state);
                }
                break;
            }
            Control::Checkpoint => {
                let state = state::save(&model, &best, &optimizer, progress, plan, run).await?;
                run.checkpoint(progress.step, state);
                continue;
            }
            Control::Generate(request) => {
                // A prompt that cannot be read must not end the run.
                match sample(task, &model, &request, run).await {
                    Ok(text) => run.sample(progress.step, request.prompt, text),
                    Err(error) if error.code.is_input() => run.warn(error.to_string()),
                    Err(error) => return Err(error),
                }
                continue;
            }
        }

        run.step_begins();
        let step = progress.step + 1;
        let batches = task.batches(run.seed, step);
        let rate = learning_rate(training, step);
        let settings = StepSettings {
            device: &device,
            learning_rate: rate,
            dropout: plan.dropout,
            seed: run.seed,
            step,
        };
        let (updated, values) = train_step(model, &mut optimizer, &batches, &settings).await?;
        model = updated;
        progress.step = step;
        progress.tokens += values.tokens;
        let tokens_per_second = run.step_done(step, training.steps, values.tokens);
        let mut metrics = task.loss_metrics(values.loss, values.accuracy);
        metrics.extend([
            ("token_count", progress.tokens as f64),
            ("learning_rate", rate),
            ("gradient_norm", values.gradient_norm),
            ("tokens_per_second", tokens_per_second),
        ]);
        run.record_metrics(step, &metrics);
        last_values = Some(values);

        let last = step == training.steps;
        let due = |interval: usize| interval > 0 && step.is_multiple_of(interval);
        if !watched.is_empty()
            && (due(training.evaluation_interval) || last)
            && let Some(found) = evaluate(&model, &watched, run).await?
        {
            run.record_metrics(step, &task.held_out_metrics(&found));
            if progress.is_best(found.loss) {
                best = model.clone();
            }
        }
        if due(training.sample_interval) {
            write_samples(task, &model, step, run).await?;
        }
        let patience = training.early_stopping_patience;
        let in_vain = patience > 0 && progress.evaluations_without_gain >= patience;
        // After its last step there is nothing to go on with.
        if due(training.checkpoint_interval) && !last && !in_vain {
            let state = state::save(&model, &best, &optimizer, progress, plan, run).await?;
            run.checkpoint(step, state);
        }
        run.step_made(step);
        if in_vain {
            stop_reason = StopReason::EarlyStopping;
            break;
        }
    }

    // Without a held-out part, or before its first evaluation, the last weights are the best known.
    if progress.best_loss.is_none() {
        best = model;
        progress.best_step = progress.step;
    }
    let mut metrics = vec![
        ("token_count", progress.tokens as f64),
        ("optimizer_bytes", optimizer.bytes() as f64),
    ];
    if let Some(values) = last_values {
        metrics.extend(task.loss_metrics(values.loss, values.accuracy));
    }
    // Who stopped the run does not want to wait for the whole part.
    let judged = match stop_reason {
        StopReason::Stopped => watched,
        _ => task.held_out(Evaluation::Final),
    };
    if !judged.is_empty()
        && let Some(found) = evaluate(&best, &judged, run).await?
    {
        metrics.extend(task.held_out_metrics(&found));
        metrics.push(("validation_tokens", found.tokens as f64));
    }
    if stop_reason != StopReason::Stopped {
        write_samples(task, &best, progress.best_step, run).await?;
    }
    let named = |(name, value): (&str, f64)| (name.to_owned(), value);
    Ok(Trained {
        model: best,
        stop_reason,
        steps: progress.step,
        best_step: progress.best_step,
        metrics: metrics.into_iter().map(named).collect(),
    })
}

/// Writes the task's samples, of the model after `step`.
async fn write_samples<T: Task>(
    task: &T,
    model: &Decoder,
    step: usize,
    run: &mut RunContext,
) -> Result<(), LabError> {
    for request in task.samples(run.seed.wrapping_add(step as u64)) {
        if request.max_tokens > 0 {
            let text = sample(task, model, &request, run).await?;
            run.sample(step, request.prompt, text);
        }
    }
    Ok(())
}

async fn sample<T: Task>(
    task: &T,
    model: &Decoder,
    request: &GenerateRequest,
    run: &mut RunContext,
) -> Result<String, LabError> {
    write(model, task.tokenizer(), task.end(), request, run).await
}
