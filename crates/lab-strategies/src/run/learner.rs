//! The learning part of a strategy's run: it learns step by step.

use super::context::RunContext;
use super::sample::Sample;
use super::snapshot::Snapshot;
use async_trait::async_trait;
use lab_protocol::{GenerateRequest, LabError, ModelFile, RunInfo, StopReason};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// Learns step by step. The loop around it hears commands, measures time, keeps checkpoints and yields to the host
/// between steps.
#[async_trait(?Send)]
pub trait Learner {
    /// Describes the run: at least its configuration and its number of steps. The loop fills in the strategy's kind
    /// and the first step.
    fn info(&self) -> RunInfo;

    /// The part of the configuration that a checkpoint depends on: a run with a different one cannot be continued.
    fn origin(&self) -> Value {
        self.info().config
    }

    /// Makes step `step` (from 1) and returns its measurements.
    async fn step(&mut self, step: usize, run: &RunContext) -> Result<Step, LabError>;

    /// Reports evaluations and samples after step `step`; they are not part of the step. Called with 0 before the first step.
    /// `Break` means that further training is useless (early stopping).
    async fn report(
        &mut self,
        _step: usize,
        _run: &RunContext,
    ) -> Result<ControlFlow<()>, LabError> {
        Ok(ControlFlow::Continue(()))
    }

    /// Whether a checkpoint is due after step `step`; the loop adds the checkpoints that the user asks for.
    fn checkpoint_due(&self, _step: usize) -> bool {
        false
    }

    /// The state from which the run can be continued as if it had never stopped.
    async fn save(&self) -> Result<Snapshot, LabError>;

    /// Continues from a state that [`Learner::save`] gave in a run of the same configuration, seed and data.
    async fn restore(&mut self, snapshot: Snapshot, run: &RunContext) -> Result<(), LabError>;

    /// Writes with the current model. `None` if the run was told to stop meanwhile.
    async fn generate(
        &self,
        request: &GenerateRequest,
        run: &RunContext,
    ) -> Result<Option<Sample>, LabError>;

    /// Evaluates the result and returns it as files. May be called again after [`Learner::restore`] of the last step,
    /// if the run was told to stop meanwhile.
    async fn finish(&mut self, reason: StopReason, run: &RunContext) -> Result<Learned, LabError>;
}

/// The outcome of a step.
pub struct Step {
    /// The number of steps that it counts as: 1, except if several items are processed at once.
    pub count: usize,
    pub tokens: usize,
    /// Values by the name of the metric.
    pub metrics: BTreeMap<String, f64>,
}

impl Step {
    pub fn new<N: Into<String>>(
        tokens: usize,
        metrics: impl IntoIterator<Item = (N, f64)>,
    ) -> Self {
        Self {
            count: 1,
            tokens,
            metrics: named(metrics),
        }
    }
}

/// The result of a run.
#[derive(Default)]
pub struct Learned {
    /// The step whose weights are in the files, if it is not the last.
    pub best_step: Option<usize>,
    /// Final values by the name of the metric.
    pub metrics: BTreeMap<String, f64>,
    /// `model/`, `adapter/`, or files of the strategy's own.
    pub files: Vec<ModelFile>,
}

impl Learned {
    /// A result with final values by the name of the metric, and files, with the weights of the last step.
    pub fn new<N: Into<String>>(
        metrics: impl IntoIterator<Item = (N, f64)>,
        files: Vec<ModelFile>,
    ) -> Self {
        Self {
            best_step: None,
            metrics: named(metrics),
            files,
        }
    }
}

/// Values by name.
pub(crate) fn named<N: Into<String>>(
    values: impl IntoIterator<Item = (N, f64)>,
) -> BTreeMap<String, f64> {
    let values = values.into_iter().map(|(name, value)| (name.into(), value));
    values.collect()
}
