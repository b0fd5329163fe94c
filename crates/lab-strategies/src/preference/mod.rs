//! What the strategies that learn from preferences share.

mod base;
mod data;
pub(crate) mod dpo;
mod driver;
mod experience;
pub(crate) mod grpo;
mod judge;
mod layouts;
mod policy_run;
mod report;
mod reward;
mod reward_stage;
pub(crate) mod rlhf;
mod rollout;
mod update;
mod watch;

pub use layouts::{read_preferences, read_prompts};

pub(crate) use base::fingerprint;
pub(crate) use data::{EncodedPair, PreferenceData, Wanted};
pub(crate) use driver::{Advance, Learner, drive};
pub(crate) use experience::{Estimation, Experience};
pub(crate) use judge::{Judge, Judgement, compare};
pub(crate) use policy_run::{Recipe, Shared, run_recipe};
pub(crate) use report::{record, sums_of_differences};
pub(crate) use reward::expression;
pub(crate) use reward_stage::pairs_of_step;
pub(crate) use rollout::Sampler;
pub(crate) use update::UpdateSettings;

use lab_model::formats::{CheckpointState, read_checkpoint, write_checkpoint};
use lab_model::parameters::HostTensors;
use lab_protocol::{ErrorCode, LabError, from_value};
use std::collections::HashMap;

/// A checkpoint of tensors by group and a state.
pub(crate) fn write_state<S: serde::Serialize>(
    groups: HashMap<String, HostTensors>,
    state: &S,
) -> Result<Vec<u8>, LabError> {
    let state = resolved(state)?;
    write_checkpoint(CheckpointState { groups, state })
}

/// Reads what [`write_state`] wrote.
pub(crate) fn read_state<S: serde::de::DeserializeOwned>(
    bytes: &[u8],
) -> Result<(HashMap<String, HostTensors>, S), LabError> {
    let CheckpointState { groups, state } = read_checkpoint::<serde_json::Value>(bytes)?;
    let state = from_value(state).map_err(|error| {
        LabError::new(
            ErrorCode::InvalidCheckpoint,
            format!("the checkpoint is of another strategy: {}", error.message),
            "Continue with the experiment that wrote it.",
        )
        .at("checkpoint")
    })?;
    Ok((groups, state))
}

/// A configuration as JSON, with every default filled in.
pub(crate) fn resolved<T: serde::Serialize>(config: &T) -> Result<serde_json::Value, LabError> {
    serde_json::to_value(config).map_err(|error| LabError::internal(error.to_string()))
}
