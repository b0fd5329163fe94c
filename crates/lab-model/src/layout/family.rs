//! The families of models that files support: GPT-2's with LayerNorm, learned positions and GELU; Llama's with
//! RMSNorm, rotary positions and SwiGLU; our own for models that neither can express.

use lab_protocol::{Activation, ModelConfig, Norm, Position};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Family {
    Gpt2,
    Llama,
    Own,
}

pub fn family(config: &ModelConfig) -> Family {
    let uniform = config.key_value_heads() == config.heads
        && config.query_width() == config.width
        && config.attention_bias() == config.bias
        && config.mlp_bias() == config.bias;
    match (config.norm, config.position, config.activation) {
        (Norm::LayerNorm, Position::Learned, activation)
            if activation != Activation::Swiglu && uniform =>
        {
            Family::Gpt2
        }
        (Norm::RmsNorm, Position::Rope, Activation::Swiglu) => Family::Llama,
        _ => Family::Own,
    }
}

/// A linear layer of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    Qkv,
    Projection,
    Gate,
    Up,
    Down,
}

impl Layer {
    /// The name of the layer in a block.
    pub fn name(self) -> &'static str {
        match self {
            Self::Qkv => "qkv",
            Self::Projection => "projection",
            Self::Gate => "gate",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// The linear layers of a block by their names in the file, `{}` for the block's number. If the file stores one of
/// our layers as several, each has a number.
pub fn module_paths(config: &ModelConfig) -> Vec<(Layer, &'static str, Option<usize>)> {
    match family(config) {
        Family::Gpt2 => vec![
            (Layer::Qkv, "transformer.h.{}.attn.c_attn", None),
            (Layer::Projection, "transformer.h.{}.attn.c_proj", None),
            (Layer::Up, "transformer.h.{}.mlp.c_fc", None),
            (Layer::Down, "transformer.h.{}.mlp.c_proj", None),
        ],
        Family::Llama => vec![
            (Layer::Qkv, "model.layers.{}.self_attn.q_proj", Some(0)),
            (Layer::Qkv, "model.layers.{}.self_attn.k_proj", Some(1)),
            (Layer::Qkv, "model.layers.{}.self_attn.v_proj", Some(2)),
            (Layer::Projection, "model.layers.{}.self_attn.o_proj", None),
            (Layer::Gate, "model.layers.{}.mlp.gate_proj", None),
            (Layer::Up, "model.layers.{}.mlp.up_proj", None),
            (Layer::Down, "model.layers.{}.mlp.down_proj", None),
        ],
        Family::Own => {
            let gate = (config.activation == Activation::Swiglu).then_some((
                Layer::Gate,
                "blocks.{}.gate",
                None,
            ));
            [
                (Layer::Qkv, "blocks.{}.qkv", None),
                (Layer::Projection, "blocks.{}.projection", None),
            ]
            .into_iter()
            .chain(gate)
            .chain([
                (Layer::Up, "blocks.{}.up", None),
                (Layer::Down, "blocks.{}.down", None),
            ])
            .collect()
        }
    }
}

/// Whether the file stores the weights of linear layers as `[in, out]` (GPT-2's `Conv1D`).
pub fn fan_in_fan_out(config: &ModelConfig) -> bool {
    family(config) == Family::Gpt2
}
