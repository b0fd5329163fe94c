//! `FineTuningStrategy`'s configuration.

use crate::{LabError, TrainingConfig};
use serde::{Deserialize, Serialize};

/// Which weights are trained, and how the base is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FineTuningMethod {
    /// All weights.
    Full,
    /// Low-rank adapters on a frozen base (Hu et al. 2021).
    #[default]
    Lora,
    /// The same on a base kept in 4 bits (Dettmers et al. 2023).
    Qlora,
}

/// Low-rank adapters: y = W x + s·B(A·dropout(x)), s = alpha / rank.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct LoraConfig {
    /// Columns of A and rows of B.
    pub rank: usize,
    pub alpha: f64,
    /// Probability with which a number of the adapter's input is dropped in training.
    pub dropout: f64,
    /// Linear layers to adapt: a module's path in the model's file, an end of it such as `q_proj`, or
    /// either with `*` for anything. Empty means every linear layer but the head.
    pub targets: Vec<String>,
    /// s = alpha / sqrt(rank) (Kalajdzievski 2023).
    pub rslora: bool,
    /// Direction and magnitude of the weights apart (Liu et al. 2024).
    pub dora: bool,
}

impl Default for LoraConfig {
    fn default() -> Self {
        Self {
            rank: 8,
            alpha: 16.0,
            dropout: 0.0,
            targets: Vec::new(),
            rslora: false,
            dora: false,
        }
    }
}

impl LoraConfig {
    /// What B·A is multiplied by, for a rank that may be a layer's own.
    pub fn scale(&self, rank: usize, alpha: f64) -> f64 {
        let rank = rank.max(1) as f64;
        alpha / if self.rslora { rank.sqrt() } else { rank }
    }

    pub fn validate(&self) -> Result<(), LabError> {
        crate::checks::whole("rank", self.rank, 1, 4096)?;
        crate::checks::number("alpha", self.alpha, 0.0, 1e6)?;
        crate::checks::number("dropout", self.dropout, 0.0, 0.95)?;
        match self.targets.iter().position(|target| target.is_empty()) {
            None => Ok(()),
            Some(index) => Err(LabError::config(
                &format!("targets[{index}]"),
                "the target is empty",
                "Name a linear layer, e.g. q_proj, or leave the list empty for all.",
            )),
        }
    }
}

/// What becomes of an example that does not fit the model's context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TooLong {
    /// It is left out, and counted.
    #[default]
    Drop,
    /// The prompt loses its beginning, and the response its end where that is not enough.
    Truncate,
    /// The run is refused.
    Error,
}

/// `FineTuningStrategy`'s configuration. The model and its tokenizer are those of the run it starts from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct FineTuningConfig {
    pub method: FineTuningMethod,
    /// Read with `lora` and `qlora`.
    pub lora: LoraConfig,
    pub too_long: TooLong,
    /// Examples of a batch stand one behind the other instead of in rows of equal length: nothing is
    /// computed for padding, and no example sees another.
    pub packing: bool,
    /// Share of each batch that is text the base was pretrained on, where the data have such (the village),
    /// so that what it knows is not forgotten: rehearsal.
    pub replay: f64,
    pub training: TrainingConfig,
}

impl FineTuningConfig {
    pub fn validate(&self) -> Result<(), LabError> {
        self.lora.validate().map_err(|error| error.at("lora"))?;
        crate::checks::number("replay", self.replay, 0.0, 0.9)?;
        self.training
            .validate()
            .map_err(|error| error.at("training"))
    }
}

/// An example as the model sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExamplePreview {
    pub tokens: Vec<PreviewToken>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PreviewToken {
    pub text: String,
    /// Whether the loss counts it.
    pub learned: bool,
}
