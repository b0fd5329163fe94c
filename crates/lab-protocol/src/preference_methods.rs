//! Configurations of `GrpoStrategy` and `DpoStrategy`.

use crate::rlhf::{divides, policy_lora};
use crate::{
    LabError, LoraConfig, OnError, OptimizerConfig, PreferenceExample, ReportConfig, RewardConfig,
    RewardModelConfig, RolloutConfig, Settings,
};
use serde::{Deserialize, Serialize};

/// Where the divergence from the reference is held against a policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Settings)]
#[serde(rename_all = "snake_case")]
pub enum KlPlacement {
    /// In the loss, by the estimator `exp(-l) - 1 + l` (Shao et al. 2024).
    #[default]
    #[setting(label = "The loss (k3)")]
    LossK3,
    /// In the loss, by half the squared log ratio, whose gradient is the divergence's own.
    #[setting(label = "The loss (k2)")]
    LossK2,
    /// In the reward of each answer, before answers are compared.
    #[setting(label = "The reward")]
    Reward,
}

/// Settings of `GrpoStrategy`: group relative policy optimisation (Shao et al. 2024). Answers to one prompt are
/// compared with each other, so that no value has to be learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Settings)]
#[serde(default, deny_unknown_fields)]
#[settings(check = Self::fits)]
pub struct GrpoConfig {
    /// Where the reward of an answer comes from.
    pub reward: RewardConfig,
    /// The reward model.
    #[setting(group = Reward, when(reward.kind = "model"))]
    pub reward_model: RewardModelConfig,
    /// How answers are sampled.
    #[setting(group = Answers)]
    pub rollout: RolloutConfig,
    /// Updates, each on answers sampled for it.
    #[setting(range = 1..=1_000_000, default = 60)]
    pub steps: usize,
    /// Prompts of an update.
    #[setting(range = 1..=65_536, default = 8)]
    pub prompts: usize,
    /// Answers to each prompt, compared with each other.
    #[setting(range = 2..=4096, default = 8)]
    pub group: usize,
    /// Parts of the answers that are learned from one after the other; a divisor of prompts · group.
    #[setting(range = 1.., default = 4, group = Policy)]
    pub minibatches: usize,
    /// Times that each answer is learned from.
    #[setting(range = 1..=1000, default = 2, group = Policy)]
    pub epochs: usize,
    /// How far an update may move a token's probability.
    #[setting(range = 1e-6..=10.0, default = 0.2, group = Policy)]
    pub clip: f64,
    /// Cost of a nat of divergence from the reference.
    #[setting(label = "KL coefficient", range = 0.0..=1e3, default = 0.05)]
    pub kl_coefficient: f64,
    /// Where the divergence from the reference is held against the policy.
    #[setting(label = "KL stands in", group = Policy)]
    pub kl: KlPlacement,
    /// Divides advantages by the deviation of their group.
    #[setting(default = true, group = Policy)]
    pub scale_advantages: bool,
    /// An update ends this far from the policy that sampled; 0 is never.
    ///
    /// In nats a token: half the mean squared log ratio.
    #[setting(label = "Largest KL", range = 0.0..=1e3, default = 0.1, unit = "nats", group = Policy)]
    pub maximum_kl: f64,
    /// How the policy's weights are updated.
    pub optimizer: OptimizerConfig,
    /// Trains low-rank matrices on the frozen reference instead of all weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[setting(label = "Adapter only", group = Adapter)]
    pub lora: Option<LoraConfig>,
    /// What is measured and kept meanwhile.
    #[setting(group = Evaluation)]
    pub report: ReportConfig,
    /// What becomes of a row of the data that cannot be used.
    #[setting(label = "Bad rows", group = Data)]
    pub on_error: OnError,
    /// Preferences to learn from instead of the data's, such as {"prompt": "…", "chosen": "…", "rejected": "…"}, one a
    /// line. Compare answers of a model below to collect some.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[setting(label = "Collected pairs", group = Data, when(reward.kind = "model"))]
    pub preferences: Vec<PreferenceExample>,
}

impl GrpoConfig {
    fn fits(&self) -> Result<(), LabError> {
        divides(
            self.minibatches,
            self.prompts * self.group,
            "prompts · group",
        )?;
        policy_lora(&self.lora)
    }
}

/// Settings of `DpoStrategy`: direct preference optimisation (Rafailov et al. 2023), which needs neither a reward
/// model nor samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Settings)]
#[serde(default, deny_unknown_fields)]
#[settings(check = Self::policy_is_one)]
pub struct DpoConfig {
    /// Updates of the weights.
    #[setting(range = 1..=1_000_000, default = 120)]
    pub steps: usize,
    /// Preferences in a step.
    #[setting(label = "Batch", range = 1..=4096, default = 16)]
    pub batch_size: usize,
    /// Weight of the divergence from the reference: the larger, the nearer the policy stays.
    #[setting(range = 1e-6..=1e3, default = 0.1)]
    pub beta: f64,
    /// Share of the preferences that are held to be wrong.
    #[setting(label = "Wrong labels", range = 0.0..=0.5, group = Policy)]
    pub label_smoothing: f64,
    /// How the policy's weights are updated.
    #[setting(default = OptimizerConfig { warmup_steps: 10, ..Default::default() })]
    pub optimizer: OptimizerConfig,
    /// Trains low-rank matrices on the frozen reference instead of all weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[setting(label = "Adapter only", group = Adapter)]
    pub lora: Option<LoraConfig>,
    /// How answers for samples and evaluations are written.
    #[setting(group = Answers)]
    pub rollout: RolloutConfig,
    /// What is measured and kept meanwhile.
    #[setting(group = Evaluation)]
    pub report: ReportConfig,
    /// What becomes of a row of the data that cannot be used.
    #[setting(label = "Bad rows", group = Data)]
    pub on_error: OnError,
    /// Preferences to learn from instead of the data's, such as {"prompt": "…", "chosen": "…", "rejected": "…"}, one a
    /// line. Compare answers of a model below to collect some.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[setting(label = "Collected pairs", group = Data)]
    pub preferences: Vec<PreferenceExample>,
}

impl DpoConfig {
    fn policy_is_one(&self) -> Result<(), LabError> {
        policy_lora(&self.lora)
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
