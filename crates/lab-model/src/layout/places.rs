//! The places of a model's weights in the files of its family.

use super::family::{Family, family};
use super::weights::weight_shapes;
use lab_protocol::ModelConfig;

/// One weight of ours and its place in the file.
pub struct Place {
    pub ours: String,
    /// Shape of ours: `[in, out]`, or `[out]`.
    pub shape: Vec<usize>,
    /// Names in the file and their widths, side by side along the last dimension of ours.
    pub theirs: Vec<(String, usize)>,
    /// Whether the file has `[out, in]`.
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

/// The place of each weight of a model in a file of its family.
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

/// GPT-2's files always have biases: biases that a model was trained without are 0.
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
