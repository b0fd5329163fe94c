//! What one supervised strategy does differently from another.

use crate::learning::step::{Evaluated, Portion};
use crate::run::context::RunContext;
use crate::run::prompts::Prompt;
use async_trait::async_trait;
use lab_model::decoder::Decoder;
use lab_model::evaluate::MicroBatch;
use lab_model::memory::MemoryNeeded;
use lab_model::prompts::PromptFormat;
use lab_protocol::{GenerateRequest, LabError, ModelFile, RunInfo};

/// Which batches of the held-out part are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evaluation {
    /// While training: the same few every time.
    Watched,
    /// At the end: those that give the result.
    Final,
}

/// What a strategy trains on, and how it reports that.
#[async_trait(?Send)]
pub(crate) trait Task {
    type Batch: MicroBatch;

    /// The micro-batches of a step (from 1), which `seed` and `step` decide.
    fn batches(&mut self, seed: u64, step: usize) -> Vec<Portion<Self::Batch>>;

    /// What a step that trains `model` takes for a while.
    fn step_memory(&self, model: &Decoder) -> MemoryNeeded;

    /// What is in memory beside the model that is trained.
    fn memory_beside(&self) -> MemoryNeeded;

    /// The held-out part; empty if there is none.
    fn held_out(&self, evaluation: Evaluation) -> Vec<Self::Batch>;

    /// The metrics of what the portions of a step measured.
    fn step_metrics(&self, portions: &[Evaluated]) -> Vec<(&'static str, f64)>;

    /// The metrics of an evaluation on the held-out part.
    fn held_out_metrics(&self, found: &Evaluated) -> Vec<(&'static str, f64)>;

    /// The samples that are written when one is due. A request's own prompt is not looked at.
    fn samples(&self, seed: u64) -> Vec<(Prompt, GenerateRequest)>;

    /// How the model is asked what the user wants to know meanwhile.
    fn prompt(&self, text: &str) -> Prompt;

    /// Whether samples are written before the first step too.
    fn samples_before(&self) -> bool {
        false
    }

    /// How the model is given prompts, and at which tokens it ends.
    fn format(&self) -> PromptFormat<'_>;

    /// What is known of the run of this model.
    fn info(&self, model: &Decoder) -> RunInfo;

    /// What is measured of the finished model beside the held-out part; `stopped` if the user does not want
    /// to wait.
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
