//! The state from which a run continues, in one safetensors file: tensors by group, bytes by name, and the strategy's
//! small state.

use super::safetensors;
use super::tensors::WeightType;
use crate::parameters::{HostTensor, HostTensors};
use ::safetensors::View;
use ::safetensors::tensor::Dtype;
use lab_protocol::{ErrorCode, LabError, SCHEMA_VERSION, Text, text};
use serde::{Serialize, de::DeserializeOwned};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

/// Tensors by group, bytes by name, and the strategy's small state.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckpointState<S> {
    /// Groups such as `model`, `best`, `optimizer`.
    pub groups: HashMap<String, HostTensors>,
    /// Data that are not tensors, e.g. an index.
    pub files: BTreeMap<String, Vec<u8>>,
    pub state: S,
}

/// The group of the files; they are tensors of bytes.
const FILES: &str = "files";

/// An entry of the file.
enum Entry {
    Numbers(HostTensor),
    Bytes([usize; 1], Vec<u8>),
}

impl View for Entry {
    fn dtype(&self) -> Dtype {
        match self {
            Self::Numbers(_) => Dtype::F32,
            Self::Bytes(..) => Dtype::U8,
        }
    }

    fn shape(&self) -> &[usize] {
        match self {
            Self::Numbers(tensor) => &tensor.shape,
            Self::Bytes(shape, _) => shape,
        }
    }

    fn data(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Numbers(tensor) => Cow::Owned(WeightType::F32.encode(&tensor.values)),
            Self::Bytes(_, bytes) => Cow::Borrowed(bytes),
        }
    }

    fn data_len(&self) -> usize {
        match self {
            Self::Numbers(tensor) => tensor.values.len() * size_of::<f32>(),
            Self::Bytes(_, bytes) => bytes.len(),
        }
    }
}

/// The checkpoint as bytes.
pub fn write_checkpoint<S: Serialize>(checkpoint: CheckpointState<S>) -> Result<Vec<u8>, LabError> {
    let unwritable = |error: &dyn std::fmt::Display| {
        LabError::internal(text!("the state could not be written: {error}", error))
    };
    let state = serde_json::to_string(&checkpoint.state).map_err(|error| unwritable(&error))?;
    let mut entries = Vec::new();
    for (group, members) in checkpoint.groups {
        let named = |(name, tensor)| (format!("{group}/{name}"), Entry::Numbers(tensor));
        entries.extend(members.into_iter().map(named));
    }
    let file = |(name, bytes): (String, Vec<u8>)| {
        (
            format!("{FILES}/{name}"),
            Entry::Bytes([bytes.len()], bytes),
        )
    };
    entries.extend(checkpoint.files.into_iter().map(file));
    let metadata = HashMap::from([
        ("llm-labs-schema".to_owned(), SCHEMA_VERSION.to_string()),
        ("state".to_owned(), state),
    ]);
    ::safetensors::serialize(entries, Some(metadata)).map_err(|error| unwritable(&error))
}

/// Reads a checkpoint that [`write_checkpoint`] wrote.
pub fn read_checkpoint<S: DeserializeOwned>(bytes: &[u8]) -> Result<CheckpointState<S>, LabError> {
    let (tensors, metadata) = safetensors::read(bytes)?;
    let bad = |message: Text| {
        LabError::new(
            ErrorCode::InvalidCheckpoint,
            message,
            "Use a checkpoint that this version of LLM Labs wrote.",
        )
    };
    let schema = metadata.get("llm-labs-schema").ok_or_else(|| {
        bad("the file is not a checkpoint of this version: it has no version".into())
    })?;
    if *schema != SCHEMA_VERSION.to_string() {
        return Err(bad(text!(
            "the file is not a checkpoint of this version: its layout has version {schema}",
            schema
        )));
    }
    let state = metadata.get("state").ok_or_else(|| {
        bad("the file is not a checkpoint of this version: it has no state".into())
    })?;
    let state = serde_json::from_str(state).map_err(|error| {
        bad(text!(
            "the file is not a checkpoint of this version: {error}",
            error
        ))
    })?;
    let mut groups: HashMap<String, HostTensors> = HashMap::new();
    for (name, tensor) in tensors {
        let (group, name) = name.split_once('/').ok_or_else(|| {
            bad(text!(
                "the file is not a checkpoint of this version: {name} belongs to no group",
                name
            ))
        })?;
        groups
            .entry(group.to_owned())
            .or_default()
            .insert(name.to_owned(), tensor);
    }
    let files = safetensors::byte_tensors(bytes)?
        .into_iter()
        .filter_map(|(name, bytes)| {
            Some((
                name.strip_prefix(FILES)?.strip_prefix('/')?.to_owned(),
                bytes,
            ))
        })
        .collect();
    Ok(CheckpointState {
        groups,
        files,
        state,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_round_trips_and_a_cut_one_is_refused() {
        let tensor = HostTensor {
            shape: vec![2, 3],
            values: vec![1.0, -2.5, f32::MIN_POSITIVE, 0.0, 3.0, 4.0],
        };
        let group = HostTensors::from([("a.b".to_owned(), tensor)]);
        let checkpoint = CheckpointState {
            groups: HashMap::from([("model".to_owned(), group)]),
            files: BTreeMap::from([("index".to_owned(), b"chunks".to_vec())]),
            state: vec![7u32],
        };
        let bytes = write_checkpoint(checkpoint.clone()).unwrap();
        assert_eq!(read_checkpoint::<Vec<u32>>(&bytes).unwrap(), checkpoint);
        for cut in 0..bytes.len() {
            let error = read_checkpoint::<Vec<u32>>(&bytes[..cut]).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidCheckpoint);
        }
    }
}
