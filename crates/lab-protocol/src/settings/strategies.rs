//! The settings of each kind of strategy.

use crate::{
    DpoConfig, FineTuningConfig, GrpoConfig, LabError, Object, PretrainingConfig, RagConfig,
    RlhfConfig, Settings, from_settings,
};
use serde_json::Value;

/// The configuration of a kind of strategy.
pub struct StrategySettings {
    /// The value of `StrategyConfig::strategy`.
    pub kind: &'static str,
    pub object: &'static Object,
    /// The configuration with every default filled in; unknown keys and wrong types are errors.
    pub resolve: fn(Value) -> Result<Value, LabError>,
    /// Everything that can be checked without the data.
    pub check: fn(Value) -> Result<(), LabError>,
}

impl StrategySettings {
    pub const fn of<T: Settings + Default>(kind: &'static str) -> Self {
        Self {
            kind,
            object: T::OBJECT,
            resolve: |value| {
                serde_json::to_value(from_settings::<T>(value)?)
                    .map_err(|error| LabError::internal(error.to_string()))
            },
            check: |value| from_settings::<T>(value)?.validate(),
        }
    }
}

/// The settings of every strategy of the lab, in the order of the pipeline.
pub static STRATEGIES: [StrategySettings; 6] = [
    StrategySettings::of::<PretrainingConfig>("pretraining"),
    StrategySettings::of::<FineTuningConfig>("fine_tuning"),
    StrategySettings::of::<RlhfConfig>("rlhf"),
    StrategySettings::of::<DpoConfig>("dpo"),
    StrategySettings::of::<GrpoConfig>("grpo"),
    StrategySettings::of::<RagConfig>("rag"),
];
