//! A model as the files of a Hugging Face folder.

use super::config::{one_or_all, write_config};
use super::safetensors;
use super::tensors::WeightType;
use super::weights::file_tensors;
use crate::parameters::HostTensors;
use crate::tokenizer::Tokenizer;
use lab_protocol::{LabError, ModelConfig, ModelFile};
use serde_json::{Value, json};
use std::collections::HashMap;

/// The content of a folder.
pub struct FolderContent<'a> {
    pub shape: &'a ModelConfig,
    pub vocabulary: usize,
    pub weights: &'a HostTensors,
    pub tokenizer: Option<&'a Tokenizer>,
    /// `tokenizer_config.json` as it was read; generated if it is null.
    pub tokenizer_config: &'a Value,
    /// `generation_config.json` as it was read; generated if it is null.
    pub generation_config: &'a Value,
    /// The text of the chat template.
    pub chat_template: Option<&'a str>,
    pub end_of_text: &'a [u32],
}

/// The folder of a model trained here: `config.json`, `model.safetensors`, `tokenizer.json`,
/// `tokenizer_config.json`, `generation_config.json`.
pub fn model_folder(
    config: &ModelConfig,
    tokenizer: &Tokenizer,
    weights: &HostTensors,
) -> Result<Vec<ModelFile>, LabError> {
    let end: Vec<u32> = tokenizer.end_of_text().into_iter().collect();
    let content = FolderContent {
        shape: config,
        vocabulary: tokenizer.vocabulary(),
        weights,
        tokenizer: Some(tokenizer),
        tokenizer_config: &Value::Null,
        generation_config: &Value::Null,
        chat_template: None,
        end_of_text: &end,
    };
    write_folder(&content, WeightType::F32)
}

/// The files of a model's folder, its weights in this number format.
pub fn write_folder(
    content: &FolderContent<'_>,
    kind: WeightType,
) -> Result<Vec<ModelFile>, LabError> {
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let config = write_config(content.shape, content.vocabulary, content.end_of_text, kind);
    let mut files = vec![
        json_file("config.json", &config),
        ModelFile {
            path: "model.safetensors".into(),
            bytes: safetensors::write_each(
                file_tensors(content.shape, content.weights, kind)?,
                metadata,
            )?,
        },
    ];
    if let Some(tokenizer) = content.tokenizer {
        files.push(json_file("tokenizer.json", &tokenizer.to_json()));
        files.push(json_file(
            "tokenizer_config.json",
            &tokenizer_config(content, tokenizer),
        ));
    }
    files.push(json_file(
        "generation_config.json",
        &generation_config(content),
    ));
    Ok(files)
}

fn generation_config(content: &FolderContent<'_>) -> Value {
    if let Value::Object(_) = content.generation_config {
        return content.generation_config.clone();
    }
    let mut config = json!({"do_sample": true, "max_length": content.shape.context});
    if !content.end_of_text.is_empty() {
        config["eos_token_id"] = one_or_all(content.end_of_text);
    }
    config
}

fn tokenizer_config(content: &FolderContent<'_>, tokenizer: &Tokenizer) -> Value {
    let mut config = match content.tokenizer_config {
        Value::Object(_) => content.tokenizer_config.clone(),
        _ => json!({
            "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": content.shape.context,
            "clean_up_tokenization_spaces": false,
        }),
    };
    if let Some(&end) = content.end_of_text.first()
        && config["eos_token"].is_null()
    {
        config["eos_token"] = json!(tokenizer.token_text(end));
    }
    if let Some(template) = content.chat_template {
        config["chat_template"] = json!(template);
    }
    config
}

pub fn json_file(path: &str, value: &Value) -> ModelFile {
    ModelFile {
        path: path.into(),
        bytes: format!("{value:#}\n").into_bytes(),
    }
}
