//! A Llama model in a GGUF file: its shape, and its tensors under Hugging Face's names and in their order.

use super::file::{Gguf, Value};
use super::tokenizer;
use crate::formats::config::{MAX_VOCABULARY, own_head_width};
use crate::formats::tensors::{FileTensors, unreadable};
use crate::tokenizer::Tokenizer;
use lab_protocol::{Activation, LabError, ModelConfig, Norm, Position, text};

/// The metadata of a file.
pub struct GgufModel {
    pub shape: ModelConfig,
    pub vocabulary: usize,
    /// `None` if the file has a tokenizer of a kind that cannot be read.
    pub tokenizer: Option<Tokenizer>,
    /// The equivalent of a `tokenizer_config.json`.
    pub tokenizer_config: serde_json::Value,
    pub end_of_text: Vec<u32>,
}

/// Reads a model of the architecture `llama`, but not its tensors.
pub fn read_model(bytes: &[u8]) -> Result<GgufModel, LabError> {
    let file = Gguf::read(bytes)?;
    let (shape, vocabulary) = read_shape(&file)?;
    let tokenizer = tokenizer::read(&file, vocabulary)?;
    Ok(GgufModel {
        shape,
        vocabulary,
        tokenizer: tokenizer.tokenizer,
        tokenizer_config: tokenizer.config,
        end_of_text: tokenizer.end_of_text,
    })
}

/// The tensors of a model's file, under Hugging Face's names.
pub fn read_tensors(bytes: &[u8]) -> Result<FileTensors<'_>, LabError> {
    let mut file = Gguf::read(bytes)?;
    let (shape, _) = read_shape(&file)?;
    Ok(renamed(std::mem::take(&mut file.tensors), &shape))
}

fn read_shape(file: &Gguf<'_>) -> Result<(ModelConfig, usize), LabError> {
    let architecture = file.text("general.architecture").unwrap_or("none");
    if architecture != "llama" {
        return Err(unreadable(text!(
            "the file is not a readable GGUF file: its architecture is {architecture}, and llama can be read",
            architecture
        )));
    }
    let maybe = |key: &str| -> Result<Option<usize>, LabError> {
        let key = format!("llama.{key}");
        match (file.value(&key), file.whole(&key)) {
            (None, _) => Ok(None),
            (Some(value), number) => number
                .and_then(|n| usize::try_from(n).ok())
                .map(Some)
                .ok_or_else(|| {
                    unreadable(text!(
                        "the file is not a readable GGUF file: {key} is {value}",
                        key,
                        value = format!("{value:?}")
                    ))
                }),
        }
    };
    let size = |key: &str| {
        maybe(key)?.ok_or_else(|| {
            unreadable(text!(
                "the file is not a readable GGUF file: it has no llama.{key}",
                key
            ))
        })
    };
    let number = |key: &str, default: f64| match file.value(&format!("llama.{key}")) {
        None => Ok(default),
        // The shortest decimal whose nearest f32 is the one in the file.
        Some(Value::Float(number)) => Ok((number as f32).to_string().parse().unwrap_or(number)),
        Some(other) => Err(unreadable(text!(
            "the file is not a readable GGUF file: llama.{key} is {value}",
            key,
            value = format!("{other:?}")
        ))),
    };
    if maybe("expert_count")?.is_some_and(|experts| experts > 0) {
        return Err(unreadable(
            "the file is not a readable GGUF file: it is a mixture of experts, which is not supported",
        ));
    }
    let scaling = file.text("llama.rope.scaling.type").unwrap_or("none");
    if scaling != "none" || file.tensors.contains_key("rope_freqs.weight") {
        return Err(unreadable(
            "the file is not a readable GGUF file: its rotary angles are stretched, which is not supported",
        ));
    }
    let (heads, width) = (size("attention.head_count")?, size("embedding_length")?);
    let head_width = maybe("attention.key_length")?.or(maybe("rope.dimension_count")?);
    let head_width = head_width.unwrap_or(0);
    if maybe("rope.dimension_count")?.is_some_and(|turned| turned != head_width) {
        return Err(unreadable(
            "the file is not a readable GGUF file: only a part of each head is turned, which is not supported",
        ));
    }
    let has = |name: &str| file.tensors.contains_key(name);
    let attention_bias = has("blk.0.attn_q.bias");
    let mlp_bias = has("blk.0.ffn_up.bias");
    let shape = ModelConfig {
        layers: size("block_count")?,
        heads,
        key_value_heads: maybe("attention.head_count_kv")?.unwrap_or(0),
        head_width: own_head_width(head_width, heads, width),
        width,
        hidden_width: size("feed_forward_length")?,
        context: size("context_length")?,
        norm: Norm::RmsNorm,
        norm_epsilon: number("attention.layer_norm_rms_epsilon", 1e-5)?,
        position: Position::Rope,
        rope_theta: number("rope.freq_base", 10_000.0)?,
        activation: Activation::Swiglu,
        bias: attention_bias,
        attention_bias: None,
        mlp_bias: (mlp_bias != attention_bias).then_some(mlp_bias),
        tied_head: !has("output.weight"),
        dropout: 0.0,
    };
    shape.validate()?;
    let embedding = file.tensors.get("token_embd.weight");
    let vocabulary = embedding.and_then(|tensor| tensor.shape().first()).copied();
    let vocabulary = vocabulary.ok_or_else(|| {
        unreadable("the file is not a readable GGUF file: token_embd.weight is missing")
    })?;
    if !(1..=MAX_VOCABULARY).contains(&vocabulary) {
        return Err(unreadable(text!(
            "the file is not a readable GGUF file: its vocabulary has {vocabulary} entries",
            vocabulary
        )));
    }
    Ok((shape, vocabulary))
}

/// The tensors under Hugging Face's names, the rows of queries and keys in its order.
fn renamed<'a>(tensors: FileTensors<'a>, shape: &ModelConfig) -> FileTensors<'a> {
    let mut renamed = FileTensors::new();
    for (name, tensor) in tensors {
        let turned = name.contains(".attn_q.") || name.contains(".attn_k.");
        let tensor = if turned {
            tensor.interleaved(shape.head_width())
        } else {
            tensor
        };
        renamed.insert(hugging_face_name(&name), tensor);
    }
    renamed
}

fn hugging_face_name(name: &str) -> String {
    match name {
        "token_embd.weight" => "model.embed_tokens.weight".into(),
        "output_norm.weight" => "model.norm.weight".into(),
        "output.weight" => "lm_head.weight".into(),
        _ => name
            .replace("blk.", "model.layers.")
            .replace(".attn_norm.", ".input_layernorm.")
            .replace(".ffn_norm.", ".post_attention_layernorm.")
            .replace(".attn_q.", ".self_attn.q_proj.")
            .replace(".attn_k.", ".self_attn.k_proj.")
            .replace(".attn_v.", ".self_attn.v_proj.")
            .replace(".attn_output.", ".self_attn.o_proj.")
            .replace(".ffn_gate.", ".mlp.gate_proj.")
            .replace(".ffn_up.", ".mlp.up_proj.")
            .replace(".ffn_down.", ".mlp.down_proj."),
    }
}
