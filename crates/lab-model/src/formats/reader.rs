//! A model's files, read on demand: first everything but the weights, then the weights one by one.

use super::base_model::BaseModel;
use super::config::read_config;
use super::end_tokens::end_tokens;
use super::files::{ModelFiles, OneFile, bad, json};
use super::gguf::{self, GgufModel};
use super::loader::{Loader, WeightForm};
use super::merged::Merge;
use super::safetensors;
use super::tensors::FileTensors;
use super::weights::Gather;
use crate::adapter::Adapter;
use crate::chat::ChatTemplate;
use crate::decoder::Decoder;
use crate::parameters::HostTensors;
use crate::tokenizer::Tokenizer;
use burn::tensor::Device;
use lab_protocol::{LabError, text};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeSet;

const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// A model that is read except for its weights, which are checked against its shape.
pub struct ModelReader<'f, F: ?Sized> {
    files: &'f F,
    base: BaseModel,
    stored: Stored,
}

/// The files with the weights.
enum Stored {
    Safetensors(BTreeSet<String>),
    Gguf(String),
}

impl<'f, F: ModelFiles + ?Sized> ModelReader<'f, F> {
    /// Reads a model, wherever its files are. Files are untrusted: all errors of the weights are reported before any
    /// weight is read.
    pub fn open(files: &'f F) -> Result<Self, LabError> {
        let names = files.names();
        let is_folder = names.iter().any(|name| name == "config.json");
        let gguf = names.iter().find(|name| name.ends_with(".gguf"));
        let (base, stored) = match gguf.filter(|_| !is_folder) {
            Some(name) => {
                let bytes = files.read(name)?.unwrap_or_default();
                (of_gguf(&bytes)?, Stored::Gguf(name.clone()))
            }
            None => of_folder(files)?,
        };
        let reader = Self {
            files,
            base,
            stored,
        };
        reader.check()?;
        Ok(reader)
    }

    /// Everything but the weights.
    pub fn base(&self) -> &BaseModel {
        &self.base
    }

    pub fn into_base(self) -> BaseModel {
        self.base
    }

    /// The weights on the host.
    pub fn weights(&self) -> Result<HostTensors, LabError> {
        let mut weights = HostTensors::new();
        let mut gather = self.gather();
        for name in self.stored.names() {
            let bytes = self.bytes(name)?;
            weights.extend(gather.whole(&self.stored.tensors(&bytes)?));
        }
        Ok(weights)
    }

    /// The model on a device. The change of an `adapter` becomes part of its weights. Each weight gets its final form
    /// as soon as it is read, so a matrix in 4 bits leaves no floats behind.
    pub async fn decoder(
        &self,
        form: WeightForm,
        adapter: Option<&Adapter>,
        device: &Device,
    ) -> Result<Decoder, LabError> {
        let BaseModel {
            shape, vocabulary, ..
        } = &self.base;
        let merge = adapter
            .map(|adapter| Merge::new(adapter, shape, device))
            .transpose()?;
        let mut loader = Loader::new(form, device);
        let mut gather = self.gather();
        for file in self.stored.names() {
            let bytes = self.bytes(file)?;
            for (name, weight) in gather.whole(&self.stored.tensors(&bytes)?) {
                let weight = match &merge {
                    Some(merge) => merge.apply(&name, weight).await?,
                    None => weight,
                };
                loader.put(&name, weight)?;
            }
        }
        loader.decoder(shape, *vocabulary)
    }

    /// Compares the tensors of the files with the weights that the model needs.
    fn check(&self) -> Result<(), LabError> {
        let mut found: Vec<(String, Vec<usize>)> = Vec::new();
        for name in self.stored.names() {
            let bytes = self.bytes(name)?;
            let tensors = self.stored.tensors(&bytes)?;
            found.extend(
                tensors
                    .iter()
                    .map(|(name, tensor)| (name.clone(), tensor.shape().to_vec())),
            );
        }
        let found = found.iter();
        self.gather()
            .check(found.map(|(name, shape)| (name.as_str(), &shape[..])))?;
        match &self.base.tokenizer {
            Some(tokenizer) if tokenizer.vocabulary() > self.base.vocabulary => Err(bad(text!(
                "the model cannot be read: the tokenizer has {tokens} entries, and the model {vocabulary}",
                tokens = tokenizer.vocabulary(),
                vocabulary = self.base.vocabulary
            ))),
            _ => Ok(()),
        }
    }

    fn gather(&self) -> Gather {
        Gather::new(&self.base.shape, self.base.vocabulary)
    }

    fn bytes(&self, name: &str) -> Result<Cow<'f, [u8]>, LabError> {
        self.files.read(name)?.ok_or_else(|| {
            bad(text!(
                "the model cannot be read: there is no {name} among the files",
                name
            ))
        })
    }
}

