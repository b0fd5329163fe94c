//! Configurations of `GrpoStrategy` and `DpoStrategy`.

use crate::checks::{number, whole};
use crate::rlhf::{divides, policy_lora};
use crate::{
    LabError, LoraConfig, OptimizerConfig, PreferenceExample, ReportConfig, RewardConfig,
    RewardModelConfig, RolloutConfig,
};
use serde::{Deserialize, Serialize};

/// Where the divergence from the reference is held against a policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum KlPlacement {
    /// In the loss, by the estimator `exp(-l) - 1 + l` (Shao et al. 2024).
    #[default]
    LossK3,
    /// In the loss, by half the squared log ratio, whose gradient is the divergence's own.
    LossK2,
    /// In the reward of each answer, before answers are compared.
    Reward,
}

/// `GrpoStrategy`'s configuration: group relative policy optimisation (Shao et al. 2024). Answers to one
/// prompt are compared with each other, so that no value has to be learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct GrpoConfig {
    pub reward: RewardConfig,
    /// Read where the reward is a model.
    pub reward_model: RewardModelConfig,
    pub rollout: RolloutConfig,
    pub steps: usize,
    /// Prompts of an update.
    pub prompts: usize,
    /// Answers to each prompt.
    pub group: usize,
    /// Parts of the answers that are learned from one after the other; a divisor of `prompts · group`.
    pub minibatches: usize,
    pub epochs: usize,
    pub clip: f64,
    pub kl_coefficient: f64,
    pub kl: KlPlacement,
    /// Divides advantages by the deviation of their group.
    pub scale_advantages: bool,
    /// See [`PpoConfig::maximum_kl`].
    pub maximum_kl: f64,
    pub optimizer: OptimizerConfig,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lora: Option<LoraConfig>,
    pub report: ReportConfig,
    /// Pairs to learn from instead of the data's, as they were collected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub preferences: Vec<PreferenceExample>,
}

impl Default for GrpoConfig {
    fn default() -> Self {
        Self {
            reward: RewardConfig::default(),
            reward_model: RewardModelConfig::default(),
            rollout: RolloutConfig::default(),
            steps: 60,
            prompts: 8,
            group: 8,
            minibatches: 4,
            epochs: 2,
            clip: 0.2,
            kl_coefficient: 0.05,
            kl: KlPlacement::default(),
            scale_advantages: true,
            maximum_kl: 0.1,
            optimizer: OptimizerConfig::default(),
            lora: None,
            report: ReportConfig::default(),
            preferences: Vec::new(),
        }
    }
}

impl GrpoConfig {
    pub fn validate(&self) -> Result<(), LabError> {
        self.reward.validate().map_err(|e| e.at("reward"))?;
        let model = self.reward_model.validate();
        model.map_err(|e| e.at("reward_model"))?;
        self.rollout.validate().map_err(|e| e.at("rollout"))?;
        whole("steps", self.steps, 1, 1_000_000)?;
        whole("prompts", self.prompts, 1, 65_536)?;
        if self.group < 2 {
            return Err(LabError::config(
                "group",
                format!("a group of {} has nothing to be compared with", self.group),
                "Use at least 2 answers to each prompt, e.g. 8.",
            ));
        }
        whole("group", self.group, 2, 4096)?;
        let answers = self.prompts * self.group;
        divides(self.minibatches, answers, "prompts · group")?;
        whole("epochs", self.epochs, 1, 1000)?;
        number("clip", self.clip, 1e-6, 10.0)?;
        number("kl_coefficient", self.kl_coefficient, 0.0, 1e3)?;
        number("maximum_kl", self.maximum_kl, 0.0, 1e3)?;
        policy_lora(&self.lora)?;
        self.optimizer.validate().map_err(|e| e.at("optimizer"))
    }
}

