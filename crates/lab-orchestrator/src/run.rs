use burn::tensor::Device;
use lab_protocol::{
    BackendChoice, DataSource, ErrorCode, ExperimentConfig, LabError, RunResult, SCHEMA_VERSION,
};
use lab_strategies::{Host, RunContext, Strategy, TrainingData};
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

/// Checks an experiment, the strategy of that name in it, and the text it is to train on.
pub fn prepare(
    experiment: &ExperimentConfig,
    strategy: &str,
    text: String,
) -> Result<PreparedRun, LabError> {
    experiment.validate()?;
    experiment
        .data
        .validate()
        .map_err(|error| error.at("data"))?;
    if text.is_empty() {
        let hint = match experiment.data.source {
            DataSource::User => {
                "Give a text: --data FILE in the terminal; paste, open or drop one in the page."
            }
            DataSource::BuiltIn => "Name one of the built-in texts.",
        };
        return Err(
            LabError::new(ErrorCode::InvalidData, "there is no text to train on", hint).at("data"),
        );
    }
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
    // The text belongs to no strategy; everything else that can be wrong does.
    let place = |error: LabError| {
        if error.field.as_deref() == Some("data") {
            error
        } else {
            error.at(&format!("strategies[{index}]"))
        }
    };
    let created = lab_strategies::create(config).map_err(place)?;
    let data = TrainingData {
        hash: hash(&text),
        text,
        validation_fraction: experiment.data.validation_fraction,
    };
    created.validate(&data).map_err(place)?;
    Ok(PreparedRun {
        strategy: created,
        name: config.name.clone(),
        seed: experiment.seed,
        data,
    })
}

impl PreparedRun {
    /// SHA-256 of the text, in hexadecimal.
    pub fn data_hash(&self) -> &str {
        &self.data.hash
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
        context.checkpoint = checkpoint;
        self.strategy.train(&mut context).await
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

fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
