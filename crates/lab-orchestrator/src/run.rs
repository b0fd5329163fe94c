use burn::tensor::Device;
use lab_protocol::{
    BackendChoice, DataSource, ErrorCode, ExperimentConfig, LabError, ModelFile, RunResult,
    SCHEMA_VERSION, StopReason,
};
use lab_strategies::{Host, RewardFunction, RunContext, Strategy, TrainingData, held_out};
use lab_village::{Preset, Village, VillageSettings};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::rc::Rc;

/// Version of LLM Labs.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A run whose configuration and text have been checked; nothing is allocated or written yet.
pub struct PreparedRun {
    strategy: Box<dyn Strategy>,
    name: String,
    seed: u64,
    data: TrainingData,
    base: Vec<ModelFile>,
    reward: Option<Rc<dyn RewardFunction>>,
}

/// `run.json`: all that is needed to make the run again.
#[derive(Serialize)]
pub struct RunRecord<'a> {
    pub schema: u32,
    pub version: &'static str,
    pub run: &'a str,
    pub strategy: &'a str,
    /// The experiment as it was given, with the seed and the backend that were used.
    pub experiment: &'a ExperimentConfig,
    pub backend: BackendChoice,
    /// The strategy's configuration with every default filled in.
    pub config: serde_json::Value,
    /// SHA-256 of the text, in hexadecimal.
    pub data_hash: &'a str,
    pub seed: u64,
}

/// Checks a whole experiment and its data before any of it is run; the field is named.
pub fn check(experiment: &ExperimentConfig, text: &str) -> Result<(), LabError> {
    experiment.validate()?;
    experiment
        .data
        .validate()
        .map_err(|error| error.at("data"))?;
    let data = training_data(experiment, text.to_owned())?;
    for (index, config) in experiment.strategies.iter().enumerate() {
        lab_strategies::create(config)
            .and_then(|strategy| strategy.validate(&data))
            .map_err(|error| placed(error, index))?;
    }
    Ok(())
}

/// The text belongs to no strategy; everything else that can be wrong does.
fn placed(error: LabError, index: usize) -> LabError {
    if error.field.as_deref() == Some("data") {
        error
    } else {
        error.at(&format!("strategies[{index}]"))
    }
}

/// Checks an experiment, the strategy of that name in it, and the data it is to train on: `text`, or
/// the village that the experiment names. `base` are the files of the run that the strategy starts from.
pub fn prepare(
    experiment: &ExperimentConfig,
    strategy: &str,
    text: String,
    base: Vec<ModelFile>,
) -> Result<PreparedRun, LabError> {
    experiment.validate()?;
    experiment
        .data
        .validate()
        .map_err(|error| error.at("data"))?;
    let data = training_data(experiment, text)?;
    let (index, config) = experiment
        .strategies
        .iter()
        .enumerate()
        .find(|(_, config)| config.name == strategy)
        .ok_or_else(|| {
            LabError::new(
                ErrorCode::InvalidCommand,
                format!("the experiment has no strategy \"{strategy}\""),
                "Name one of its strategies.",
            )
            .at("strategy")
        })?;
    let place = |error| placed(error, index);
    let created = lab_strategies::create(config).map_err(place)?;
    created.validate(&data).map_err(place)?;
    if let Some(from) = config.from.as_deref().filter(|_| base.is_empty()) {
        return Err(place(
            LabError::new(
                ErrorCode::InvalidCommand,
                format!("the model of \"{from}\", from which it starts, is not there"),
                "Run that strategy first.",
            )
            .at("from"),
        ));
    }
    Ok(PreparedRun {
        strategy: created,
        name: config.name.clone(),
        seed: experiment.seed,
        data,
        base,
        reward: None,
    })
}

impl PreparedRun {
    /// SHA-256 of the text, in hexadecimal.
    pub fn data_hash(&self) -> &str {
        &self.data.hash
    }

    /// Supplies the reward of strategies whose reward is a function.
    pub fn with_reward(mut self, reward: Rc<dyn RewardFunction>) -> Self {
        self.reward = Some(reward);
        self
    }

    /// Executes the run on `device`, under the id `run`, from a checkpoint if one is given.
    pub async fn execute(
        mut self,
        run: String,
        device: Device,
        host: Rc<dyn Host>,
        checkpoint: Option<Vec<u8>>,
    ) -> Result<RunResult, LabError> {
        let mut context = RunContext::new(run, self.name, self.seed, device, self.data, host);
        context.base = self.base;
        context.reward = self.reward;
        context.checkpoint = checkpoint;
        let mut result = self.strategy.train(&mut context).await?;
        let has_model = result
            .files
            .iter()
            .any(|file| file.path.starts_with("model/"));
        if result.stop_reason != StopReason::Stopped && has_model {
            // What was trained is not lost because it cannot be judged.
            match held_out(&*self.strategy, &result.files, &mut context).await {
                Ok(found) => result.metrics.extend(found),
                Err(error) => context.warn(format!(
                    "the held-out questions could not be answered: {error}"
                )),
            }
        }
        Ok(result)
    }
}

impl<'a> RunRecord<'a> {
    pub fn new(
        run: &'a str,
        experiment: &'a ExperimentConfig,
        strategy: &'a str,
        backend: BackendChoice,
        data_hash: &'a str,
        config: serde_json::Value,
    ) -> Self {
        let seed = experiment.seed;
        Self {
            schema: SCHEMA_VERSION,
            version: VERSION,
            run,
            strategy,
            experiment,
            backend,
            config,
            data_hash,
            seed,
        }
    }
}

/// The experiment's data: the text that was given, or the village that it describes.
fn training_data(experiment: &ExperimentConfig, text: String) -> Result<TrainingData, LabError> {
    let data = &experiment.data;
    let hint = match data.source {
        DataSource::Village => {
            let settings = village_settings(experiment).map_err(|error| error.at("data"))?;
            let name = serde_json::to_string(&settings)
                .map_err(|error| LabError::internal(error.to_string()))?;
            return Ok(TrainingData {
                hash: hash(&name),
                village: Some(Rc::new(Village::new(settings)?)),
                validation_fraction: data.validation_fraction,
                ..Default::default()
            });
        }
        _ if !text.is_empty() => {
            return Ok(TrainingData {
                hash: hash(&text),
                text,
                validation_fraction: data.validation_fraction,
                village: None,
            });
        }
        DataSource::User => {
            "Give a text: --data FILE in the terminal; paste, open or drop one in the page."
        }
        DataSource::BuiltIn => "Name one of the built-in texts.",
    };
    Err(LabError::new(ErrorCode::InvalidData, "there is no text to train on", hint).at("data"))
}

/// The preset that the data name, the experiment's seed, and what the data say of the village.
fn village_settings(experiment: &ExperimentConfig) -> Result<VillageSettings, LabError> {
    let mut given = experiment.data.village.clone();
    let name = &experiment.data.name;
    if !name.is_empty() {
        let known = Preset::from_name(name);
        known.map_err(|error| LabError::config("name", error.message, error.hint))?;
        given.insert("preset".into(), name.as_str().into());
    }
    given
        .entry("seed")
        .or_insert_with(|| experiment.seed.into());
    VillageSettings::from_json(given.into()).map_err(|error| error.at("village"))
}

fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
