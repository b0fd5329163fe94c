//! The state of a learner, and the checkpoint around it, which names the run that it belongs to.

use super::context::RunContext;
use lab_model::formats::{CheckpointState, read_checkpoint, write_checkpoint};
use lab_model::parameters::HostTensors;
use lab_protocol::{ErrorCode, LabError, ModelFile, Text, from_value, text};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// Everything that a learner needs to continue as if it had never stopped: tensors by group, bytes by name, and a
/// small state. It need not contain values that follow from seed and step.
#[derive(Debug, Default)]
pub struct Snapshot {
    state: Value,
    /// E.g. `policy` and `policy_optimizer`.
    pub tensors: HashMap<String, HostTensors>,
    /// Number of updates that the optimiser of each group has made.
    pub updates: BTreeMap<String, usize>,
    /// E.g. an index.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Snapshot {
    /// From a small state; tensors and files can be added.
    pub fn new<S: Serialize>(state: &S) -> Result<Self, LabError> {
        Ok(Self {
            state: serde_json::to_value(state)
                .map_err(|error| LabError::internal(error.to_string()))?,
            ..Self::default()
        })
    }

    /// The small state.
    pub fn state<S: DeserializeOwned>(&self) -> Result<S, LabError> {
        from_value(self.state.clone()).map_err(|error| invalid(error.message))
    }

    /// The tensors of a group; empty if it is missing, which is an error of their reader.
    pub fn take_tensors(&mut self, group: &str) -> HostTensors {
        self.tensors.remove(group).unwrap_or_default()
    }

    /// The bytes of a file.
    pub fn take_file(&mut self, name: &str) -> Result<Vec<u8>, LabError> {
        let file = self.files.remove(name);
        file.ok_or_else(|| invalid(text!("the checkpoint has no {name}", name)))
    }
}

fn invalid(message: impl Into<Text>) -> LabError {
    LabError::new(
        ErrorCode::InvalidCheckpoint,
        message,
        "Continue with the experiment that wrote the checkpoint, or start a new run.",
    )
    .at("checkpoint")
}

/// The properties of a run that must be the same to continue it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Origin {
    kind: String,
    config: Value,
    seed: u64,
    /// Hashes of the data and of the files that the run starts from.
    data: String,
    base: String,
}

impl Origin {
    pub(super) fn new(kind: &str, config: Value, run: &RunContext) -> Self {
        Self {
            kind: kind.to_owned(),
            config,
            seed: run.seed,
            data: run.data.hash.clone(),
            base: fingerprint(&run.base),
        }
    }

    /// An error that names the property that differs.
    fn must_be(&self, other: &Self) -> Result<(), LabError> {
        let differs = [
            (
                "the checkpoint was written with another strategy",
                self.kind != other.kind,
            ),
            (
                "the checkpoint was written with another configuration",
                self.config != other.config,
            ),
            (
                "the checkpoint was written with another seed",
                self.seed != other.seed,
            ),
            (
                "the checkpoint was written with another text or data",
                self.data != other.data,
            ),
            (
                "the checkpoint was written with another model to start from",
                self.base != other.base,
            ),
        ];
        match differs.iter().find(|(_, differs)| *differs) {
            None => Ok(()),
            Some((message, _)) => Err(invalid(*message)),
        }
    }
}

/// The header of a checkpoint: its part beside tensors and files.
#[derive(Serialize, Deserialize)]
struct Header {
    origin: Origin,
    step: usize,
    updates: BTreeMap<String, usize>,
    state: Value,
}

/// Writes the checkpoint of a run after a step.
pub(super) fn write(origin: &Origin, step: usize, snapshot: Snapshot) -> Result<Vec<u8>, LabError> {
    let Snapshot {
        state,
        tensors,
        updates,
        files,
    } = snapshot;
    let state = Header {
        origin: origin.clone(),
        step,
        updates,
        state,
    };
    write_checkpoint(CheckpointState {
        groups: tensors,
        files,
        state,
    })
}

/// Reads the step and the state of a checkpoint, which must come from a run with the same origin.
pub(super) fn read(bytes: &[u8], origin: &Origin) -> Result<(usize, Snapshot), LabError> {
    let CheckpointState {
        groups,
        files,
        state,
    } = read_checkpoint::<Header>(bytes)?;
    state.origin.must_be(origin)?;
    let snapshot = Snapshot {
        state: state.state,
        tensors: groups,
        updates: state.updates,
        files,
    };
    Ok((state.step, snapshot))
}

/// Distinguishes the files of one base from another's: the hash of Fowler, Noll and Vo, with 64 bits.
fn fingerprint(files: &[ModelFile]) -> String {
    let bytes = files.iter().flat_map(|file| &file.bytes);
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}
