//! The state from which a run continues: weights, the best weights so far, the optimiser's moments,
//! and what the strategy must remember, in one safetensors file.

use super::safetensors;
use crate::parameters::HostTensors;
use lab_protocol::{ErrorCode, LabError, SCHEMA_VERSION};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::HashMap;

/// Tensors by group, and what the strategy remembers.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckpointState<S> {
    /// Groups such as `model`, `best`, `optimizer`.
    pub groups: HashMap<String, HostTensors>,
    pub state: S,
}

/// The checkpoint as bytes.
pub fn write_checkpoint<S: Serialize>(checkpoint: CheckpointState<S>) -> Result<Vec<u8>, LabError> {
    let state = serde_json::to_string(&checkpoint.state)
        .map_err(|error| LabError::internal(format!("the state could not be written: {error}")))?;
    let mut tensors = HostTensors::new();
    for (group, members) in checkpoint.groups {
        tensors.extend(
            members
                .into_iter()
                .map(|(name, tensor)| (format!("{group}/{name}"), tensor)),
        );
    }
    let metadata = [
        ("llm-labs-schema".to_owned(), SCHEMA_VERSION.to_string()),
        ("state".to_owned(), state),
    ];
    safetensors::write(&tensors, metadata.into())
}

/// Reads what [`write_checkpoint`] wrote.
pub fn read_checkpoint<S: DeserializeOwned>(bytes: &[u8]) -> Result<CheckpointState<S>, LabError> {
    let (tensors, metadata) = safetensors::read(bytes)?;
    let bad = |what: String| {
        LabError::new(
            ErrorCode::InvalidCheckpoint,
            format!("the file is no checkpoint of this version: {what}"),
            "Use a checkpoint that this version of LLM Labs wrote.",
        )
    };
    let schema = metadata
        .get("llm-labs-schema")
        .ok_or_else(|| bad("it has no version".into()))?;
    if *schema != SCHEMA_VERSION.to_string() {
        return Err(bad(format!("its layout has version {schema}")));
    }
    let state = metadata
        .get("state")
        .ok_or_else(|| bad("it has no state".into()))?;
    let state = serde_json::from_str(state).map_err(|error| bad(error.to_string()))?;
    let mut groups: HashMap<String, HostTensors> = HashMap::new();
    for (name, tensor) in tensors {
        let (group, name) = name
            .split_once('/')
            .ok_or_else(|| bad(format!("{name} belongs to no group")))?;
        groups
            .entry(group.to_owned())
            .or_default()
            .insert(name.to_owned(), tensor);
    }
    Ok(CheckpointState { groups, state })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::HostTensor;

    #[test]
    fn a_checkpoint_round_trips_and_a_cut_one_is_refused() {
        let tensor = HostTensor {
            shape: vec![2, 3],
            values: vec![1.0, -2.5, f32::MIN_POSITIVE, 0.0, 3.0, 4.0],
        };
        let group = HostTensors::from([("a.b".to_owned(), tensor)]);
        let checkpoint = CheckpointState {
            groups: HashMap::from([("model".to_owned(), group)]),
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
