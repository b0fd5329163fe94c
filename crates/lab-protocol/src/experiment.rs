//! An experiment: its strategies, their order, and the data they share.

use crate::{ErrorCode, LabError, SCHEMA_VERSION, Settings, text};
use serde::{Deserialize, Serialize};

/// The device of the computation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Settings)]
#[serde(rename_all = "snake_case")]
pub enum BackendChoice {
    /// A usable GPU if there is one, else the CPU (natively: the CPU).
    #[default]
    Auto,
    #[setting(label = "CPU")]
    Cpu,
    /// WebGPU in a browser; Vulkan, Metal or DX12 natively, if the program was built with it.
    #[setting(label = "WebGPU")]
    Wgpu,
}

/// A named set of strategies that share data, seed and evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Settings)]
#[serde(deny_unknown_fields)]
#[settings(check = Self::is_whole)]
pub struct ExperimentConfig {
    /// Version of the layout of experiments.
    #[serde(default = "schema_version")]
    pub schema: u32,
    /// The name of the experiment.
    pub name: String,
    /// Its purpose.
    #[serde(default)]
    pub description: String,
    /// The same seed gives the same run.
    ///
    /// It decides initial weights, batches, dropout and samples.
    #[serde(default = "default_seed")]
    #[setting(range = 0..=MAX_SEED)]
    pub seed: u64,
    /// The device of the computation.
    #[serde(default)]
    pub backend: BackendChoice,
    /// The data it trains on.
    pub data: DataConfig,
    /// Its strategies.
    pub strategies: Vec<StrategyConfig>,
}

fn schema_version() -> u32 {
    SCHEMA_VERSION
}
fn default_seed() -> u64 {
    1337
}

/// Maximum seed: JavaScript's numbers are exact up to here, so a seed means the same everywhere.
pub const MAX_SEED: u64 = (1 << 53) - 1;

impl ExperimentConfig {
    /// An experiment without strategies, everything else at its default.
    ///
    /// ```
    /// use lab_protocol::*;
    /// let pretraining = PretrainingConfig {
    ///     model: ModelConfig { layers: 2, ..Default::default() },
    ///     ..Default::default()
    /// };
    /// let experiment = ExperimentConfig::new("mine", DataConfig::village("hamlet"))
    ///     .with(StrategyConfig::new("pretrain", "pretraining", &pretraining)?)
    ///     .with(StrategyConfig::new("tune", "fine_tuning", &FineTuningConfig::default())?.starting_from("pretrain"));
    /// experiment.validate()?;
    /// # Ok::<(), LabError>(())
    /// ```
    pub fn new(name: &str, data: DataConfig) -> Self {
        Self {
            schema: SCHEMA_VERSION,
            name: name.to_owned(),
            description: String::new(),
            seed: default_seed(),
            backend: BackendChoice::default(),
            data,
            strategies: Vec::new(),
        }
    }

    /// Adds a strategy.
    pub fn with(mut self, strategy: StrategyConfig) -> Self {
        self.strategies.push(strategy);
        self
    }

    /// Checks the parts that do not depend on data. Each strategy checks its own `config`.
    fn is_whole(&self) -> Result<(), LabError> {
        if self.schema != SCHEMA_VERSION {
            return Err(LabError::config(
                "schema",
                text!(
                    "the experiment has layout version {given}, this program reads {known}",
                    given = self.schema,
                    known = SCHEMA_VERSION,
                ),
                "Use a program of the same version as the one that wrote the experiment.",
            ));
        }
        if self.name.trim().is_empty() {
            return Err(LabError::config(
                "name",
                "the experiment has no name",
                "Give it a name.",
            ));
        }
        if self.strategies.is_empty() {
            return Err(LabError::config(
                "strategies",
                "the experiment has no strategy",
                "Add at least one, e.g. {\"name\": \"pretrain\", \"strategy\": \"pretraining\", \"config\": {…}}.",
            ));
        }
        self.order()?;
        for (index, strategy) in self.strategies.iter().enumerate() {
            if self.strategies[..index]
                .iter()
                .any(|other| other.name == strategy.name)
            {
                return Err(LabError::config(
                    "name",
                    text!("two strategies are called \"{name}\"", name = strategy.name),
                    "Give each strategy a name of its own.",
                )
                .at(&format!("strategies[{index}]")));
            }
        }
        Ok(())
    }