impl BaseModel {
    /// Reads a model with its weights, wherever its files are. Files are untrusted: all errors of the weights are
    /// reported before any weight is read.
    pub fn read<F: ModelFiles + ?Sized>(files: &F) -> Result<Self, LabError> {
        let reader = ModelReader::open(files)?;
        let weights = reader.weights()?;
        Ok(Self {
            weights,
            ..reader.into_base()
        })
    }

    /// Reads a GGUF file of a Llama model, its numbers decoded.
    pub fn from_gguf(bytes: &[u8]) -> Result<Self, LabError> {
        Self::read(&OneFile {
            name: "model.gguf",
            bytes,
        })
    }
}

impl Stored {
    fn names(&self) -> impl Iterator<Item = &String> {
        let (shards, single) = match self {
            Self::Safetensors(names) => (Some(names), None),
            Self::Gguf(name) => (None, Some(name)),
        };
        shards.into_iter().flatten().chain(single)
    }

    /// The tensors of one of the files.
    fn tensors<'a>(&self, bytes: &'a [u8]) -> Result<FileTensors<'a>, LabError> {
        match self {
            Self::Safetensors(_) => Ok(safetensors::index(bytes)?.0),
            Self::Gguf(_) => gguf::read_tensors(bytes),
        }
    }
}

fn of_folder<F: ModelFiles + ?Sized>(files: &F) -> Result<(BaseModel, Stored), LabError> {
    let config = json(files, "config.json")?
        .ok_or_else(|| bad("the model cannot be read: there is no config.json among the files"))?;
    let (shape, vocabulary) = read_config(&config)?;
    let tokenizer = json(files, "tokenizer.json")?
        .map(|json| Tokenizer::from_json(&json))
        .transpose()?;
    let tokenizer_config = json(files, "tokenizer_config.json")?.unwrap_or_default();
    let jinja = files.read("chat_template.jinja")?;
    let jinja = jinja.as_deref().map(String::from_utf8_lossy);
    let chat_template = ChatTemplate::read(&tokenizer_config, jinja.as_deref())?;
    let generation_config = json(files, "generation_config.json")?.unwrap_or_default();
    let end_of_text = end_tokens(&generation_config, &config, tokenizer.as_ref());
    let tokenizer = tokenizer.map(|tokenizer| {
        // The model's own files take precedence over common names.
        let id = named_token(&tokenizer, &tokenizer_config["eos_token"]);
        let begin = begin(&tokenizer, &tokenizer_config);
        tokenizer.between(begin, id.or(end_of_text.first().copied()))
    });
    let base = BaseModel {
        shape,
        vocabulary,
        weights: HostTensors::new(),
        tokenizer,
        tokenizer_config,
        generation_config,
        chat_template,
        end_of_text,
    };
    Ok((base, Stored::Safetensors(shards(files)?)))
}

/// The file of the weights, or the files that an index names.
fn shards<F: ModelFiles + ?Sized>(files: &F) -> Result<BTreeSet<String>, LabError> {
    let Some(index) = json(files, INDEX)? else {
        return Ok(BTreeSet::from([WEIGHTS.to_owned()]));
    };
    let map = index["weight_map"].as_object();
    let names = map.into_iter().flat_map(|map| map.values());
    names
        .map(|name| name.as_str().map(str::to_owned))
        .collect::<Option<BTreeSet<String>>>()
        .filter(|names| !names.is_empty())
        .ok_or_else(|| bad("the model cannot be read: its index names no files"))
}

/// A model from a file of llama.cpp.
fn of_gguf(bytes: &[u8]) -> Result<BaseModel, LabError> {
    let GgufModel {
        shape,
        vocabulary,
        tokenizer,
        tokenizer_config,
        end_of_text,
    } = gguf::read_model(bytes)?;
    let tokenizer = tokenizer.map(|tokenizer| {
        let begin = begin(&tokenizer, &tokenizer_config);
        tokenizer.between(begin, end_of_text.first().copied())
    });
    Ok(BaseModel {
        shape,
        vocabulary,
        weights: HostTensors::new(),
        chat_template: ChatTemplate::read(&tokenizer_config, None)?,
        tokenizer,
        tokenizer_config,
        generation_config: Value::Null,
        end_of_text,
    })
}

/// The token at the beginning of a text, if `tokenizer_config.json` says that every text has it.
fn begin(tokenizer: &Tokenizer, config: &Value) -> Option<u32> {
    let id = named_token(tokenizer, &config["bos_token"]);
    id.filter(|_| config["add_bos_token"] == true)
}

/// The id of a token that `tokenizer_config.json` names by its text, or by an object with the text.
fn named_token(tokenizer: &Tokenizer, token: &Value) -> Option<u32> {
    let name = token.as_str().or_else(|| token["content"].as_str())?;
    tokenizer.id_of(name)
}
