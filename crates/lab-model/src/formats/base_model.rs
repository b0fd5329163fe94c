//! A model to start from, read from the files of a Hugging Face folder.

use super::hugging_face::{read_config, read_weights};
use crate::chat::ChatTemplate;
use crate::decoder::Decoder;
use crate::parameters::{self, HostTensors};
use crate::tokenizer::Tokenizer;
use burn::tensor::Device;
use lab_protocol::{ErrorCode, LabError, ModelConfig, ModelFile};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Where a model's files are: a folder, a map, what was dropped onto the page.
pub trait ModelFiles {
    /// Names without the folder.
    fn names(&self) -> Vec<String>;

    /// A file's bytes; none if there is no such file.
    fn read(&self, name: &str) -> Result<Option<Cow<'_, [u8]>>, LabError>;
}

impl ModelFiles for BTreeMap<String, Vec<u8>> {
    fn names(&self) -> Vec<String> {
        self.keys().cloned().collect()
    }

    fn read(&self, name: &str) -> Result<Option<Cow<'_, [u8]>>, LabError> {
        Ok(self.get(name).map(|bytes| Cow::Borrowed(&bytes[..])))
    }
}

impl ModelFiles for [ModelFile] {
    fn names(&self) -> Vec<String> {
        self.iter().map(|file| file.path.clone()).collect()
    }

    fn read(&self, name: &str) -> Result<Option<Cow<'_, [u8]>>, LabError> {
        let file = self.iter().find(|file| file.path == name);
        Ok(file.map(|file| Cow::Borrowed(&file.bytes[..])))
    }
}

/// A model that was trained elsewhere, or here.
#[derive(Clone, Debug)]
pub struct BaseModel {
    pub shape: ModelConfig,
    /// Rows of the token embedding: at least the tokenizer's entries.
    pub vocabulary: usize,
    /// By our names, whole and in their shapes.
    pub weights: HostTensors,
    pub tokenizer: Option<Tokenizer>,
    pub chat_template: Option<ChatTemplate>,
    /// Tokens after which the model has nothing more to say.
    pub end_of_text: Vec<u32>,
}

impl BaseModel {
    /// Reads a model, wherever its files are. Files are untrusted: all that is wrong with the weights is
    /// named before any is read.
    pub fn read<F: ModelFiles + ?Sized>(files: &F) -> Result<Self, LabError> {
        let config = json(files, "config.json")?
            .ok_or_else(|| bad("there is no config.json among the files"))?;
        let (shape, vocabulary) = read_config(&config)?;
        let bytes = files
            .read("model.safetensors")?
            .ok_or_else(|| bad("there is no model.safetensors among the files"))?;
        let weights = read_weights(&shape, &bytes)?;
        let tokenizer = json(files, "tokenizer.json")?
            .map(|json| Tokenizer::from_json(&json))
            .transpose()?;
        let settings = json(files, "tokenizer_config.json")?.unwrap_or_default();
        let jinja = files.read("chat_template.jinja")?;
        let jinja = jinja.as_deref().map(String::from_utf8_lossy);
        let chat_template = ChatTemplate::read(&settings, jinja.as_deref())?;
        let generation = json(files, "generation_config.json")?.unwrap_or_default();
        let end_of_text = ends(&generation)
            .or_else(|| ends(&config))
            .or_else(|| Some(vec![tokenizer.as_ref()?.end_of_text()?]))
            .unwrap_or_default();
        Self {
            shape,
            vocabulary,
            weights,
            tokenizer,
            chat_template,
            end_of_text,
        }
        .checked()
    }

    fn checked(self) -> Result<Self, LabError> {
        if let Some(tokenizer) = &self.tokenizer
            && tokenizer.vocabulary() > self.vocabulary
        {
            return Err(bad(&format!(
                "the tokenizer has {} entries, and the model {}",
                tokenizer.vocabulary(),
                self.vocabulary
            )));
        }
        Ok(self)
    }

    /// The model on a device.
    pub fn decoder(&self, device: &Device) -> Result<Decoder, LabError> {
        let empty = Decoder::new(&self.shape, self.vocabulary, 0, device);
        parameters::from_host(empty, &self.weights, device)
    }

    /// The tokenizer, for what cannot be done without one.
    pub fn tokenizer(&self) -> Result<&Tokenizer, LabError> {
        self.tokenizer.as_ref().ok_or_else(|| {
            LabError::new(
                ErrorCode::InvalidCheckpoint,
                "the model has no tokenizer",
                "Put its tokenizer.json beside its config.json.",
            )
        })
    }
}

/// The ids under `eos_token_id`: one, or a list.
fn ends(value: &Value) -> Option<Vec<u32>> {
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    match &value["eos_token_id"] {
        Value::Array(ids) => Some(ids.iter().filter_map(id).collect()),
        value => id(value).map(|id| vec![id]),
    }
}

fn json<F: ModelFiles + ?Sized>(files: &F, name: &str) -> Result<Option<Value>, LabError> {
    let Some(bytes) = files.read(name)? else {
        return Ok(None);
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| bad(&format!("{name} is no JSON: {error}")))
}

fn bad(what: &str) -> LabError {
    LabError::new(
        ErrorCode::InvalidCheckpoint,
        format!("the model cannot be read: {what}"),
        "Give the whole folder of a GPT-2 or Llama model: config.json, model.safetensors, tokenizer.json.",
    )
}
