//! The contract of a strategy.

use super::commands::StopSignal;
use super::context::{RunContext, TrainingData};
use super::files::RunFiles;
use super::learner::Learner;
use super::prompts::Prompt;
use async_trait::async_trait;
use lab_protocol::{LabError, StrategyConfig, UsedPassage, from_settings};

/// A way of making a model better, from its configuration to its result.
#[async_trait(?Send)]
pub trait Strategy {
    /// The strategy's kind, by which experiments name it, e.g. `pretraining`.
    fn kind(&self) -> &str;

    /// Checks the configuration and the data, before anything is allocated.
    fn validate(&self, data: &TrainingData) -> Result<(), LabError>;

    /// Reads the base and the data and allocates the trained model, before its first step.
    async fn begin(&self, run: &RunContext) -> Result<Box<dyn Learner>, LabError>;

    /// Opens the files of a finished run for a strategy that answers prompts in its own way. `None` if the model in
    /// `model/` answers, if there is one.
    async fn open(&self, _files: &RunFiles<'_>) -> Result<Option<Box<dyn Answers>>, LabError> {
        Ok(None)
    }
}

/// Answers prompts as a finished run does.
#[async_trait(?Send)]
pub trait Answers {
    /// The likeliest answer to each prompt. `None` if told to stop meanwhile.
    async fn answer(
        &self,
        prompts: &[Prompt],
        stop: &StopSignal,
    ) -> Result<Option<Vec<String>>, LabError>;

    /// At most `count` passages for a question, the best first. `None` where there is no index to search.
    async fn retrieve(
        &self,
        _question: &str,
        _count: usize,
    ) -> Result<Option<Vec<UsedPassage>>, LabError> {
        Ok(None)
    }
}

/// Reads a strategy's settings; missing settings take their defaults.
pub fn read_config<T>(config: &StrategyConfig) -> Result<T, LabError>
where
    T: Default + serde::Serialize + serde::de::DeserializeOwned,
{
    let value = if config.config.is_null() {
        serde_json::json!({})
    } else {
        config.config.clone()
    };
    from_settings(value).map_err(|error| error.at("config"))
}

/// A configuration as JSON, with every default filled in.
pub fn resolved<T: serde::Serialize>(config: &T) -> Result<serde_json::Value, LabError> {
    serde_json::to_value(config).map_err(|error| LabError::internal(error.to_string()))
}
