//! The training strategies and the contract they share. A new strategy of the lab is a new file and one line
//! in [`Registry::default`]; one from outside is registered with [`Registry::add_strategy`].

mod answerer;
mod answers;
mod base;
mod context;
mod dpo;
mod embedders;
mod endpoint;
mod examples;
mod fine_tuning;
mod generator;
mod grpo;
mod held_out;
mod library;
mod library_measures;
mod network;
mod preference;
mod pretraining;
mod rag;
mod registry;
mod rlhf;
mod trainer;

pub use answerer::Answerer;
pub use answers::{answers, exact_match};
pub use base::Base;
pub use context::{Control, Host, RunContext, TrainingData};
pub use dpo::DpoStrategy;
pub use embedders::{DecoderEmbedder, EncoderEmbedder};
pub use examples::{Conversation, Examples, preview, read_conversations};
pub use fine_tuning::FineTuningStrategy;
pub use grpo::GrpoStrategy;

pub use held_out::{HeldOut, HeldOutAnswer, held_out};
pub use network::{HttpFailure, HttpRequest, HttpResponse, Receive};
pub use preference::{Answer, RewardFunction, read_preferences, read_prompts};
pub use pretraining::PretrainingStrategy;
pub use rag::RagStrategy;
pub use registry::{Finished, Metric, Registry};
pub use rlhf::RlhfStrategy;
pub use trainer::{StepSettings, StepValues, train_step};

pub(crate) use generator::{Asked, Generator, LabModel};

use async_trait::async_trait;
use burn::module::Module;
use lab_protocol::{LabError, ModelFile, RunResult, StrategyConfig, from_value};

/// Tokens of the longest answer.
const ANSWER: usize = 40;

/// A way of making a model better, from its configuration to its result.
#[async_trait(?Send)]
pub trait Strategy {
    /// Its name in experiments, e.g. `pretraining`.
    fn name(&self) -> &str;

    /// Checks the configuration and the data, before anything is allocated.
    fn validate(&self, data: &TrainingData) -> Result<(), LabError>;

    /// Trains, reporting through `run`, and ends with the result or the reason why there is none.
    async fn train(&mut self, run: &mut RunContext) -> Result<RunResult, LabError>;

    /// Answers prompts with the model that `train` made, for the comparison on held-out questions: the
    /// likeliest continuation, up to the end of text. `None` if the run was told to stop meanwhile.
    async fn answer(
        &self,
        model: &Base,
        prompts: &[String],
        run: &mut RunContext,
    ) -> Result<Option<Vec<String>>, LabError> {
        let decoder = model.model.valid();
        answers(
            &decoder,
            &model.tokenizer,
            prompts,
            model.end()?,
            ANSWER,
            run,
        )
        .await
    }

    /// The same for a strategy that leaves no `model/`: it answers from what it left in `files`. `None` if
    /// it cannot, or the run was told to stop meanwhile.
    async fn answer_from(
        &self,
        _files: &[ModelFile],
        _prompts: &[String],
        _run: &mut RunContext,
    ) -> Result<Option<Vec<String>>, LabError> {
        Ok(None)
    }

    /// Takes up what `train` left in `files` beside the model, so that a run that is done can be asked
    /// by another program than the one that made it.
    fn restore(&mut self, _files: &[ModelFile]) -> Result<(), LabError> {
        Ok(())
    }
}

/// A strategy's settings as it reads them; what is not given takes its default.
pub fn read_config<T: serde::de::DeserializeOwned>(config: &StrategyConfig) -> Result<T, LabError> {
    let value = if config.config.is_null() {
        serde_json::json!({})
    } else {
        config.config.clone()
    };
    from_value(value).map_err(|error| error.at("config"))
}

/// Files of a folder of the run.
pub(crate) fn in_folder(folder: &str, files: Vec<ModelFile>) -> Vec<ModelFile> {
    let moved = |file: ModelFile| ModelFile {
        path: format!("{folder}/{}", file.path),
        ..file
    };
    files.into_iter().map(moved).collect()
}
