//! Hugging Face folders: GPT-2's layout for LayerNorm, learned positions and GELU; Llama's for RMSNorm,
//! rotary positions and SwiGLU; a layout of our own, by our own names, for what neither can express.

use super::safetensors;
use crate::adapter::Layer;
use crate::parameters::{HostTensor, HostTensors};
use crate::tokenizer::Tokenizer;
use lab_protocol::{Activation, ErrorCode, LabError, ModelConfig, ModelFile, Norm, Position};
use serde_json::{Value, json};
use std::collections::HashMap;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Family {
    Gpt2,
    Llama,
    Own,
}

fn family(config: &ModelConfig) -> Family {
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

/// The folder of a model: `config.json`, `model.safetensors`, `tokenizer.json`, `generation_config.json`.
pub fn model_folder(
    config: &ModelConfig,
    tokenizer: &Tokenizer,
    weights: &HostTensors,
) -> Result<Vec<ModelFile>, LabError> {
    let vocabulary = tokenizer.vocabulary();
    let tensors = rename_weights(config, weights)?;
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    Ok(vec![
        json_file("config.json", &write_config(config, vocabulary)),
        ModelFile {
            path: "model.safetensors".into(),
            bytes: safetensors::write(&tensors, metadata)?,
        },
        json_file("tokenizer.json", &tokenizer.to_json()),
        json_file(
            "generation_config.json",
            &json!({"do_sample": true, "max_length": config.context}),
        ),
    ])
}

pub(super) fn json_file(path: &str, value: &Value) -> ModelFile {
    ModelFile {
        path: path.into(),
        bytes: format!("{value:#}\n").into_bytes(),
    }
}

fn write_config(config: &ModelConfig, vocabulary: usize) -> Value {
    match family(config) {
        Family::Gpt2 => json!({
            "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "dtype": "float32",
            "vocab_size": vocabulary, "n_positions": config.context, "n_embd": config.width,
            "n_layer": config.layers, "n_head": config.heads, "n_inner": config.hidden_width(),
            "activation_function": match config.activation {
                Activation::GeluNew => "gelu_new",
                Activation::Relu => "relu",
                _ => "gelu",
            },
            "layer_norm_epsilon": config.norm_epsilon, "tie_word_embeddings": config.tied_head,
            "attn_pdrop": config.dropout, "embd_pdrop": config.dropout, "resid_pdrop": config.dropout,
            "initializer_range": 0.02, "bos_token_id": null, "eos_token_id": null,
        }),
        Family::Llama => json!({
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "dtype": "float32",
            "vocab_size": vocabulary, "max_position_embeddings": config.context, "hidden_size": config.width,
            "num_hidden_layers": config.layers, "num_attention_heads": config.heads,
            "num_key_value_heads": config.key_value_heads(), "head_dim": config.head_width(),
            "intermediate_size": config.hidden_width(), "hidden_act": "silu", "rms_norm_eps": config.norm_epsilon,
            "rope_theta": config.rope_theta, "rope_parameters": {"rope_theta": config.rope_theta, "rope_type": "default"},
            "attention_bias": config.attention_bias(), "mlp_bias": config.mlp_bias(), "attention_dropout": 0.0,
            "tie_word_embeddings": config.tied_head, "initializer_range": 0.02,
            "bos_token_id": null, "eos_token_id": null,
        }),
        Family::Own => json!({"model_type": "llm-labs", "vocab_size": vocabulary, "model": config}),
    }
}

/// Shape and vocabulary of a model from its `config.json`.
pub fn read_config(value: &Value) -> Result<(ModelConfig, usize), LabError> {
    let read = Reader { value };
    let config = match value["model_type"].as_str() {
        Some("gpt2") => ModelConfig {
            layers: read.size("n_layer")?,
            heads: read.size("n_head")?,
            width: read.size("n_embd")?,
            hidden_width: read.size_or_zero("n_inner")?,
            context: read.size("n_positions")?,
            norm: Norm::LayerNorm,
            norm_epsilon: read.number("layer_norm_epsilon", 1e-5)?,
            position: Position::Learned,
            activation: match value["activation_function"].as_str().unwrap_or("gelu_new") {
                "gelu_new" | "gelu_pytorch_tanh" => Activation::GeluNew,
                "gelu" => Activation::Gelu,
                "relu" => Activation::Relu,
                other => return Err(read.unsupported("activation_function", other)),
            },
            bias: true,
            tied_head: read.flag("tie_word_embeddings", true)?,
            ..Default::default()
        },
        Some("llama") => {
            let activation = value["hidden_act"].as_str().unwrap_or("silu");
            if activation != "silu" {
                return Err(read.unsupported("hidden_act", activation));
            }
            let rope = Reader {
                value: if value["rope_parameters"].is_object() {
                    &value["rope_parameters"]
                } else {
                    value
                },
            };
            let attention_bias = read.flag("attention_bias", false)?;
            let mlp_bias = read.flag("mlp_bias", false)?;
            ModelConfig {
                layers: read.size("num_hidden_layers")?,
                heads: read.size("num_attention_heads")?,
                key_value_heads: read.size_or_zero("num_key_value_heads")?,
                head_width: read.size_or_zero("head_dim")?,
                width: read.size("hidden_size")?,
                hidden_width: read.size("intermediate_size")?,
                context: read.size("max_position_embeddings")?,
                norm: Norm::RmsNorm,
                norm_epsilon: read.number("rms_norm_eps", 1e-6)?,
                position: Position::Rope,
                rope_theta: rope.number("rope_theta", 10_000.0)?,
                activation: Activation::Swiglu,
                bias: attention_bias,
                attention_bias: None,
                mlp_bias: (mlp_bias != attention_bias).then_some(mlp_bias),
                tied_head: read.flag("tie_word_embeddings", false)?,
                dropout: 0.0,
            }
        }
        Some("llm-labs") => lab_protocol::from_value(value["model"].clone())?,
        other => return Err(read.unsupported("model_type", other.unwrap_or("missing"))),
    };
    config.validate()?;
    Ok((config, read.size("vocab_size")?))
}

struct Reader<'a> {
    value: &'a Value,
}

