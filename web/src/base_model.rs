//! A model from outside as a base to start from: its files, and whether it fits.

use crate::format::{bytes, count};
use crate::platform;
use crate::worker::Files;
use js_sys::Uint8Array;
use lab_protocol::{ErrorCode, LabError, from_value};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The card's configuration: where the model comes from, if it is this site.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BaseModelConfig {
    /// A folder with a model's files, or a GGUF file, on this page's own site; empty where files are given.
    pub address: String,
}

impl BaseModelConfig {
    pub fn check(config: Value) -> Result<(), LabError> {
        from_value::<Self>(config).map(|_| ())
    }
}

/// Where WebAssembly's memory ends: addresses have 32 bits.
const LIMIT: u64 = 1 << 32;
/// The files of a model's folder that are fetched from an address; only the first two must be there.
const FOLDER: [&str; 5] = [
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "generation_config.json",
];

/// What a model needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Needs {
    pub parameters: u64,
    /// Bytes to answer with: the weights as they come and as they are computed with.
    pub answering: u64,
    /// Bytes to train all of it: weights, gradients, two moments and the best weights.
    pub training: u64,
}

impl Needs {
    fn of(parameters: u64, file_bytes: u64) -> Self {
        Self {
            parameters,
            answering: 4 * parameters + file_bytes,
            training: 20 * parameters + file_bytes,
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

/// The same from an address of this site.
pub async fn from_address(address: &str) -> Result<(Files, Needs), LabError> {
    let mut files = Vec::new();
    if address.ends_with(".gguf") {
        let name = address.rsplit('/').next().unwrap_or(address);
        let bytes = platform::fetch_bytes(address).await?;
        files.push((format!("model/{name}"), bytes));
    } else {
        let folder = address.trim_end_matches('/');
        for (index, name) in FOLDER.into_iter().enumerate() {
            match platform::fetch_bytes(&format!("{folder}/{name}")).await {
                Ok(bytes) => files.push((format!("model/{name}"), bytes)),
                Err(error) if index < 2 => return Err(error),
                Err(_) => {}
            }
        }
    }
    let files = Files(files);
    let needs = needs(&files)?;
    fits(needs.answering)?;
    Ok((files, needs))
}

fn fits(needed: u64) -> Result<(), LabError> {
    if needed <= LIMIT {
        return Ok(());
    }
    Err(LabError::new(
        ErrorCode::OutOfMemory,
        format!(
            "the model needs about {}, and a tab's memory ends at {}",
            bytes(needed as usize),
            bytes(LIMIT as usize)
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
    let mut parameters = 0;
    for (path, bytes) in tensors {
        parameters +=
            elements(&header(bytes).ok_or_else(|| bad(&format!("{path} is no safetensors file")))?);
    }
    Ok(Needs::of(parameters, total))
}

fn bad(message: &str) -> LabError {
    LabError::new(
        ErrorCode::InvalidData,
        message,
        "Give the files of a model's folder, config.json, model.safetensors and tokenizer.json, or one GGUF file.",
    )
}

/// Bits of a weight in a GGUF file, by what its name says; where it says nothing, few, so that the
/// estimate is on the safe side.
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
    fn bits_are_read_off_the_name() {
        assert_eq!(bits_of("model/SmolLM2-135M-Q8_0.gguf"), 8.5);
        assert_eq!(bits_of("model/unknown.gguf"), 4.5);
        assert_eq!(bits_of("model/x-f16.gguf"), 16.0);
    }
}
