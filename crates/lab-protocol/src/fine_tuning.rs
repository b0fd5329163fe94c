//! `FineTuningStrategy`'s configuration.

use crate::{LabError, OnError, Settings, TrainingConfig};
use serde::{Deserialize, Serialize};

/// The weights that are trained, and the form of the base.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Settings)]
#[serde(rename_all = "snake_case")]
pub enum FineTuningMethod {
    #[setting(label = "All weights")]
    Full,
    /// Low-rank adapters on a frozen base (Hu et al. 2021).
    #[default]
    #[setting(label = "LoRA")]
    Lora,
    /// The same on a base kept in 4 bits (Dettmers et al. 2023).
    #[setting(label = "QLoRA (4 bits)")]
    Qlora,
}

/// Low-rank adapters: y = W x + s·B(A·dropout(x)), s = alpha / rank.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Settings)]
#[serde(default, deny_unknown_fields)]
#[settings(check = Self::targets_are_named)]
pub struct LoraConfig {
    /// Columns of A and rows of B: how much an adapter can learn.
    #[setting(range = 1..=4096, default = 8)]
    pub rank: usize,
    /// Strength of the adapter; it counts alpha / rank.
    #[setting(range = 0.0..=1e6, default = 16.0)]
    pub alpha: f64,
    /// Share of an adapter's input dropped at random in training.
    #[setting(label = "Adapter dropout", range = 0.0..=0.95)]
    pub dropout: f64,
    /// Linear layers to adapt, such as q_proj, v_proj; empty is all but the head.
    ///
    /// Each is a module's path in the model's file, an end of it, or either with `*` for anything.
    #[setting(label = "Layers")]
    pub targets: Vec<String>,
    /// Divides by the rank's square root, which suits large ranks (Kalajdzievski 2023).
    #[setting(label = "rsLoRA")]
    pub rslora: bool,
    /// Learns direction and size of the weights apart (Liu et al. 2024).
    #[setting(label = "DoRA")]
    pub dora: bool,
}

impl LoraConfig {
    /// The factor of B·A; the rank may be a layer's own.
    pub fn scale(&self, rank: usize, alpha: f64) -> f64 {
        let rank = rank.max(1) as f64;
        alpha / if self.rslora { rank.sqrt() } else { rank }
    }

    fn targets_are_named(&self) -> Result<(), LabError> {
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

/// Treatment of an example that does not fit the model's context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Settings)]
#[serde(rename_all = "snake_case")]
pub enum TooLong {
    /// The example is left out, and counted.
    #[default]
    #[setting(label = "Leave out")]
    Drop,
    /// The prompt loses its beginning, and the response its end if that is not enough.
    #[setting(label = "Cut")]
    Truncate,
    /// The run is refused.
    #[setting(label = "Refuse")]
    Error,
}

/// Settings of `FineTuningStrategy`. The model and its tokenizer come from the run that it starts from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Settings)]
#[serde(default, deny_unknown_fields)]
pub struct FineTuningConfig {
    /// The weights that are trained, and the form of the base.
    pub method: FineTuningMethod,
    /// Low-rank adapters.
    #[setting(label = "LoRA", group = Adapter, when(method = "lora" | "qlora"))]
    pub lora: LoraConfig,
    /// Treatment of an example that does not fit the context.
    #[setting(group = Data)]
    pub too_long: TooLong,
    /// Treatment of a row of the data that cannot be used.
    #[setting(label = "Bad rows", group = Data)]
    pub on_error: OnError,
    /// Concatenates the examples of a batch, to compute nothing for padding.
    ///
    /// No example sees another.
    #[setting(group = Data)]
    pub packing: bool,
    /// Weight in the loss of text the base was pretrained on, so that it is not forgotten.
    ///
    /// Rehearsal, where the data have such text: in the village. The loss of a step is `1 - replay` times the mean
    /// loss of the examples' learned tokens plus `replay` times the mean loss of the replayed tokens. The `batch_size`
    /// examples are divided so that every token weighs nearly the same, with at least one of each.
    #[setting(range = 0.0..=0.9, group = Data)]
    pub replay: f64,
    /// Settings of the training.
    ///
    /// By default with a learning rate of 2e-4 and without weight decay, as in TRL's examples with LoRA and in QLoRA
    /// (Dettmers et al. 2023); for all weights TRL's `SFTConfig` has 2e-5. Small models need larger ones.
    #[setting(default = TrainingConfig {
        learning_rate: 2e-4,
        minimum_learning_rate: 0.0,
        weight_decay: 0.0,
        ..Default::default()
    })]
    pub training: TrainingConfig,
}

/// An example as the model reads it.
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