impl Reader<'_> {
    fn size(&self, key: &str) -> Result<usize, LabError> {
        let found = self.value[key]
            .as_u64()
            .and_then(|n| usize::try_from(n).ok());
        found.ok_or_else(|| self.unsupported(key, &self.value[key].to_string()))
    }

    /// A size whose absence means that it follows from others.
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

    fn unsupported(&self, key: &str, found: &str) -> LabError {
        LabError::new(
            ErrorCode::InvalidCheckpoint,
            format!("config.json has {key} = {found}, which this model cannot have"),
            "GPT-2 and Llama models can be read.",
        )
        .at(key)
    }
}

/// One weight of ours and where it is in the file: `theirs` side by side along the output, each
/// transposed if the file has `[out, in]`.
struct Place {
    ours: String,
    theirs: Vec<(String, usize)>,
    transposed: bool,
}

/// Tensors by our names, e.g. weights or gradients, under the names that the file has for them.
pub fn rename_weights(
    config: &ModelConfig,
    weights: &HostTensors,
) -> Result<HostTensors, LabError> {
    let family = family(config);
    if family == Family::Own {
        return Ok(weights.clone());
    }
    let mut file = HostTensors::new();
    for Place {
        ours,
        theirs,
        transposed,
    } in places(config, family)
    {
        let missing = || LabError::internal(format!("the model has no weight {ours}"));
        let total: usize = theirs.iter().map(|(_, width)| width).sum();
        let tensor = match weights.get(&ours) {
            Some(tensor) => tensor.clone(),
            // GPT-2 always has biases: those a model was trained without are 0.
            None if ours.ends_with("bias") => HostTensor {
                shape: vec![total],
                values: vec![0.0; total],
            },
            None => return Err(missing()),
        };
        let mut start = 0;
        for (name, width) in theirs {
            let part = columns(&tensor, start, width);
            file.insert(name, if transposed { transpose(&part) } else { part });
            start += width;
        }
    }
    Ok(file)
}

