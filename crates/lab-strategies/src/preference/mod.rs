//! What the strategies that learn from preferences share.

mod base;
mod data;
mod driver;
mod experience;
mod judge;
mod layouts;
mod policy_run;
mod reward;
mod reward_stage;
mod rollout;
mod update;
mod watch;

pub use layouts::{read_preferences, read_prompts};
pub use reward::{Answer, RewardFunction};

pub(crate) use base::{Base, end_of_answers};
pub(crate) use data::{EncodedPair, PreferenceData, Wanted};
pub(crate) use driver::{Advance, Learner, drive};
pub(crate) use experience::{Estimation, Experience};
pub(crate) use judge::{Judge, Judgement, compare};
pub(crate) use policy_run::{Recipe, Shared, record, run_recipe, sums_of_differences};
pub(crate) use reward::expression;
pub(crate) use reward_stage::pairs_of_step;
pub(crate) use rollout::Sampler;
pub(crate) use update::UpdateSettings;

use lab_protocol::{LabError, StrategyConfig, from_value};

/// A strategy's part of an experiment; what is not given takes its default.
pub(crate) fn read_config<T: serde::de::DeserializeOwned>(
    config: &StrategyConfig,
) -> Result<T, LabError> {
    let value = if config.config.is_null() {
        serde_json::json!({})
    } else {
        config.config.clone()
    };
    from_value(value).map_err(|error| error.at("config"))
}

/// A configuration as JSON, with every default filled in.
pub(crate) fn resolved<T: serde::Serialize>(config: &T) -> Result<serde_json::Value, LabError> {
    serde_json::to_value(config).map_err(|error| LabError::internal(error.to_string()))
}
