//! A model to start from, read from the files of a Hugging Face folder or from a GGUF file.

use super::config::read_config;
use super::folder::{FolderContent, write_folder};
use super::gguf::{GgufModel, read_model};
use super::safetensors;
use super::tensors::WeightType;
use super::weights::Gather;
use crate::chat::ChatTemplate;
use crate::decoder::Decoder;
use crate::parameters::{self, HostTensors};
use crate::tokenizer::Tokenizer;
use burn::tensor::Device;
use lab_protocol::{ErrorCode, LabError, ModelConfig, ModelFile};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

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
    /// `tokenizer_config.json` as it was read, or null.
    pub tokenizer_config: Value,
    pub chat_template: Option<ChatTemplate>,
    /// Tokens after which the model has nothing more to say.
    pub end_of_text: Vec<u32>,
}

impl BaseModel {
    /// Reads a model, wherever its files are. Files are untrusted: all that is wrong with the weights is
    /// named before any is read.
    pub fn read<F: ModelFiles + ?Sized>(files: &F) -> Result<Self, LabError> {
        let names = files.names();
        let is_folder = names.iter().any(|name| name == "config.json");
        if let Some(name) = names.iter().find(|name| name.ends_with(".gguf"))
            && !is_folder
        {
            let bytes = files.read(name)?.unwrap_or_default();
            return Self::from_gguf(&bytes);
        }
        let config = json(files, "config.json")?
            .ok_or_else(|| bad("there is no config.json among the files"))?;
        let (shape, vocabulary) = read_config(&config)?;
        let weights = weights(files, &shape, vocabulary)?;
        let tokenizer = json(files, "tokenizer.json")?
            .map(|json| Tokenizer::from_json(&json))
            .transpose()?;
        let tokenizer_config = json(files, "tokenizer_config.json")?.unwrap_or_default();
        let jinja = files.read("chat_template.jinja")?;
        let jinja = jinja.as_deref().map(String::from_utf8_lossy);
        let chat_template = ChatTemplate::read(&tokenizer_config, jinja.as_deref())?;
        let generation = json(files, "generation_config.json")?.unwrap_or_default();
        let end_of_text = ends(&generation)
            .or_else(|| ends(&config))
            .or_else(|| Some(vec![tokenizer.as_ref()?.end_of_text()?]))
            .unwrap_or_default();
        let tokenizer = tokenizer.map(|tokenizer| {
            // What the model's own files say goes before names that are usual.
            let named = &tokenizer_config["eos_token"];
            let named = named.as_str().or_else(|| named["content"].as_str());
            let id = named.and_then(|name| tokenizer.id_of(name));
            let begin = begin(&tokenizer, &tokenizer_config);
            tokenizer.between(begin, id.or(end_of_text.first().copied()))
        });
        Self {
            shape,
            vocabulary,
            weights,
            tokenizer,
            tokenizer_config,
            chat_template,
            end_of_text,
        }
        .checked()
    }

    /// Reads a GGUF file of a Llama model, its numbers decoded.
    pub fn from_gguf(bytes: &[u8]) -> Result<Self, LabError> {
        let GgufModel {
            shape,
            vocabulary,
            weights,
            tokenizer,
            tokenizer_config,
            end_of_text,
        } = read_model(bytes)?;
        let tokenizer = tokenizer.map(|tokenizer| {
            let begin = begin(&tokenizer, &tokenizer_config);
            tokenizer.between(begin, end_of_text.first().copied())
        });
        Self {
            shape,
            vocabulary,
            weights,
            chat_template: ChatTemplate::read(&tokenizer_config, None)?,
            tokenizer,
            tokenizer_config,
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

    /// The files of a Hugging Face folder with this model.
    pub fn folder(&self, kind: WeightType) -> Result<Vec<ModelFile>, LabError> {
        let content = FolderContent {
            shape: &self.shape,
            vocabulary: self.vocabulary,
            weights: &self.weights,
            tokenizer: self.tokenizer.as_ref(),
            tokenizer_config: &self.tokenizer_config,
            chat_template: self.chat_template.as_ref().map(ChatTemplate::source),
            end_of_text: &self.end_of_text,
        };
        write_folder(&content, kind)
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

/// The beginning of a text, where `tokenizer_config.json` says that every text has it.
fn begin(tokenizer: &Tokenizer, config: &Value) -> Option<u32> {
    let named = &config["bos_token"];
    let named = named.as_str().or_else(|| named["content"].as_str())?;
    (config["add_bos_token"] == true).then(|| tokenizer.id_of(named))?
}

const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// The weights of one file, or of those that an index names.
fn weights<F: ModelFiles + ?Sized>(
    files: &F,
    shape: &ModelConfig,
    vocabulary: usize,
) -> Result<HostTensors, LabError> {
    let shards = match json(files, INDEX)? {
        Some(index) => {
            let map = index["weight_map"].as_object();
            let names = map.into_iter().flat_map(|map| map.values());
            names
                .map(|name| name.as_str().map(str::to_owned))
                .collect::<Option<BTreeSet<String>>>()
                .filter(|names| !names.is_empty())
                .ok_or_else(|| bad("its index names no files"))?
        }
        None => BTreeSet::from([WEIGHTS.to_owned()]),
    };
    let shard = |name: &str| {
        files
            .read(name)?
            .ok_or_else(|| bad(&format!("there is no {name} among the files")))
    };
    let mut gather = Gather::new(shape, vocabulary);
    let mut found: Vec<(String, Vec<usize>)> = Vec::new();
    for name in &shards {
        let bytes = shard(name)?;
        let (tensors, _) = safetensors::index(&bytes)?;
        found.extend(
            tensors
                .iter()
                .map(|(name, t)| (name.clone(), t.shape().to_vec())),
        );
    }
    gather.check(
        found
            .iter()
            .map(|(name, shape)| (name.as_str(), &shape[..])),
    )?;
    for name in &shards {
        let bytes = shard(name)?;
        gather.fill(&safetensors::index(&bytes)?.0);
    }
    Ok(gather.finish())
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
        "Give the whole folder of a GPT-2 or Llama model (config.json, model.safetensors, tokenizer.json), or a GGUF file.",
    )
}
