//! What a model's weights are called, and which shapes they have: by our names, and by those of files. GPT-2's
//! for LayerNorm, learned positions and GELU; Llama's for RMSNorm, rotary positions and SwiGLU; our own for
//! what neither can express.

use crate::adapter::Layer;
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

/// The linear layers of a block under the names that the file has for them, `{}` for the block's number;
/// where a layer of ours is several in the file, the number of each.
pub(crate) fn module_paths(config: &ModelConfig) -> Vec<(Layer, &'static str, Option<usize>)> {
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

/// Whether the file has the weights of linear layers as `[in, out]` (GPT-2's `Conv1D`).
pub(super) fn fan_in_fan_out(config: &ModelConfig) -> bool {
    family(config) == Family::Gpt2
}

/// Names and shapes of all weights of a model, by our names. Those of [`crate::decoder::Decoder`], without
/// making one.
pub fn weight_shapes(config: &ModelConfig, vocabulary: usize) -> Vec<(String, Vec<usize>)> {
    let (width, hidden) = (config.width, config.hidden_width());
    let queries = config.query_width();
    let packed = queries + 2 * config.key_value_width();
    let mut shapes = vec![("token_embedding".to_owned(), vec![vocabulary, width])];
    if config.position == Position::Learned {
        shapes.push(("position_embedding".to_owned(), vec![config.context, width]));
    }
    let norm_bias = config.bias && config.norm == Norm::LayerNorm;
    let norm = |shapes: &mut Vec<(String, Vec<usize>)>, name: &str| {
        shapes.push((format!("{name}.weight"), vec![width]));
        if norm_bias {
            shapes.push((format!("{name}.bias"), vec![width]));
        }
    };
    let linear = |shapes: &mut Vec<(String, Vec<usize>)>, name: &str, dims: [usize; 2], bias| {
        shapes.push((format!("{name}.weight"), dims.to_vec()));
        if bias {
            shapes.push((format!("{name}.bias"), vec![dims[1]]));
        }
    };
    let (attention_bias, mlp_bias) = (config.attention_bias(), config.mlp_bias());
    for layer in 0..config.layers {
        let name = |part: &str| format!("blocks.{layer}.{part}");
        norm(&mut shapes, &name("attention_norm"));
        linear(&mut shapes, &name("qkv"), [width, packed], attention_bias);
        linear(
            &mut shapes,
            &name("projection"),
            [queries, width],
            attention_bias,
        );
        norm(&mut shapes, &name("mlp_norm"));
        if config.activation == Activation::Swiglu {
            linear(&mut shapes, &name("gate"), [width, hidden], mlp_bias);
        }
        linear(&mut shapes, &name("up"), [width, hidden], mlp_bias);
        linear(&mut shapes, &name("down"), [hidden, width], mlp_bias);
    }
    norm(&mut shapes, "norm");
    if !config.tied_head {
        shapes.push(("head".to_owned(), vec![width, vocabulary]));
    }
    shapes
}

/// One weight of ours and where it is in the file.
pub struct Place {
    pub ours: String,
    /// Shape of ours: `[in, out]`, or `[out]`.
    pub shape: Vec<usize>,
    /// Names in the file and their widths, side by side along the last dimension of ours.
    pub theirs: Vec<(String, usize)>,
    /// The file has `[out, in]`.
    pub transposed: bool,
}

impl Place {
    /// The shape in the file of a part of this width.
    pub fn file_shape(&self, width: usize) -> Vec<usize> {
        match self.shape[..] {
            [rows, _] if self.transposed => vec![width, rows],
            [rows, _] => vec![rows, width],
            _ => vec![width],
        }
    }
}

/// Where each weight of a model is in a file of its family.
pub fn places(config: &ModelConfig, vocabulary: usize) -> Vec<Place> {
    let family = family(config);
    weight_shapes(&with_biases(config, family), vocabulary)
        .into_iter()
        .map(|(ours, shape)| {
            let width = shape.last().copied().unwrap_or(0);
            let theirs = match family {
                Family::Own => vec![(ours.clone(), width)],
                Family::Gpt2 => vec![(gpt2_name(&ours), width)],
                Family::Llama => llama_names(config, &ours, width),
            };
            Place {
                transposed: family == Family::Llama
                    && shape.len() == 2
                    && ours != "token_embedding"
                    || family == Family::Gpt2 && ours == "head",
                ours,
                shape,
                theirs,
            }
        })
        .collect()
}

/// GPT-2's files always have biases: those a model was trained without are 0.
fn with_biases(config: &ModelConfig, family: Family) -> ModelConfig {
    ModelConfig {
        bias: config.bias || family == Family::Gpt2,
        attention_bias: config.attention_bias.filter(|_| family != Family::Gpt2),
        mlp_bias: config.mlp_bias.filter(|_| family != Family::Gpt2),
        ..config.clone()
    }
}

fn gpt2_name(ours: &str) -> String {
    match ours {
        "token_embedding" => "transformer.wte.weight".into(),
        "position_embedding" => "transformer.wpe.weight".into(),
        "norm.weight" => "transformer.ln_f.weight".into(),
        "norm.bias" => "transformer.ln_f.bias".into(),
        "head" => "lm_head.weight".into(),
        _ => {
            let name = ours
                .replace("blocks.", "transformer.h.")
                .replace(".attention_norm.", ".ln_1.")
                .replace(".mlp_norm.", ".ln_2.")
                .replace(".qkv.", ".attn.c_attn.")
                .replace(".projection.", ".attn.c_proj.")
                .replace(".up.", ".mlp.c_fc.");
            name.replace(".down.", ".mlp.c_proj.")
        }
    }
}

fn llama_names(config: &ModelConfig, ours: &str, width: usize) -> Vec<(String, usize)> {
    let name = match ours {
        "token_embedding" => "model.embed_tokens.weight".into(),
        "norm.weight" => "model.norm.weight".into(),
        "head" => "lm_head.weight".into(),
        _ => ours
            .replace("blocks.", "model.layers.")
            .replace(".attention_norm.", ".input_layernorm.")
            .replace(".mlp_norm.", ".post_attention_layernorm.")
            .replace(".projection.", ".self_attn.o_proj.")
            .replace(".gate.", ".mlp.gate_proj.")
            .replace(".up.", ".mlp.up_proj.")
            .replace(".down.", ".mlp.down_proj."),
    };
    if !name.contains(".qkv.") {
        return vec![(name, width)];
    }
    let keys = config.key_value_width();
    [("q", config.query_width()), ("k", keys), ("v", keys)]
        .map(|(part, width)| {
            (
                name.replace(".qkv.", &format!(".self_attn.{part}_proj.")),
                width,
            )
        })
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decoder::Decoder;
    use crate::parameters;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn the_shapes_are_those_of_the_decoder(
            layer_norm: bool, learned: bool, activation in 0usize..4, bias: bool, attention in 0usize..3,
            mlp in 0usize..3, tied_head: bool, head_width in 0usize..2, key_value_heads in 0usize..2,
        ) {
            let flag = |choice: usize| [None, Some(false), Some(true)][choice];
            let config = ModelConfig {
                layers: 2, heads: 2, key_value_heads, head_width: 6 * head_width, width: 8, context: 5,
                norm: if layer_norm { Norm::LayerNorm } else { Norm::RmsNorm },
                position: if learned { Position::Learned } else { Position::Rope },
                activation: [Activation::Gelu, Activation::GeluNew, Activation::Relu, Activation::Swiglu][activation],
                bias, attention_bias: flag(attention), mlp_bias: flag(mlp), tied_head,
                ..Default::default()
            };
            let device = burn::tensor::Device::flex();
            let found = parameters::shapes(&Decoder::new(&config, 11, 0, &device));
            prop_assert_eq!(weight_shapes(&config, 11), found);
        }
    }
}
