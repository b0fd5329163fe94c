//! The differences between supervised strategies.

use crate::learning::step::{Evaluated, Portion};
use crate::run::context::RunContext;
use crate::run::prompts::Prompt;
use async_trait::async_trait;
use lab_model::decoder::Decoder;
use lab_model::evaluate::MicroBatch;
use lab_model::memory::MemoryNeeded;
use lab_model::prompts::PromptFormat;
use lab_protocol::{GenerateRequest, LabError, ModelFile, RunInfo};

/// The batches of the held-out part that an evaluation uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evaluation {
    /// During training: the same few every time.
    Watched,
    /// At the end: the batches of the final result.
    Final,
}

/// The data that a strategy trains on, and the metrics that it reports.
#[async_trait(?Send)]
pub(crate) trait Task {
    type Batch: MicroBatch;

    /// The micro-batches of a step (from 1), which `seed` and `step` decide.
    fn batches(&mut self, seed: u64, step: usize) -> Vec<Portion<Self::Batch>>;

    /// The temporary memory of a step that trains `model`.
    fn step_memory(&self, model: &Decoder) -> MemoryNeeded;

    /// The memory used beside the trained model.
    fn memory_beside(&self) -> MemoryNeeded;

    /// The held-out part; empty if there is none.
    fn held_out(&self, evaluation: Evaluation) -> Vec<Self::Batch>;

    /// The metrics of a step, from the measurements of its portions.
    fn step_metrics(&self, portions: &[Evaluated]) -> Vec<(&'static str, f64)>;

    /// The metrics of an evaluation on the held-out part.
    fn held_out_metrics(&self, found: &Evaluated) -> Vec<(&'static str, f64)>;

    /// The samples that are written when one is due. The request's own prompt is ignored.
    fn samples(&self, seed: u64) -> Vec<(Prompt, GenerateRequest)>;

    /// The prompt for a text of the user's during the run.
    fn prompt(&self, text: &str) -> Prompt;

    /// Whether samples are written before the first step too.
    fn samples_before(&self) -> bool {
        false
    }

    /// The format of the model's prompts, and the tokens at which it ends.
    fn format(&self) -> PromptFormat<'_>;

    /// Describes the run of this model.
    fn info(&self, model: &Decoder) -> RunInfo;

    /// Metrics of the finished model beside the held-out part; `stopped` if the user does not want to wait.
    async fn final_metrics(
        &self,
        _model: &Decoder,
        _stopped: bool,
        _run: &RunContext,
    ) -> Result<Vec<(&'static str, f64)>, LabError> {
        Ok(Vec::new())
    }

    /// The finished model as folders.
    async fn files(&self, model: &Decoder) -> Result<Vec<ModelFile>, LabError>;
}