/// `DpoStrategy`'s configuration: direct preference optimisation (Rafailov et al. 2023), which needs
/// neither a reward model nor samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct DpoConfig {
    pub steps: usize,
    /// Pairs in a step.
    pub batch_size: usize,
    /// How dear the divergence from the reference is: the larger, the nearer the policy stays.
    pub beta: f64,
    /// Share of the labels that are held to be wrong.
    pub label_smoothing: f64,
    pub optimizer: OptimizerConfig,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lora: Option<LoraConfig>,
    /// How answers for samples and evaluations are written.
    pub rollout: RolloutConfig,
    pub report: ReportConfig,
    /// Pairs to learn from instead of the data's, as they were collected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub preferences: Vec<PreferenceExample>,
}

impl Default for DpoConfig {
    fn default() -> Self {
        Self {
            steps: 120,
            batch_size: 16,
            beta: 0.1,
            label_smoothing: 0.0,
            optimizer: OptimizerConfig {
                warmup_steps: 10,
                ..Default::default()
            },
            lora: None,
            rollout: RolloutConfig::default(),
            report: ReportConfig::default(),
            preferences: Vec::new(),
        }
    }
}

impl DpoConfig {
    pub fn validate(&self) -> Result<(), LabError> {
        whole("steps", self.steps, 1, 1_000_000)?;
        whole("batch_size", self.batch_size, 1, 4096)?;
        number("beta", self.beta, 1e-6, 1e3)?;
        number("label_smoothing", self.label_smoothing, 0.0, 0.5)?;
        policy_lora(&self.lora)?;
        self.rollout.validate().map_err(|e| e.at("rollout"))?;
        self.optimizer.validate().map_err(|e| e.at("optimizer"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErrorCode, RlhfConfig, from_value};
    use serde_json::json;

    fn refused<T: serde::de::DeserializeOwned + std::fmt::Debug>(
        value: serde_json::Value,
        check: impl Fn(&T) -> Result<(), LabError>,
    ) -> (ErrorCode, String) {
        let read: Result<T, LabError> = from_value(value);
        let error = read.and_then(|config| check(&config)).unwrap_err();
        (error.code, error.field.unwrap_or_default())
    }

    #[test]
    fn defaults_are_valid() {
        RlhfConfig::default().validate().unwrap();
        GrpoConfig::default().validate().unwrap();
        DpoConfig::default().validate().unwrap();
    }

    #[test]
    fn what_cannot_work_is_named() {
        use ErrorCode::{InvalidConfig, UnknownKey};
        let rlhf = |value| refused(value, RlhfConfig::validate);
        let grpo = |value| refused(value, GrpoConfig::validate);
        assert_eq!(
            rlhf(json!({"ppo": {"batch_size": 64, "minibatches": 3}})),
            (InvalidConfig, "ppo.minibatches".into())
        );
        assert_eq!(
            rlhf(json!({"ppo": {"minibatches": 0}})),
            (InvalidConfig, "ppo.minibatches".into())
        );
        assert_eq!(
            rlhf(json!({"ppo": {"kl_coef": 0.1}})),
            (UnknownKey, "ppo.kl_coef".into())
        );
        assert_eq!(
            rlhf(json!({"reward": {"kind": "model", "pattern": "x"}})).0,
            UnknownKey
        );
        assert_eq!(
            rlhf(json!({"reward": {"kind": "pattern", "pattern": ""}})),
            (InvalidConfig, "reward.pattern".into())
        );
        assert_eq!(
            rlhf(json!({"rollout": {"temperature": 0}})),
            (InvalidConfig, "rollout.temperature".into())
        );
        assert_eq!(
            rlhf(json!({"reward_model": {"optimizer": {"learning_rate": -1.0}}})).1,
            "reward_model.optimizer.learning_rate"
        );
        assert_eq!(grpo(json!({"group": 1})), (InvalidConfig, "group".into()));
        assert_eq!(
            grpo(json!({"prompts": 3, "group": 3, "minibatches": 2})),
            (InvalidConfig, "minibatches".into())
        );
        assert_eq!(
            refused(json!({"beta": 0}), DpoConfig::validate),
            (InvalidConfig, "beta".into())
        );
    }
}
