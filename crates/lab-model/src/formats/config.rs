//! `config.json` of a Hugging Face folder.

use super::tensors::WeightType;
use crate::layout::{Family, family};
use lab_protocol::{Activation, ErrorCode, LabError, ModelConfig, Norm, Position, text};
use serde_json::{Value, json};

/// The configuration of a model; `end_of_text` are the tokens that end its text.
pub fn write_config(
    config: &ModelConfig,
    vocabulary: usize,
    end_of_text: &[u32],
    kind: WeightType,
) -> Value {
    let end = one_or_all(end_of_text);
    match family(config) {
        Family::Gpt2 => json!({
            "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "dtype": kind.torch_name(),
            "vocab_size": vocabulary, "n_positions": config.context, "n_embd": config.width,
            "n_layer": config.layers, "n_head": config.heads, "n_inner": config.hidden_width(),
            "activation_function": match config.activation {
                Activation::GeluNew => "gelu_new",
                Activation::Relu => "relu",
                _ => "gelu",
            },
            "layer_norm_epsilon": config.norm_epsilon, "tie_word_embeddings": config.tied_head,
            "attn_pdrop": config.dropout, "embd_pdrop": config.dropout, "resid_pdrop": config.dropout,
            "initializer_range": 0.02, "bos_token_id": null, "eos_token_id": end,
        }),
        Family::Llama => json!({
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "dtype": kind.torch_name(),
            "vocab_size": vocabulary, "max_position_embeddings": config.context, "hidden_size": config.width,
            "num_hidden_layers": config.layers, "num_attention_heads": config.heads,
            "num_key_value_heads": config.key_value_heads(), "head_dim": config.head_width(),
            "intermediate_size": config.hidden_width(), "hidden_act": "silu", "rms_norm_eps": config.norm_epsilon,
            "rope_theta": config.rope_theta, "rope_parameters": {"rope_theta": config.rope_theta, "rope_type": "default"},
            "attention_bias": config.attention_bias(), "mlp_bias": config.mlp_bias(), "attention_dropout": config.dropout,
            "tie_word_embeddings": config.tied_head, "initializer_range": 0.02,
            "bos_token_id": null, "eos_token_id": end,
        }),
        Family::Own => {
            json!({"model_type": "llm-labs", "vocab_size": vocabulary, "model": config, "eos_token_id": end})
        }
    }
}

/// Ids in the form of `config.json`: null, one, or a list.
pub fn one_or_all(ids: &[u32]) -> Value {
    match ids {
        [] => Value::Null,
        [id] => json!(id),
        ids => json!(ids),
    }
}

/// Shape and vocabulary of a model from its `config.json`.
pub fn read_config(value: &Value) -> Result<(ModelConfig, usize), LabError> {
    let read = Reader { value };
    let config = match value["model_type"].as_str() {
        Some("gpt2") => gpt2(&read)?,
        Some("llama") => llama(&read)?,
        Some("llm-labs") => lab_protocol::from_value(value["model"].clone())?,
        other => return Err(read.unsupported("model_type", other.unwrap_or("missing"))),
    };
    config.validate()?;
    let vocabulary = read.size("vocab_size")?;
    if !(1..=MAX_VOCABULARY).contains(&vocabulary) {
        return Err(read.unsupported("vocab_size", &vocabulary.to_string()));
    }
    Ok((config, vocabulary))
}

/// Four times the vocabulary of the largest published models.
pub const MAX_VOCABULARY: usize = 1 << 20;

fn gpt2(read: &Reader<'_>) -> Result<ModelConfig, LabError> {
    // Settings that would change the attention, and that nobody trains with.
    if !read.flag("scale_attn_weights", true)? {
        return Err(read.unsupported("scale_attn_weights", "false"));
    }
    if read.flag("scale_attn_by_inverse_layer_idx", false)? {
        return Err(read.unsupported("scale_attn_by_inverse_layer_idx", "true"));
    }
    Ok(ModelConfig {
        layers: read.size("n_layer")?,
        heads: read.size("n_head")?,
        width: read.size("n_embd")?,
        hidden_width: read.size_or_zero("n_inner")?,
        context: read.size("n_positions")?,
        norm: Norm::LayerNorm,
        norm_epsilon: read.number("layer_norm_epsilon", 1e-5)?,
        position: Position::Learned,
        activation: match read.text("activation_function", "gelu_new")? {
            "gelu_new" | "gelu_pytorch_tanh" => Activation::GeluNew,
            "gelu" => Activation::Gelu,
            "relu" => Activation::Relu,
            other => return Err(read.unsupported("activation_function", other)),
        },
        bias: true,
        tied_head: read.flag("tie_word_embeddings", true)?,
        ..Default::default()
    })
}

fn llama(read: &Reader<'_>) -> Result<ModelConfig, LabError> {
    let activation = read.text("hidden_act", "silu")?;
    if activation != "silu" {
        return Err(read.unsupported("hidden_act", activation));
    }
    let attention_bias = read.flag("attention_bias", false)?;
    let mlp_bias = read.flag("mlp_bias", false)?;
    let (heads, width) = (read.size("num_attention_heads")?, read.size("hidden_size")?);
    let head_width = read.size_or_zero("head_dim")?;
    Ok(ModelConfig {
        layers: read.size("num_hidden_layers")?,
        heads,
        key_value_heads: read.size_or_zero("num_key_value_heads")?,
        head_width: own_head_width(head_width, heads, width),
        width,
        hidden_width: read.size("intermediate_size")?,
        context: read.size("max_position_embeddings")?,
        norm: Norm::RmsNorm,
        norm_epsilon: read.number("rms_norm_eps", 1e-6)?,
        position: Position::Rope,
        rope_theta: rope_theta(read)?,
        activation: Activation::Swiglu,
        bias: attention_bias,
        attention_bias: None,
        mlp_bias: (mlp_bias != attention_bias).then_some(mlp_bias),
        tied_head: read.flag("tie_word_embeddings", false)?,
        dropout: 0.0,
    })
}