/// Our weights from a file's, by the family's names. What is missing, surplus or mis-shaped is found by
/// [`crate::parameters::from_host`], which knows the model.
pub fn read_weights(config: &ModelConfig, bytes: &[u8]) -> Result<HostTensors, LabError> {
    let (mut file, _) = safetensors::read(bytes)?;
    let family = family(config);
    if family == Family::Own {
        return Ok(file);
    }
    // GPT-2 files come with and without this prefix.
    let unprefixed: Vec<String> = file
        .keys()
        .filter(|k| {
            family == Family::Gpt2 && !k.starts_with("transformer.") && *k != "lm_head.weight"
        })
        .cloned()
        .collect();
    for name in unprefixed {
        if let Some(tensor) = file.remove(&name) {
            file.insert(format!("transformer.{name}"), tensor);
        }
    }
    let mut ours = HostTensors::new();
    let mut faults = Vec::new();
    for place in places(config, family) {
        let mut parts = Vec::new();
        for (name, _) in &place.theirs {
            match file.remove(name) {
                Some(tensor) => parts.push(if place.transposed {
                    transpose(&tensor)
                } else {
                    tensor
                }),
                None => faults.push(format!("{name} is missing")),
            }
        }
        if parts.len() == place.theirs.len() {
            match concatenate(parts) {
                Some(tensor) => drop(ours.insert(place.ours, tensor)),
                None => faults.push(format!(
                    "{} do not fit together",
                    place
                        .theirs
                        .iter()
                        .map(|(n, _)| n.as_str())
                        .collect::<Vec<_>>()
                        .join(", ")
                )),
            }
        }
    }
    // A tied head may be in the file a second time; masks are no weights.
    let known = |name: &str| {
        (config.tied_head && name == "lm_head.weight")
            || name.ends_with(".attn.bias")
            || name.ends_with(".attn.masked_bias")
            || name.ends_with("rotary_emb.inv_freq")
    };
    faults.extend(
        file.keys()
            .filter(|name| !known(name))
            .map(|name| format!("{name} is not a weight of this model")),
    );
    if faults.is_empty() {
        return Ok(ours);
    }
    Err(LabError::new(
        ErrorCode::InvalidCheckpoint,
        format!("the weights do not fit config.json: {}", faults.join("; ")),
        "Use the config.json that belongs to the weights.",
    ))
}

