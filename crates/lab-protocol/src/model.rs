//! The shape of a decoder.

use crate::{ABOVE_ZERO, LabError, Settings, text};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Settings)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    #[default]
    #[setting(label = "LayerNorm")]
    LayerNorm,
    #[setting(label = "RMSNorm")]
    RmsNorm,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Settings)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// A trained vector for each position.
    #[default]
    #[setting(label = "Learned (GPT-2)")]
    Learned,
    /// Rotary embeddings (Su et al. 2021), with the two halves of a head rotated.
    #[setting(label = "Rotary (Llama)")]
    Rope,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Settings)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// x·Φ(x), by the error function.
    #[default]
    #[setting(label = "GELU")]
    Gelu,
    /// The form with tanh, which GPT-2 uses.
    #[setting(label = "GELU, tanh form")]
    GeluNew,
    /// max(x, 0).
    #[setting(label = "ReLU")]
    Relu,
    /// silu(gate)·up: three matrices instead of two (Shazeer 2020).
    #[setting(label = "SwiGLU (Llama)")]
    Swiglu,
}

/// Limits that keep a typing error from allocating gigabytes. Far above the sizes that a browser can train.
const MAX_WIDTH: usize = 16_384;
pub(crate) const MAX_VOCABULARY: usize = 262_144;

/// Shape of a decoder-only transformer. The vocabulary comes from the tokenizer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Settings)]
#[serde(default, deny_unknown_fields)]
#[settings(check = Self::fits)]
pub struct ModelConfig {
    /// Transformer blocks, one after the other.
    #[setting(range = 1..=128, default = 4)]
    pub layers: usize,
    /// Attention heads in a block; they divide the width if the head width is 0.
    #[setting(range = 1..=1024, default = 4)]
    pub heads: usize,
    /// Heads for keys and values, which several query heads share (grouped-query attention); 0 is as many as heads.
    #[setting(label = "Key-value heads", range = 0..=1024, group = Model)]
    pub key_value_heads: usize,
    /// Size of a head; 0 is the width divided by the heads.
    #[setting(range = 0..=MAX_WIDTH, group = Model)]
    pub head_width: usize,
    /// Numbers that describe one token.
    #[setting(range = 1..=MAX_WIDTH, default = 64)]
    pub width: usize,
    /// Inner size of the MLP; 0 is four times the width.
    #[setting(range = 0..=8 * MAX_WIDTH, group = Model)]
    pub hidden_width: usize,
    /// Maximum number of tokens that the model reads at once.
    #[setting(range = 1..=32_768, default = 64, unit = "tokens")]
    pub context: usize,
    /// Keeps activations at one scale.
    #[setting(label = "Normalisation", group = Model)]
    pub norm: Norm,
    /// Keeps the normalisation from dividing by 0.
    #[setting(range = ABOVE_ZERO..=1.0, default = 1e-5, group = Model)]
    pub norm_epsilon: f64,
    /// The encoding of the order of tokens.
    #[setting(label = "Positions", group = Model)]
    pub position: Position,
    /// Longest wavelength of rotary positions.
    #[setting(label = "Rotary base", range = 1.0..=1e12, default = 10_000.0, group = Model)]
    pub rope_theta: f64,
    /// The function between the matrices of the MLP.
    #[setting(group = Model)]
    pub activation: Activation,
    /// A constant added in linear layers and LayerNorm.
    #[setting(label = "Biases", group = Model)]
    pub bias: bool,
    /// Biases in the attention's linear layers, if they differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[setting(label = "Attention biases", none = "As biases", group = Model)]
    pub attention_bias: Option<bool>,
    /// Biases in the MLP's linear layers, if they differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[setting(label = "MLP biases", none = "As biases", group = Model)]
    pub mlp_bias: Option<bool>,
    /// The output layer reuses the token embedding, transposed.
    #[setting(default = true, group = Model)]
    pub tied_head: bool,
    /// Share of activations and of attention probabilities dropped at random in training.
    #[setting(range = 0.0..=0.95, group = Model)]
    pub dropout: f64,
}

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

    /// Heads divide the width, and pairs of them the positions.
    fn fits(&self) -> Result<(), LabError> {
        if self.head_width == 0 && !self.width.is_multiple_of(self.heads) {
            return Err(LabError::config(
                "heads",
                text!(
                    "{heads} heads do not divide a width of {width}",
                    heads = self.heads,
                    width = self.width,
                ),
                "Choose a width that is a multiple of the heads, e.g. 4 heads and a width of 64.",
            ));
        }
        if !self.heads.is_multiple_of(self.key_value_heads()) {
            return Err(LabError::config(
                "key_value_heads",
                text!(
                    "{shared} key-value heads do not divide {heads} heads",
                    shared = self.key_value_heads,
                    heads = self.heads,
                ),
                "Choose a divisor of the heads, or 0 for as many as heads.",
            ));
        }
        if self.position == Position::Rope && !self.head_width().is_multiple_of(2) {
            return Err(LabError::config(
                "position",
                text!(
                    "rotary positions need an even head width, and it is {width}",
                    width = self.head_width(),
                ),
                "Change width or heads, or use learned positions.",
            ));
        }
        Ok(())
    }
}
