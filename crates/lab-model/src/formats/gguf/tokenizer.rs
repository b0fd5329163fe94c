//! The tokenizer in a GGUF file as a `tokenizer.json`: byte-level pairs (`gpt2`) with the pre-tokenizers of GPT-2,
//! SmolLM and Llama 3.

use super::file::{Gguf, Value};
use crate::formats::tensors::unreadable;
use crate::tokenizer::{END_OF_TEXT, Tokenizer};
use lab_protocol::{LabError, text};
use serde_json::{Map, Value as Json, json};

/// The metadata about text.
pub struct GgufTokenizer {
    pub tokenizer: Option<Tokenizer>,
    pub config: Json,
    pub end_of_text: Vec<u32>,
}

/// llama.cpp's kinds of tokens that are matched in a text before it is split.
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;

/// Llama 3's pattern.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Reads the tokenizer; `None` if the file has none, or one of another kind.
pub fn read(file: &Gguf<'_>, vocabulary: usize) -> Result<GgufTokenizer, LabError> {
    let tokens: Vec<&str> = file
        .array("tokenizer.ggml.tokens")
        .map(|tokens| tokens.texts().collect())
        .unwrap_or_default();
    if tokens.len() > vocabulary {
        let (tokens, rows) = (tokens.len(), vocabulary);
        return Err(unreadable(text!(
            "the file is not a readable GGUF file: it has {tokens} tokens, and the model has {rows}",
            tokens,
            rows
        )));
    }
    let token = |key: &str| {
        let id = file.whole(&format!("tokenizer.ggml.{key}_token_id"))?;
        let text = tokens.get(usize::try_from(id).ok()?)?;
        Some((u32::try_from(id).ok()?, *text))
    };
    let mut end_of_text = Vec::new();
    // A model that chats ends its turns with one token and texts with another.
    let ends = [token("eos"), token("eot")].into_iter().flatten();
    for (id, _) in ends.chain(
        tokens
            .iter()
            .position(|t| *t == END_OF_TEXT)
            .map(|id| (id as u32, "")),
    ) {
        if !end_of_text.contains(&id) {
            end_of_text.push(id);
        }
    }
    let mut config = json!({
        "tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": false,
        "add_bos_token": file.value("tokenizer.ggml.add_bos_token") == Some(Value::Bool(true)),
    });
    for (key, name) in [
        ("bos", "bos_token"),
        ("eos", "eos_token"),
        ("padding", "pad_token"),
    ] {
        if let Some((_, text)) = token(key) {
            config[name] = json!(text);
        }
    }
    if let Some(template) = file.text("tokenizer.chat_template") {
        config["chat_template"] = json!(template);
    }
    Ok(GgufTokenizer {
        tokenizer: tokenizer_json(file, &tokens)
            .map(|json| Tokenizer::from_json(&json))
            .transpose()?,
        config,
        end_of_text,
    })
}

/// `None` for kinds of tokenizers that are not supported.
fn tokenizer_json(file: &Gguf<'_>, tokens: &[&str]) -> Option<Json> {
    if file.text("tokenizer.ggml.model") != Some("gpt2") || tokens.is_empty() {
        return None;
    }
    let byte_level = |use_regex: bool| json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex});
    let sequence =
        |first: Json, second: Json| json!({"type": "Sequence", "pretokenizers": [first, second]});
    let kind = file.text("tokenizer.ggml.pre").unwrap_or("gpt-2");
    let pre_tokenizer = match kind {
        "gpt-2" | "default" => byte_level(true),
        "smollm" => sequence(
            json!({"type": "Digits", "individual_digits": true}),
            byte_level(true),
        ),
        "llama-bpe" => sequence(
            json!({"type": "Split", "pattern": {"Regex": LLAMA3}, "behavior": "Isolated", "invert": false}),
            byte_level(false),
        ),
        _ => return None,
    };
    let kinds = file.array("tokenizer.ggml.token_type");
    let kinds = kinds.into_iter().flat_map(|kinds| kinds.values());
    let added: Vec<Json> = kinds
        .zip(tokens)
        .enumerate()
        .filter_map(|(id, (kind, text))| {
            let special = match kind {
                Value::Signed(CONTROL) => true,
                Value::Signed(USER_DEFINED) => false,
                _ => return None,
            };
            Some(json!({
                "id": id, "content": text, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": special
            }))
        })
        .collect();
    let vocab: Map<String, Json> = tokens
        .iter()
        .enumerate()
        .map(|(id, text)| ((*text).to_owned(), json!(id)))
        .collect();
    let merges = file.array("tokenizer.ggml.merges");
    let merges: Vec<&str> = merges.into_iter().flat_map(|m| m.texts()).collect();
    Some(json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added, "normalizer": null,
        "pre_tokenizer": pre_tokenizer, "post_processor": null, "decoder": byte_level(true),
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
            "ignore_merges": kind == "llama-bpe", "vocab": vocab, "merges": merges
        }
    }))
}
