//! Configurations of `GrpoStrategy` and `DpoStrategy`.

use crate::rlhf::{divides, policy_lora};
use crate::{
    LabError, LoraConfig, OnError, OptimizerConfig, PreferenceExample, ReportConfig, RewardConfig,
    RewardModelConfig, RolloutConfig, Settings,
};
use serde::{Deserialize, Serialize};

/// The place of the penalty for the divergence from the reference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Settings)]
#[serde(rename_all = "snake_case")]
pub enum KlPlacement {
    /// In the loss, by the estimator `exp(-l) - 1 + l` (Shao et al. 2024).
    #[default]
    #[setting(label = "The loss (k3)")]
    LossK3,
    /// In the loss, by half the squared log ratio; its gradient is the divergence's own.
    #[setting(label = "The loss (k2)")]
    LossK2,
    /// In the reward of each answer, before answers are compared.
    #[setting(label = "The reward")]
    Reward,
}

/// The way from the losses of tokens to the loss of a minibatch; names and definitions as in TRL's `GRPOConfig`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Settings)]
#[serde(rename_all = "snake_case")]
pub enum GrpoLossType {
    /// Mean over each answer's tokens, then over the answers (Shao et al. 2024, equation 3): a token of a long answer
    /// weighs less.
    #[setting(label = "GRPO")]
    Grpo,
    /// Mean over the tokens of the minibatch.
    #[setting(label = "BNPO")]
    Bnpo,
    /// Sum over the tokens, divided by the number of answers times the maximum tokens of an answer (Liu et al. 2025).
    #[setting(label = "Dr. GRPO")]
    DrGrpo,
    /// Sum over the tokens, divided by the mean number of tokens in the update's minibatches (Yu et al. 2025).
    #[default]
    #[setting(label = "DAPO")]
    Dapo,
}

/// The divisor of advantages; names and definitions as in TRL's `GRPOConfig`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Settings)]
#[serde(rename_all = "snake_case")]
pub enum ScaleRewards {
    /// The deviation of the rewards in their group (Shao et al. 2024).
    #[default]
    #[setting(label = "The group's deviation")]
    Group,
    /// The deviation of all rewards of the update.
    #[setting(label = "The update's deviation")]
    Batch,
    /// Nothing (Liu et al. 2025).
    #[setting(label = "Nothing")]
    None,
}

