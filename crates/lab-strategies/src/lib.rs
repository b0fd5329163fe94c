//! The training strategies and the contract they share. A new strategy is a new file and one line in
//! [`create`].

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
mod rlhf;
mod trainer;

pub use answers::{answers, exact_match};
pub use base::Base;
pub use context::{Control, Host, RunContext, TrainingData};
pub use dpo::DpoStrategy;
pub use embedders::{DecoderEmbedder, EncoderEmbedder};
pub use examples::{Conversation, Examples, preview, read_conversations};
pub use fine_tuning::FineTuningStrategy;
pub use grpo::GrpoStrategy;
pub use held_out::held_out;
pub use network::{HttpFailure, HttpRequest, HttpResponse, Receive};
pub use preference::{Answer, RewardFunction, read_preferences, read_prompts};
pub use pretraining::PretrainingStrategy;
pub use rag::RagStrategy;
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
    fn name(&self) -> &'static str;

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
}

/// The strategy that a configuration names, with its settings read; unknown keys are errors.
pub fn create(config: &StrategyConfig) -> Result<Box<dyn Strategy>, LabError> {
    match config.strategy.as_str() {
        "pretraining" => Ok(Box::new(PretrainingStrategy::new(config)?)),
        "rlhf" => Ok(Box::new(RlhfStrategy::new(config)?)),
        "grpo" => Ok(Box::new(GrpoStrategy::new(config)?)),
        "dpo" => Ok(Box::new(DpoStrategy::new(config)?)),
        "rag" => Ok(Box::new(RagStrategy::new(config)?)),
        "fine_tuning" => Ok(Box::new(FineTuningStrategy::new(config)?)),
        other => Err(LabError::config(
            "strategy",
            format!("there is no strategy \"{other}\""),
            "Use \"pretraining\", \"fine_tuning\", \"rlhf\", \"grpo\", \"dpo\" or \"rag\".",
        )),
    }
}

/// A strategy's settings as it reads them; what is not given takes its default.
pub(crate) fn read_config<T: serde::de::DeserializeOwned>(
    config: &StrategyConfig,
) -> Result<T, LabError> {
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