/// A head's width, or 0 if it follows from the other sizes.
pub fn own_head_width(head_width: usize, heads: usize, width: usize) -> usize {
    if head_width.checked_mul(heads) == Some(width) {
        0
    } else {
        head_width
    }
}

/// The base of the rotary angles, at the top (transformers 4) or inside `rope_parameters` (5). Scaled angles, as in
/// Llama 3, are refused.
fn rope_theta(read: &Reader<'_>) -> Result<f64, LabError> {
    let mut theta = read.number("rope_theta", 10_000.0)?;
    for key in ["rope_parameters", "rope_scaling"] {
        let inner = Reader {
            value: &read.value[key],
        };
        if inner.value.is_null() {
            continue;
        }
        for name in ["rope_type", "type"] {
            let kind = inner.text(name, "default").map_err(|error| error.at(key))?;
            if kind != "default" {
                return Err(LabError::new(
                    ErrorCode::InvalidCheckpoint,
                    text!(
                        "config.json asks for rotary angles of the kind {kind}",
                        kind = format!("{kind:?}"),
                    ),
                    "Use a model with the usual angles (rope_type \"default\"): stretched ones are not supported.",
                )
                .at(key));
            }
        }
        theta = inner
            .number("rope_theta", theta)
            .map_err(|error| error.at(key))?;
        if inner.number("partial_rotary_factor", 1.0)? != 1.0 {
            return Err(inner
                .unsupported("partial_rotary_factor", "less than 1")
                .at(key));
        }
    }
    Ok(theta)
}

struct Reader<'a> {
    value: &'a Value,
}

impl<'a> Reader<'a> {
    fn size(&self, key: &str) -> Result<usize, LabError> {
        let found = self.value[key]
            .as_u64()
            .and_then(|n| usize::try_from(n).ok());
        found.ok_or_else(|| self.unsupported(key, &self.value[key].to_string()))
    }

    /// A size; 0 if it is absent and follows from others.
    fn size_or_zero(&self, key: &str) -> Result<usize, LabError> {
        match &self.value[key] {
            Value::Null => Ok(0),
            _ => self.size(key),
        }
    }

    fn flag(&self, key: &str, default: bool) -> Result<bool, LabError> {
        match &self.value[key] {
            Value::Null => Ok(default),
            value => value
                .as_bool()
                .ok_or_else(|| self.unsupported(key, &value.to_string())),
        }
    }

    fn number(&self, key: &str, default: f64) -> Result<f64, LabError> {
        match &self.value[key] {
            Value::Null => Ok(default),
            value => value
                .as_f64()
                .ok_or_else(|| self.unsupported(key, &value.to_string())),
        }
    }

    fn text(&self, key: &str, default: &'a str) -> Result<&'a str, LabError> {
        match &self.value[key] {
            Value::Null => Ok(default),
            value => value
                .as_str()
                .ok_or_else(|| self.unsupported(key, &value.to_string())),
        }
    }

    fn unsupported(&self, key: &str, found: &str) -> LabError {
        LabError::new(
            ErrorCode::InvalidCheckpoint,
            text!(
                "config.json has {key} = {found}, which this model cannot have",
                key,
                found
            ),
            "GPT-2 and Llama models can be read.",
        )
        .at(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn llama_config(change: impl Fn(&mut Value)) -> Result<ModelConfig, LabError> {
        let mut value = json!({
            "model_type": "llama", "vocab_size": 9, "num_hidden_layers": 1, "num_attention_heads": 2,
            "hidden_size": 8, "intermediate_size": 12, "max_position_embeddings": 16
        });
        change(&mut value);
        read_config(&value).map(|(config, _)| config)
    }

    #[test]
    fn the_rotary_base_is_read_from_either_place() {
        let top = llama_config(|v| v["rope_theta"] = json!(5e5)).unwrap();
        assert_eq!(top.rope_theta, 5e5);
        let inside = llama_config(|v| v["rope_parameters"] = json!({"rope_theta": 1e5})).unwrap();
        assert_eq!(inside.rope_theta, 1e5);
        assert_eq!(llama_config(|_| {}).unwrap().rope_theta, 1e4);
    }

    #[test]
    fn stretched_angles_are_refused() {
        for (key, scaling) in [
            (
                "rope_scaling",
                json!({"rope_type": "llama3", "factor": 8.0}),
            ),
            ("rope_scaling", json!({"type": "linear", "factor": 2.0})),
            (
                "rope_parameters",
                json!({"rope_theta": 5e5, "rope_type": "yarn"}),
            ),
        ] {
            let error = llama_config(|v| v[key] = scaling.clone()).unwrap_err();
            assert_eq!(error.field.as_deref(), Some(key), "{error}");
        }
        assert!(llama_config(|v| v["rope_scaling"] = Value::Null).is_ok());
    }

    #[test]
    fn a_head_may_be_wider_and_biases_apart() {
        let config = llama_config(|v| {
            v["head_dim"] = json!(6);
            v["num_key_value_heads"] = json!(2);
            v["mlp_bias"] = json!(true);
        })
        .unwrap();
        assert_eq!(config.query_width(), 12);
        assert!(config.mlp_bias() && !config.attention_bias());
        let written = write_config(&config, 9, &[3], WeightType::F32);
        assert_eq!(read_config(&written).unwrap(), (config, 9));
        assert_eq!(written["eos_token_id"], 3);
    }
}