/// Settings of `GrpoStrategy`: group relative policy optimisation (Shao et al. 2024). Answers to one prompt are
/// compared with each other, so no value has to be learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Settings)]
#[serde(default, deny_unknown_fields)]
#[settings(check = Self::fits)]
pub struct GrpoConfig {
    /// The source of an answer's reward.
    pub reward: RewardConfig,
    /// The reward model.
    #[setting(group = Reward, when(reward.kind = "model"))]
    pub reward_model: RewardModelConfig,
    /// Sampling of the answers.
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
    /// Answers that go through the model at once; 0 is a minibatch. Fewer need less memory and more time.
    ///
    /// No result changes by it beyond rounding.
    #[setting(label = "Micro-batch", range = 0..=65_536, group = Policy)]
    pub micro_batch_size: usize,
    /// Times that each answer is learned from.
    #[setting(range = 1..=1000, default = 2, group = Policy)]
    pub epochs: usize,
    /// Limit of the change of a token's probability in an update.
    #[setting(range = 1e-6..=10.0, default = 0.2, group = Policy)]
    pub clip: f64,
    /// Cost of a nat of divergence from the reference.
    #[setting(label = "KL coefficient", range = 0.0..=1e3, default = 0.05)]
    pub kl_coefficient: f64,
    /// The place of the penalty for the divergence from the reference.
    #[setting(label = "KL stands in", group = Policy)]
    pub kl: KlPlacement,
    /// The way from the losses of tokens to the loss of a minibatch.
    #[setting(label = "Loss", group = Policy)]
    pub loss_type: GrpoLossType,
    /// The divisor of advantages.
    #[setting(label = "Scale advantages by", group = Policy)]
    pub scale_rewards: ScaleRewards,
    /// The update ends at this divergence from the policy that sampled; 0 is never.
    ///
    /// In nats a token: half the mean squared log ratio.
    #[setting(label = "Largest KL", range = 0.0..=1e3, default = 0.1, unit = "nats", group = Policy)]
    pub maximum_kl: f64,
    /// The optimiser of the policy.
    pub optimizer: OptimizerConfig,
    /// Trains low-rank matrices on the frozen reference instead of all weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[setting(label = "Adapter only", group = Adapter)]
    pub lora: Option<LoraConfig>,
    /// Evaluations, samples and checkpoints during the training.
    #[setting(group = Evaluation)]
    pub report: ReportConfig,
    /// Treatment of a row of the data that cannot be used.
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
    /// Sequences that go through the model at once, two a preference; 0 is all of a step. Fewer need less memory and
    /// more time.
    ///
    /// No result changes by it beyond rounding.
    #[setting(label = "Micro-batch", range = 0..=8192, group = Policy)]
    pub micro_batch_size: usize,
    /// Weight of the divergence from the reference: the larger, the nearer the policy stays.
    #[setting(range = 1e-6..=1e3, default = 0.1)]
    pub beta: f64,
    /// Assumed share of wrong preferences.
    #[setting(label = "Wrong labels", range = 0.0..=0.5, group = Policy)]
    pub label_smoothing: f64,
    /// The optimiser of the policy.
    pub optimizer: OptimizerConfig,
    /// Trains low-rank matrices on the frozen reference instead of all weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[setting(label = "Adapter only", group = Adapter)]
    pub lora: Option<LoraConfig>,
    /// Sampling of the answers for samples and evaluations.
    #[setting(group = Answers)]
    pub rollout: RolloutConfig,
    /// Evaluations, samples and checkpoints during the training.
    #[setting(group = Evaluation)]
    pub report: ReportConfig,
    /// Treatment of a row of the data that cannot be used.
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
    use crate::{ErrorCode, FineTuningConfig, RlhfConfig, from_settings, from_value};
    use serde_json::json;

    fn refused<T: serde::de::DeserializeOwned + std::fmt::Debug>(
        value: serde_json::Value,
        check: impl Fn(&T) -> Result<(), LabError>,
    ) -> (ErrorCode, String) {
        let read: Result<T, LabError> = from_value(value);
        let error = read.and_then(|config| check(&config)).unwrap_err();
        (error.code, error.field.unwrap_or_default())
    }

    /// Strategies that start from a trained model learn as TRL's trainers do, even if only a part of the settings is
    /// given.
    #[test]
    fn a_part_takes_the_defaults_of_its_place() {
        let rlhf: RlhfConfig = from_settings(json!({
            "reward": {"kind": "length", "tokens": 3},
            "reward_model": {"steps": 5},
            "ppo": {"optimizer": {"warmup_steps": 3}}
        }))
        .unwrap();
        assert_eq!(rlhf.reward, RewardConfig::Length { tokens: 3 });
        let optimizer = &rlhf.ppo.optimizer;
        assert_eq!((optimizer.learning_rate, optimizer.warmup_steps), (3e-6, 3));
        assert_eq!(rlhf.reward_model.optimizer.learning_rate, 1e-4);
        let optimizer = json!({"optimizer": {"beta2": 0.95}});
        let dpo: DpoConfig = from_settings(optimizer.clone()).unwrap();
        let grpo: GrpoConfig = from_settings(optimizer).unwrap();
        for optimizer in [&dpo.optimizer, &grpo.optimizer] {
            let found = (
                optimizer.learning_rate,
                optimizer.beta2,
                optimizer.weight_decay,
            );
            assert_eq!(found, (1e-6, 0.95, 0.0));
        }
        let tuning: FineTuningConfig = from_settings(json!({"training": {"steps": 7}})).unwrap();
        let training = &tuning.training;
        let found = (
            training.steps,
            training.learning_rate,
            training.weight_decay,
        );
        assert_eq!(found, (7, 2e-4, 0.0));
        let whole: Result<RlhfConfig, LabError> = from_settings(json!({"ppo": {"clips": 1}}));
        assert_eq!(whole.unwrap_err().field.as_deref(), Some("ppo.clips"));
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
