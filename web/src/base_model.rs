//! A model from outside as a base to start from: its files, and whether it fits.

use crate::format::{bytes, count};
use crate::platform;
use js_sys::Uint8Array;
use lab_client::Files;
use lab_protocol::{ErrorCode, LabError, Settings, Text, text};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The card's configuration: the address of the model, if it comes from this site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Settings)]
#[serde(default, deny_unknown_fields)]
pub struct BaseModelConfig {
    /// A folder with a model's files, or a GGUF file, on this page's own site; empty if files are given.
    pub address: String,
}

/// The limit of WebAssembly's memory: addresses have 32 bits.
const LIMIT: u64 = 1 << 32;
const WEIGHTS: &str = "model.safetensors";
/// Names the files that a larger model's weights are spread over.
const INDEX: &str = "model.safetensors.index.json";
/// Optional files of a model's folder.
const OPTIONAL: [&str; 3] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "generation_config.json",
];

/// The requirements of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Needs {
    pub parameters: u64,
    /// Bytes to answer with: the weights as received and as used for computing.
    pub answering: u64,
    /// Bytes to train all of it: weights, gradients, two moments and the best weights.
    pub training: u64,
}

impl Needs {
    fn of(parameters: u64, file_bytes: u64) -> Self {
        Self {
            parameters,
            answering: parameters.saturating_mul(4).saturating_add(file_bytes),
            training: parameters.saturating_mul(20).saturating_add(file_bytes),
        }
    }

    pub fn told(&self) -> String {
        let trains = if self.training <= LIMIT {
            format!("{} to train", bytes(self.training as usize))
        } else {
            "too large to train all of it here".to_owned()
        };
        format!(
            "{} parameters; about {} to answer with, {trains}.",
            count(self.parameters as usize),
            bytes(self.answering as usize)
        )
    }
}

/// Files as they were chosen, by their names without folders.
pub async fn from_files(chosen: Vec<web_sys::File>) -> Result<(Files, Needs), LabError> {
    let sizes: Vec<_> = chosen
        .iter()
        .map(|file| (file.name(), file.size() as u64))
        .collect();
    // Before anything large is read.
    let total: u64 = sizes.iter().map(|(_, size)| size).sum();
    fits(total)?;
    let mut files = Vec::new();
    for file in chosen {
        files.push((
            format!("model/{}", file.name()),
            platform::file_bytes(&file).await?,
        ));
    }
    let files = Files(files);
    let needs = needs(&files)?;
    fits(needs.answering)?;
    Ok((files, needs))
}

/// Reads the files from an address of this site.
pub async fn from_address(address: &str) -> Result<(Files, Needs), LabError> {
    let mut download = Download::default();
    match address.rsplit_once('/').unwrap_or(("", address)) {
        (_, name) if name.ends_with(".gguf") => download.fetch(address, name).await?,
        _ => download.folder(address.trim_end_matches('/')).await?,
    }
    let files = Files(download.files);
    let needs = needs(&files)?;
    fits(needs.answering)?;
    Ok((files, needs))
}

/// A model's files as they arrive, together never more than there is room for.
#[derive(Default)]
struct Download {
    files: Vec<(String, Uint8Array)>,
    bytes: u64,
}

impl Download {
    async fn fetch(&mut self, address: &str, name: &str) -> Result<(), LabError> {
        let response = platform::request(address).await?;
        // Before anything large is read, if the server reports its size.
        fits(
            self.bytes
                .saturating_add(platform::length(&response).unwrap_or(0)),
        )?;
        let bytes = platform::body(&response, address).await?;
        self.bytes = self.bytes.saturating_add(bytes.length().into());
        fits(self.bytes)?;
        self.files.push((format!("model/{name}"), bytes));
        Ok(())
    }