fn places(config: &ModelConfig, family: Family) -> Vec<Place> {
    let mut places = Vec::new();
    let mut put = |ours: String, theirs: Vec<(String, usize)>, transposed: bool| {
        places.push(Place {
            ours,
            theirs,
            transposed,
        })
    };
    let one = |name: String, width: usize| vec![(name, width)];
    let width = config.width;
    let hidden = config.hidden_width();
    let queries = config.query_width();
    let keys = config.key_value_width();
    if family == Family::Gpt2 {
        put(
            "token_embedding".into(),
            one("transformer.wte.weight".into(), width),
            false,
        );
        put(
            "position_embedding".into(),
            one("transformer.wpe.weight".into(), width),
            false,
        );
        for layer in 0..config.layers {
            let parts = [
                ("attention_norm", "ln_1", width),
                ("qkv", "attn.c_attn", 3 * width),
                ("projection", "attn.c_proj", width),
                ("mlp_norm", "ln_2", width),
                ("up", "mlp.c_fc", hidden),
                ("down", "mlp.c_proj", width),
            ];
            for (ours, theirs, width) in parts {
                for part in ["weight", "bias"] {
                    put(
                        format!("blocks.{layer}.{ours}.{part}"),
                        one(format!("transformer.h.{layer}.{theirs}.{part}"), width),
                        false,
                    );
                }
            }
        }
        put(
            "norm.weight".into(),
            one("transformer.ln_f.weight".into(), width),
            false,
        );
        put(
            "norm.bias".into(),
            one("transformer.ln_f.bias".into(), width),
            false,
        );
    } else {
        put(
            "token_embedding".into(),
            one("model.embed_tokens.weight".into(), width),
            false,
        );
        for layer in 0..config.layers {
            let theirs = |name: &str, part: &str| format!("model.layers.{layer}.{name}.{part}");
            put(
                format!("blocks.{layer}.attention_norm.weight"),
                one(theirs("input_layernorm", "weight"), width),
                false,
            );
            put(
                format!("blocks.{layer}.mlp_norm.weight"),
                one(theirs("post_attention_layernorm", "weight"), width),
                false,
            );
            let parts = |bias: bool| {
                if bias {
                    &["weight", "bias"][..]
                } else {
                    &["weight"]
                }
            };
            for &part in parts(config.attention_bias()) {
                let transposed = part == "weight";
                let qkv = [("q", queries), ("k", keys), ("v", keys)]
                    .map(|(n, w)| (theirs(&format!("self_attn.{n}_proj"), part), w));
                put(
                    format!("blocks.{layer}.qkv.{part}"),
                    qkv.to_vec(),
                    transposed,
                );
                put(
                    format!("blocks.{layer}.projection.{part}"),
                    one(theirs("self_attn.o_proj", part), width),
                    transposed,
                );
            }
            for &part in parts(config.mlp_bias()) {
                let transposed = part == "weight";
                put(
                    format!("blocks.{layer}.gate.{part}"),
                    one(theirs("mlp.gate_proj", part), hidden),
                    transposed,
                );
                put(
                    format!("blocks.{layer}.up.{part}"),
                    one(theirs("mlp.up_proj", part), hidden),
                    transposed,
                );
                put(
                    format!("blocks.{layer}.down.{part}"),
                    one(theirs("mlp.down_proj", part), width),
                    transposed,
                );
            }
        }
        put(
            "norm.weight".into(),
            one("model.norm.weight".into(), width),
            false,
        );
    }
    if !config.tied_head {
        // The width is the vocabulary, which only a whole tensor is taken of.
        put(
            "head".into(),
            one("lm_head.weight".into(), usize::MAX),
            true,
        );
    }
    places
}

/// Columns `start..start + width` of a matrix, or elements of a vector; the whole where it is not wider.
fn columns(tensor: &HostTensor, start: usize, width: usize) -> HostTensor {
    let total = tensor.shape.last().copied().unwrap_or(0);
    if start == 0 && width >= total {
        return tensor.clone();
    }
    let values = tensor
        .values
        .chunks(total)
        .flat_map(|row| row[start..start + width].iter().copied())
        .collect();
    let mut shape = tensor.shape.clone();
    if let Some(last) = shape.last_mut() {
        *last = width;
    }
    HostTensor { shape, values }
}

pub(super) fn transpose(tensor: &HostTensor) -> HostTensor {
    let [rows, columns] = tensor.shape[..] else {
        return tensor.clone();
    };
    let values = (0..rows * columns)
        .map(|i| tensor.values[i % rows * columns + i / rows])
        .collect();
    HostTensor {
        shape: vec![columns, rows],
        values,
    }
}

/// Matrices of as many rows, or vectors, side by side; `None` where they do not fit.
fn concatenate(parts: Vec<HostTensor>) -> Option<HostTensor> {
    let [first, ..] = &parts[..] else { return None };
    if parts.len() == 1 {
        return parts.into_iter().next();
    }
    let rows = if first.shape.len() == 2 {
        first.shape[0]
    } else {
        1
    };
    let fits = |part: &HostTensor| {
        part.shape.len() == first.shape.len()
            && (part.shape.len() == 1 || (part.shape.len() == 2 && part.shape[0] == rows))
    };
    if !parts.iter().all(fits) {
        return None;
    }
    let widths: Vec<usize> = parts
        .iter()
        .map(|part| part.values.len() / rows.max(1))
        .collect();
    let mut values = Vec::with_capacity(parts.iter().map(|part| part.values.len()).sum());
    for row in 0..rows {
        for (part, width) in parts.iter().zip(&widths) {
            values.extend_from_slice(&part.values[row * width..(row + 1) * width]);
        }
    }
    let total = widths.iter().sum();
    let shape = if first.shape.len() == 2 {
        vec![rows, total]
    } else {
        vec![total]
    };
    Some(HostTensor { shape, values })
}
