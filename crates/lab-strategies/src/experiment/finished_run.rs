//! Questions to finished runs.

use crate::asking::answerer::Answerer;
use crate::experiment::prepare::{named, placed};
use crate::experiment::registry::Registry;
use crate::run::commands::StopSignal;
use crate::run::host::Host;
use crate::run::prompts::Prompt;
use crate::run::strategy::Strategy;
use burn::tensor::Device;
use lab_protocol::{
    DataSource, ErrorCode, ExperimentConfig, GenerateRequest, LabError, ModelFile, UsedPassage,
    text,
};
use std::rc::Rc;

/// A finished run, opened from its files to answer prompts.
pub struct FinishedRun {
    strategy: Box<dyn Strategy>,
    /// Whether prompts are questions, not texts to continue.
    questions: bool,
    files: Vec<ModelFile>,
}

impl FinishedRun {
    /// The run of `strategy` in the experiment that left `files`.
    pub fn new(
        registry: &Registry,
        experiment: &ExperimentConfig,
        strategy: &str,
        files: Vec<ModelFile>,
    ) -> Result<Self, LabError> {
        experiment.validate()?;
        let (index, config) = named(experiment, strategy)?;
        if files.is_empty() {
            return Err(LabError::new(
                ErrorCode::InvalidCommand,
                text!("\"{strategy}\" has no model to ask", strategy),
                "Run it first.",
            )
            .at("base"));
        }
        let place = |error| placed(error, index);
        let created = registry.create(config).map_err(place)?;
        let pretrains = |config: &lab_protocol::StrategyConfig| config.strategy == "pretraining";
        Ok(Self {
            strategy: created,
            questions: experiment.data.source == DataSource::Village
                || !experiment.strategies.iter().all(pretrains),
            files,
        })
    }

    /// The likeliest answer to `prompt`; `None` if the host said stop meanwhile. If the experiment only pretrains on
    /// a text, the model continues the prompt unchanged. In any other experiment the prompt gets the form of the
    /// questions that the strategies learned from.
    pub async fn ask(
        &self,
        prompt: &str,
        device: Device,
        host: Rc<dyn Host>,
    ) -> Result<Option<String>, LabError> {
        let answerer = Answerer::open(&*self.strategy, &self.files, &device).await?;
        let prompts = [self.prompt(prompt)];
        let answers = answerer.answer(&prompts, &StopSignal::of(host)).await;
        let answers = answers.map_err(|error| error.at("prompt"))?;
        Ok(answers.and_then(|answers| answers.into_iter().next()))
    }

    /// A continuation of the request's prompt, which is put as for [`FinishedRun::ask`].
    pub async fn write(
        &self,
        request: &GenerateRequest,
        device: Device,
        host: Rc<dyn Host>,
    ) -> Result<String, LabError> {
        let answerer = Answerer::open(&*self.strategy, &self.files, &device).await?;
        let prompt = self.prompt(&request.prompt);
        answerer
            .write(&prompt, request, &StopSignal::of(host))
            .await
    }

    /// At most `count` passages of the run's index for a question, the best first.
    pub async fn retrieve(
        &self,
        question: &str,
        count: usize,
        device: Device,
    ) -> Result<Vec<UsedPassage>, LabError> {
        let answerer = Answerer::open(&*self.strategy, &self.files, &device).await?;
        answerer.retrieve(question, count).await
    }

    /// Two different answers to `prompt`, drawn from the model for a vote, and the prompt as strategies learn from
    /// it.
    pub async fn compare(
        &self,
        prompt: &str,
        seed: u64,
        device: Device,
    ) -> Result<(String, [String; 2]), LabError> {
        let answerer = Answerer::open(&*self.strategy, &self.files, &device).await?;
        let prompt = self.prompt(prompt);
        let answers = answerer.two_answers(&prompt, seed).await?;
        Ok((prompt.text(), answers))
    }

    fn prompt(&self, text: &str) -> Prompt {
        match self.questions {
            true => Prompt::question(text),
            false => Prompt::Text(text.to_owned()),
        }
    }
}
