//! The contract of a strategy.

use crate::asking::answers::answers;
use crate::learning::base::Base;
use crate::run::context::{RunContext, TrainingData};
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
