//! The shape of a decoder.

use crate::LabError;
use crate::checks::{number, whole};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    #[default]
    LayerNorm,
    RmsNorm,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// A trained vector for each position (GPT-2).
    #[default]
    Learned,
    /// Rotary embeddings (Su et al. 2021), with the two halves of a head rotated, as in Llama.
    Rope,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// x·Φ(x), by the error function.
    #[default]
    Gelu,
    /// The tanh form that GPT-2 uses.
    GeluNew,
    /// max(x, 0).
    Relu,
    /// silu(gate)·up: three matrices instead of two (Shazeer 2020), as in Llama.
    Swiglu,
}

/// Shape of a decoder-only transformer. The vocabulary comes from the tokenizer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    pub layers: usize,
    pub heads: usize,
    /// Fewer than `heads` share keys and values (grouped-query attention); 0 means as many as `heads`.
    pub key_value_heads: usize,
    /// Size of a head; 0 means width / heads.
    pub head_width: usize,
    /// Size of a token's vector; a multiple of `heads` where `head_width` is 0.
    pub width: usize,
    /// Size of the MLP's inner layer; 0 means 4·width.
    pub hidden_width: usize,
    /// The window: the most tokens the model sees at once.
    pub context: usize,
    pub norm: Norm,
    pub norm_epsilon: f64,
    pub position: Position,
    pub rope_theta: f64,
    pub activation: Activation,
    /// Biases in the linear layers and in LayerNorm.
    pub bias: bool,
    /// Biases in the attention's linear layers, where that differs from `bias`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attention_bias: Option<bool>,
    /// Biases in the MLP's linear layers, where that differs from `bias`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mlp_bias: Option<bool>,
    /// The output layer is the token embedding, transposed.
    pub tied_head: bool,
    /// Probability with which an activation is dropped in training.
    pub dropout: f64,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            layers: 4,
            heads: 4,
            key_value_heads: 0,
            head_width: 0,
            width: 64,
            hidden_width: 0,
            context: 64,
            norm: Norm::LayerNorm,
            norm_epsilon: 1e-5,
            position: Position::Learned,
            rope_theta: 10_000.0,
            activation: Activation::Gelu,
            bias: false,
            attention_bias: None,
            mlp_bias: None,
            tied_head: true,
            dropout: 0.0,
        }
    }
}

/// Bounds that keep a typing error from allocating gigabytes. Far above what a browser trains.
const MAX_LAYERS: usize = 128;
const MAX_WIDTH: usize = 16_384;
const MAX_CONTEXT: usize = 32_768;
pub(crate) const MAX_VOCABULARY: usize = 262_144;

impl ModelConfig {
    pub fn key_value_heads(&self) -> usize {
        if self.key_value_heads == 0 {
            self.heads
        } else {
            self.key_value_heads
        }
    }

    pub fn hidden_width(&self) -> usize {
        if self.hidden_width == 0 {
            4 * self.width
        } else {
            self.hidden_width
        }
    }

    pub fn head_width(&self) -> usize {
        if self.head_width == 0 {
            self.width / self.heads
        } else {
            self.head_width
        }
    }

    /// Width of all heads' queries side by side.
    pub fn query_width(&self) -> usize {
        self.heads * self.head_width()
    }

    /// Width of all heads' keys, or values, side by side.
    pub fn key_value_width(&self) -> usize {
        self.key_value_heads() * self.head_width()
    }

    pub fn attention_bias(&self) -> bool {
        self.attention_bias.unwrap_or(self.bias)
    }

    pub fn mlp_bias(&self) -> bool {
        self.mlp_bias.unwrap_or(self.bias)
    }

    pub fn validate(&self) -> Result<(), LabError> {
        whole("layers", self.layers, 1, MAX_LAYERS)?;
        whole("heads", self.heads, 1, 1024)?;
        whole("width", self.width, 1, MAX_WIDTH)?;
        whole("hidden_width", self.hidden_width, 0, 8 * MAX_WIDTH)?;
        whole("context", self.context, 1, MAX_CONTEXT)?;
        whole("head_width", self.head_width, 0, MAX_WIDTH)?;
        if self.head_width == 0 && !self.width.is_multiple_of(self.heads) {
            return Err(LabError::config(
                "heads",
                format!(
                    "{} heads do not divide a width of {}",
                    self.heads, self.width
                ),
                "Choose a width that is a multiple of the heads, e.g. 4 heads and a width of 64.",
            ));
        }
        if !self.heads.is_multiple_of(self.key_value_heads()) {
            return Err(LabError::config(
                "key_value_heads",
                format!(
                    "{} key-value heads do not divide {} heads",
                    self.key_value_heads, self.heads
                ),
                "Choose a divisor of the heads, or 0 for as many as heads.",
            ));
        }
        if self.position == Position::Rope && !self.head_width().is_multiple_of(2) {
            return Err(LabError::config(
                "position",
                format!(
                    "rotary positions need an even head width, and it is {}",
                    self.head_width()
                ),
                "Change width or heads, or use learned positions.",
            ));
        }
        number("norm_epsilon", self.norm_epsilon, f64::MIN_POSITIVE, 1.0)?;
        number("rope_theta", self.rope_theta, 1.0, 1e12)?;
        number("dropout", self.dropout, 0.0, 0.95)
    }
}