    /// Indices of the strategies, each after the strategy that it starts from.
    pub fn order(&self) -> Result<Vec<usize>, LabError> {
        let mut order: Vec<usize> = Vec::with_capacity(self.strategies.len());
        let unknown = |from: &str| !self.strategies.iter().any(|other| other.name == from);
        for (index, strategy) in self.strategies.iter().enumerate() {
            if let Some(from) = strategy.from.as_deref().filter(|from| unknown(from)) {
                return Err(LabError::config(
                    "from",
                    text!("there is no strategy \"{from}\" to start from", from),
                    "Name another strategy of this experiment.",
                )
                .at(&format!("strategies[{index}]")));
            }
        }
        while order.len() < self.strategies.len() {
            let ready = |index: &usize| {
                !order.contains(index)
                    && self.strategies[*index].from.as_deref().is_none_or(|from| {
                        order.iter().any(|&done| self.strategies[done].name == from)
                    })
            };
            match (0..self.strategies.len()).find(ready) {
                Some(next) => order.push(next),
                None => {
                    let stuck = (0..self.strategies.len()).find(|index| !order.contains(index));
                    return Err(LabError::config(
                        "from",
                        "strategies start from each other in a circle",
                        "Let one of them start from nothing.",
                    )
                    .at(&format!("strategies[{}]", stuck.unwrap_or_default())));
                }
            }
        }
        Ok(order)
    }
}

/// One strategy of an experiment.
///
/// The strategy itself reads `config`, so a new strategy changes nothing here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Settings)]
#[serde(deny_unknown_fields)]
#[settings(check = Self::has_a_name)]
pub struct StrategyConfig {
    /// Unique within the experiment; metrics carry it.
    pub name: String,
    /// A registered kind of strategy, e.g. `pretraining`.
    pub strategy: String,
    /// Name of the strategy of this experiment whose model this one starts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Settings of the strategy.
    #[serde(default)]
    pub config: serde_json::Value,
}

impl StrategyConfig {
    /// The strategy registered as `strategy`, with its own configuration.
    pub fn new(name: &str, strategy: &str, config: &impl Serialize) -> Result<Self, LabError> {
        Ok(Self {
            name: name.to_owned(),
            strategy: strategy.to_owned(),
            from: None,
            config: serde_json::to_value(config)
                .map_err(|error| LabError::internal(error.to_string()))?,
        })
    }

    /// Lets the strategy start from the model of the strategy called `name`.
    pub fn starting_from(mut self, name: &str) -> Self {
        self.from = Some(name.to_owned());
        self
    }

    fn has_a_name(&self) -> Result<(), LabError> {
        if self.name.trim().is_empty() {
            let message = "the strategy has no name";
            return Err(LabError::config("name", message, "Give it a name."));
        }
        Ok(())
    }
}

/// The data an experiment trains on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Settings)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// The source of the data.
    pub source: DataSource,
    /// Name of the built-in text, of the village's preset, or of the file that the user gave.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Settings of the village that differ from the preset's.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    #[setting(when(source = "village"))]
    pub village: serde_json::Map<String, serde_json::Value>,
    /// Share of the data that is never trained on: the end of a text, or rows that the seed chooses.
    #[serde(default = "default_validation_fraction")]
    #[setting(label = "Held out", range = 0.0..=0.9)]
    pub validation_fraction: f64,
}

fn default_validation_fraction() -> f64 {
    0.1
}

impl DataConfig {
    /// The built-in text of this name.
    pub fn built_in(name: &str) -> Self {
        Self::of(DataSource::BuiltIn, name)
    }

    /// The village of this preset, made from the experiment's seed.
    pub fn village(preset: &str) -> Self {
        Self::of(DataSource::Village, preset)
    }

    /// A text that is given with the experiment.
    pub fn user() -> Self {
        Self::of(DataSource::User, "")
    }

    fn of(source: DataSource, name: &str) -> Self {
        Self {
            source,
            name: name.to_owned(),
            village: Default::default(),
            validation_fraction: default_validation_fraction(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Settings)]
#[serde(rename_all = "snake_case")]
pub enum DataSource {
    /// A text that comes with the lab.
    BuiltIn,
    /// The small world made from a seed: text, questions, preferences and documents of known truth.
    Village,
    /// A text that the user supplies: pasted, dropped, or named with `--data`.
    User,
}

/// Converts the bytes of a file, a paste or a drop to text: the only place for this.
pub fn text_from_bytes(bytes: Vec<u8>) -> Result<String, LabError> {
    let text = String::from_utf8(bytes).map_err(|error| {
        LabError::new(
            ErrorCode::InvalidUtf8,
            text!(
                "the text is not UTF-8: byte {byte} begins no valid character",
                byte = error.utf8_error().valid_up_to(),
            ),
            "Save the file as UTF-8 text.",
        )
        .at("data")
    })?;
    if text.is_empty() {
        return Err(LabError::new(
            ErrorCode::InvalidData,
            "the text is empty",
            "Give a text to train on.",
        )
        .at("data"));
    }
    Ok(text
        .strip_prefix('\u{feff}')
        .map(str::to_owned)
        .unwrap_or(text))
}