    /// A Hugging Face folder, its weights in one file or in the files that an index names.
    async fn folder(&mut self, folder: &str) -> Result<(), LabError> {
        let at = |name: &str| format!("{folder}/{name}");
        self.fetch(&at("config.json"), "config.json").await?;
        if let Err(error) = self.fetch(&at(WEIGHTS), WEIGHTS).await {
            if error.code != ErrorCode::Io || self.fetch(&at(INDEX), INDEX).await.is_err() {
                return Err(error);
            }
            let index = self.files.last().map(|(_, bytes)| bytes.to_vec());
            for shard in shards(&index.unwrap_or_default())? {
                self.fetch(&at(&shard), &shard).await?;
            }
        }
        for name in OPTIONAL {
            match self.fetch(&at(name), name).await {
                Err(error) if error.code != ErrorCode::Io => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The files that an index names, each once; only files beside it.
fn shards(index: &[u8]) -> Result<BTreeSet<String>, LabError> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let Index { weight_map } = serde_json::from_slice(index)
        .map_err(|error| bad(text!("{file} cannot be read: {error}", file = INDEX, error)))?;
    let shards: BTreeSet<String> = weight_map.into_values().collect();
    match shards
        .iter()
        .find(|name| name.contains(['/', '\\', '?', '#']))
    {
        Some(name) => Err(bad(text!(
            "{file} names {name}, which is no file beside it",
            file = INDEX,
            name
        ))),
        None => Ok(shards),
    }
}

fn fits(needed: u64) -> Result<(), LabError> {
    if needed <= LIMIT {
        return Ok(());
    }
    Err(LabError::new(
        ErrorCode::OutOfMemory,
        text!(
            "the model needs about {needed}, and a tab's memory ends at {limit}",
            needed = bytes(needed as usize),
            limit = bytes(LIMIT as usize)
        ),
        "Use a smaller model, or one in fewer bits.",
    ))
}

fn needs(files: &Files) -> Result<Needs, LabError> {
    let total: u64 = files
        .0
        .iter()
        .map(|(_, bytes)| u64::from(bytes.length()))
        .sum();
    let named = |ending: &str| {
        let found = files.0.iter().filter(|(path, _)| path.ends_with(ending));
        found.collect::<Vec<_>>()
    };
    let tensors = named(".safetensors");
    if !tensors.is_empty() && named("/config.json").is_empty() {
        return Err(bad("there is no config.json among the files"));
    }
    if let Some((path, bytes)) = named(".gguf").first().filter(|_| tensors.is_empty()) {
        let bits = bits_of(path);
        let parameters = f64::from(bytes.length()) * 8.0 / bits;
        return Ok(Needs::of(parameters as u64, total));
    }
    if tensors.is_empty() {
        return Err(bad("there are no weights among the files"));
    }
    let mut parameters = 0u64;
    for (path, bytes) in tensors {
        let header =
            header(bytes).ok_or_else(|| bad(text!("{path} is no safetensors file", path)))?;
        parameters = elements(&header).saturating_add(parameters);
    }
    Ok(Needs::of(parameters, total))
}

fn bad(message: impl Into<Text>) -> LabError {
    LabError::new(
        ErrorCode::InvalidData,
        message,
        "Give the files of a model's folder, config.json, model.safetensors and tokenizer.json, or one GGUF file.",
    )
}

/// Bits of a weight in a GGUF file, from its name; few if the name does not say, to keep the estimate on the safe
/// side.
fn bits_of(name: &str) -> f64 {
    let name = name.to_lowercase();
    let known = [
        ("q8", 8.5),
        ("q6", 6.6),
        ("q5", 5.5),
        ("bf16", 16.0),
        ("f16", 16.0),
        ("f32", 32.0),
    ];
    let found = known.iter().find(|(part, _)| name.contains(part));
    found.map_or(4.5, |(_, bits)| *bits)
}

/// The header of a safetensors file: its length in eight bytes, then JSON.
fn header(bytes: &Uint8Array) -> Option<String> {
    let length: [u8; 8] = bytes.slice(0, 8).to_vec().try_into().ok()?;
    let length = u64::from_le_bytes(length);
    let end = length
        .checked_add(8)
        .filter(|end| *end <= u64::from(bytes.length()))?;
    String::from_utf8(bytes.slice(8, end as u32).to_vec()).ok()
}

/// A tensor in a header; more keys than these are there.
#[derive(Deserialize)]
struct Tensor {
    #[serde(default)]
    shape: Vec<u64>,
}

/// Numbers in all tensors of a header.
fn elements(header: &str) -> u64 {
    let tensors: BTreeMap<String, Value> = serde_json::from_str(header).unwrap_or_default();
    let tensors = tensors
        .into_iter()
        .filter(|(name, _)| name != "__metadata__");
    tensors
        .filter_map(|(_, value)| serde_json::from_value::<Tensor>(value).ok())
        .map(|tensor| {
            tensor
                .shape
                .iter()
                .fold(1, |product: u64, size| product.saturating_mul(*size))
        })
        .fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_tells_the_parameters() {
        let header = r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[3,4],"data_offsets":[0,48]},"b":{"dtype":"F32","shape":[5],"data_offsets":[48,68]}}"#;
        assert_eq!(elements(header), 17);
        assert_eq!(elements("nonsense"), 0);
        let huge = format!("{{\"a\":{{\"shape\":[{0},{0}]}}}}", u64::MAX);
        assert_eq!(elements(&huge), u64::MAX);
    }

    #[test]
    fn what_cannot_fit_is_refused_with_its_size() {
        assert!(fits(1 << 30).is_ok());
        let error = fits(Needs::of(3_000_000_000, 6_000_000_000).answering).unwrap_err();
        assert_eq!(error.code, ErrorCode::OutOfMemory);
        assert!(error.message.contains("18000.0 MB"), "{error}");
        assert!(
            Needs::of(135_000_000, 0)
                .told()
                .starts_with("135,000,000 parameters; about 540.0 MB")
        );
    }

    #[test]
    fn a_model_of_absurd_size_is_refused() {
        assert!(fits(Needs::of(u64::MAX, 1).answering).is_err());
    }

    #[test]
    fn an_index_names_each_file_once_and_none_elsewhere() {
        let index = br#"{"metadata": {}, "weight_map": {"a": "1.safetensors", "b": "2.safetensors", "c": "1.safetensors"}}"#;
        assert_eq!(
            Vec::from_iter(shards(index).unwrap()),
            ["1.safetensors", "2.safetensors"]
        );
        for bad in [
            &b"{}"[..],
            b"no",
            br#"{"weight_map": {"a": "../../secret"}}"#,
        ] {
            assert_eq!(shards(bad).unwrap_err().code, ErrorCode::InvalidData);
        }
    }

    #[test]
    fn bits_are_read_off_the_name() {
        assert_eq!(bits_of("model/SmolLM2-135M-Q8_0.gguf"), 8.5);
        assert_eq!(bits_of("model/unknown.gguf"), 4.5);
        assert_eq!(bits_of("model/x-f16.gguf"), 16.0);
    }
}
