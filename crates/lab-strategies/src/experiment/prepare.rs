use crate::asking::held_out::{HeldOut, held_out};
use crate::experiment::registry::{Finished, Metric, Registry};
use crate::run::context::{Platform, RunContext, TrainingData};
use crate::run::reward::RewardFunction;
use crate::run::strategy::Strategy;
use crate::run::train::train;
use lab_protocol::{
    BackendChoice, DataSource, ErrorCode, ExperimentConfig, LabError, ModelFile, RunResult,
    SCHEMA_VERSION, StopReason, StrategyConfig, text,
};
use lab_village::{Preset, Village, VillageSettings};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
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
    metrics: Vec<Rc<dyn Metric>>,
    reward: Option<Rc<dyn RewardFunction>>,
}

/// `run.json`: everything that is needed to repeat the run.
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

/// Checks a whole experiment and its data before any of it is run; errors name the field. `registry` holds the
/// strategies that it may name.
pub fn check(
    registry: &Registry,
    experiment: &ExperimentConfig,
    text: &str,
) -> Result<(), LabError> {
    validate(experiment)?;
    let data = training_data(experiment, text.to_owned())?;
    for (index, config) in experiment.strategies.iter().enumerate() {
        registry
            .create(config)
            .and_then(|strategy| strategy.validate(&data))
            .map_err(|error| placed(error, index))?;
    }
    Ok(())
}

fn validate(experiment: &ExperimentConfig) -> Result<(), LabError> {
    experiment.validate()?;
    let data = experiment.data.validate();
    data.map_err(|error| error.at("data"))
}

/// The strategy with this name, and its index in the experiment.
pub(crate) fn named<'a>(
    experiment: &'a ExperimentConfig,
    strategy: &str,
) -> Result<(usize, &'a StrategyConfig), LabError> {
    let mut strategies = experiment.strategies.iter().enumerate();
    let found = strategies.find(|(_, config)| config.name == strategy);
    found.ok_or_else(|| {
        LabError::new(
            ErrorCode::InvalidCommand,
            text!("the experiment has no strategy \"{strategy}\"", strategy),
            "Name one of its strategies.",
        )
        .at("strategy")
    })
}

/// Places an error in the strategy's part of the experiment, except errors of the text, which belongs to no strategy.
pub(crate) fn placed(error: LabError, index: usize) -> LabError {
    if error.field.as_deref() == Some("data") {
        error
    } else {
        error.at(&format!("strategies[{index}]"))
    }
}

/// Checks an experiment, the strategy with this name in it, and its data: `text`, or the village that the experiment
/// names. `base` are the files of the run that the strategy starts from.
pub fn prepare(
    registry: &Registry,
    experiment: &ExperimentConfig,
    strategy: &str,
    text: String,
    base: Vec<ModelFile>,
) -> Result<PreparedRun, LabError> {
    validate(experiment)?;
    let data = training_data(experiment, text)?;
    let (index, config) = named(experiment, strategy)?;
    let place = |error| placed(error, index);
    let created = registry.create(config).map_err(place)?;
    created.validate(&data).map_err(place)?;
    if let Some(from) = config.from.as_deref().filter(|_| base.is_empty()) {
        return Err(place(
            LabError::new(
                ErrorCode::InvalidCommand,
                text!(
                    "the model of \"{from}\", from which it starts, is not there",
                    from
                ),
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
        metrics: registry.metrics().to_vec(),
        reward: registry.reward(),
    })
}

impl PreparedRun {
    /// SHA-256 of the text, in hexadecimal.
    pub fn data_hash(&self) -> &str {
        &self.data.hash
    }

    /// Supplies the reward for strategies that use a function.
    pub fn with_reward(mut self, reward: Rc<dyn RewardFunction>) -> Self {
        self.reward = Some(reward);
        self
    }

    /// Executes the run under the id `run`, from a checkpoint if one is given.
    pub async fn execute(
        self,
        run: String,
        platform: Platform,
        checkpoint: Option<Vec<u8>>,
    ) -> Result<RunResult, LabError> {
        let mut context = RunContext::new(run, self.name, self.seed, self.data, platform);
        context.base = self.base.into();
        context.reward = self.reward;
        let mut result = train(&*self.strategy, &context, checkpoint).await?;
        // The peak is read before the evaluation reads the files again.
        let peak = context.peak_bytes().map(|bytes| bytes as f64);
        result
            .metrics
            .extend(peak.map(|bytes| ("peak_bytes".to_owned(), bytes)));
        if result.stop_reason != StopReason::Stopped {
            let judged = judge(&*self.strategy, &self.metrics, &result, &context).await?;
            context.record(result.steps, judged.clone());
            let outside = self.metrics.iter().map(|metric| metric.info());
            let measured = outside.filter(|info| judged.contains_key(&*info.name));
            result.declared.extend(measured);
            result.metrics.extend(judged);
        }
        Ok(result)
    }
}

/// Evaluates a finished run: answers to the held-out questions, and metrics from outside.
async fn judge(
    strategy: &dyn Strategy,
    metrics: &[Rc<dyn Metric>],
    result: &RunResult,
    context: &RunContext,
) -> Result<BTreeMap<String, f64>, LabError> {
    // A trained model is kept even if its evaluation fails.
    let found = match result.files.is_empty() {
        true => HeldOut::default(),
        false => held_out(strategy, &result.files, context)
            .await
            .unwrap_or_else(|error| {
                context.warn(format!(
                    "the held-out questions could not be answered: {error}"
                ));
                HeldOut::default()
            }),
    };
    let mut values = found.metrics;
    let run = Finished {
        result,
        data: &context.data,
        answers: &found.answers,
    };
    for metric in metrics {
        let name = metric.name();
        match metric.measure(&run).await {
            Ok(None) => {}
            Ok(Some(value)) if value.is_finite() => {
                values.insert(name.to_owned(), value);
            }
            // A result that took long to train is kept even if a metric has a mistake.
            Ok(Some(value)) => context.warn(format!("the metric \"{name}\" is {value}")),
            Err(error) => context.warn(format!("the metric \"{name}\" failed: {error}")),
        }
    }
    Ok(values)
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

/// The experiment's data: the text that was given, or the village that the experiment describes.
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

/// The preset that the data name, with the experiment's seed and the data's other settings of the village.
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
