//! `RlhfStrategy`'s configuration, and the parts that other strategies for preferences share with it.

use crate::training::rates_fall;
use crate::{
    ABOVE_ZERO, LabError, LoraConfig, OnError, PreferenceExample, Settings, TrainingConfig, text,
};
use serde::{Deserialize, Serialize};

/// The source of an answer's reward.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Settings)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[settings(check = Self::matches_something)]
pub enum RewardConfig {
    /// A model trained on preferences.
    #[setting(label = "A model of preferences")]
    Model {},
    /// `weight` for each match of the regular expression in the answer.
    #[setting(label = "A pattern")]
    Pattern {
        /// A regular expression, such as please|thank you.
        pattern: String,
        /// Reward for each match of the pattern.
        #[serde(default = "one")]
        #[setting(range = -1e6..=1e6)]
        weight: f64,
    },
    /// 0 for an answer of this many tokens, and down to -1 the further its length differs.
    #[setting(label = "The length")]
    Length {
        /// The length that is rewarded most.
        #[setting(range = 1..=100_000, unit = "tokens")]
        tokens: usize,
    },
    /// A function that the program around the lab supplies.
    #[setting(label = "A function")]
    Function {},
}

fn one() -> f64 {
    1.0
}

impl Default for RewardConfig {
    fn default() -> Self {
        Self::Model {}
    }
}

impl RewardConfig {
    fn matches_something(&self) -> Result<(), LabError> {
        match self {
            Self::Pattern { pattern, .. } if pattern.is_empty() => Err(LabError::config(
                "pattern",
                "the pattern is empty, and would match everywhere",
                "Give a regular expression, e.g. \"please|thank you\".",
            )),
            _ => Ok(()),
        }
    }
}

/// AdamW and the schedule of the rate: a linear warm-up, then a straight line down to the minimum rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Settings)]
#[serde(default, deny_unknown_fields)]
#[settings(check = Self::rates_fall)]
pub struct OptimizerConfig {
    /// The maximum learning rate, reached after the warm-up.
    ///
    /// The default is that of TRL's trainers: 3e-6 (`PPOConfig`), 1e-6 (`GRPOConfig`, `DPOConfig`), 1e-4 for a reward
    /// model (`RewardConfig`). Adapters and small models need larger ones: TRL's examples with LoRA have ten times as
    /// much.
    #[setting(range = 0.0..=10.0, default = 1e-6)]
    pub learning_rate: f64,
    /// Learning rate at the end of the schedule.
    #[setting(label = "Lowest rate", range = 0.0..=10.0, group = Optimiser)]
    pub minimum_learning_rate: f64,
    /// Steps in which the rate rises from 0.
    #[setting(label = "Warm-up steps", range = 0.., group = Optimiser)]
    pub warmup_steps: usize,
    /// Memory of AdamW's mean.
    #[setting(label = "Beta 1", range = 0.0..=0.999_999, default = 0.9, group = Optimiser)]
    pub beta1: f64,
    /// Memory of AdamW's variance.
    #[setting(label = "Beta 2", range = 0.0..=0.999_999, default = 0.99, group = Optimiser)]
    pub beta2: f64,
    /// Keeps AdamW from dividing by 0.
    #[setting(range = ABOVE_ZERO..=1.0, default = 1e-8, group = Optimiser)]
    pub epsilon: f64,
    /// Pull of matrices and embeddings towards 0.
    #[setting(range = 0.0..=10.0, group = Optimiser)]
    pub weight_decay: f64,
    /// Largest global norm of the gradient; 0 is no limit.
    #[setting(range = 0.0..=1e6, default = 1.0, group = Optimiser)]
    pub gradient_clip: f64,
}

impl OptimizerConfig {
    /// The same settings for a trainer of `steps` steps.
    pub fn training(&self, steps: usize) -> TrainingConfig {
        TrainingConfig {
            steps,
            learning_rate: self.learning_rate,
            minimum_learning_rate: self.minimum_learning_rate,
            warmup_steps: self.warmup_steps,
            schedule: crate::Schedule::Linear,
            beta1: self.beta1,
            beta2: self.beta2,
            epsilon: self.epsilon,
            weight_decay: self.weight_decay,
            gradient_clip: self.gradient_clip,
            ..Default::default()
        }
    }

    fn rates_fall(&self) -> Result<(), LabError> {
        rates_fall(self.learning_rate, self.minimum_learning_rate)
    }
}

/// Settings of the reward model, which learns from preferences before the policy does (Stiennon et al. 2020).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Settings)]
#[serde(default, deny_unknown_fields)]
pub struct RewardModelConfig {
    /// Updates of the reward model, before the policy learns.
    #[setting(label = "Reward steps", range = 1..=1_000_000, default = 120)]
    pub steps: usize,
    /// Preferences in a step of the reward model.
    #[setting(label = "Pairs", range = 1..=4096, default = 16)]
    pub batch_size: usize,
    /// Sequences that go through the model at once, two a preference; 0 is all of a step. Fewer need less memory and
    /// more time.
    ///
    /// No result changes by it beyond rounding, unless an adapter drops out: what it drops is drawn for each pass.
    #[setting(label = "Micro-batch", range = 0..=8192)]
    pub micro_batch_size: usize,
    /// Weight of the squared sum of both rewards, which keeps them around 0.
    #[setting(range = 0.0..=1e3, default = 0.01)]
    pub centre: f64,
    /// Adapts the reward model by low-rank matrices instead of training all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[setting(label = "Low-rank reward")]
    pub lora: Option<LoraConfig>,
    /// Brings rewards to mean 0 and deviation 1 over answers of the reference policy.
    #[setting(default = true)]
    pub normalise: bool,
    /// Number of the reference policy's answers by which mean and deviation are measured.
    #[setting(label = "Answers to normalise by", range = 2..=100_000, default = 128)]
    pub normalisation_samples: usize,
    /// Steps between evaluations on held-out preferences; 0 is at the end only.
    #[setting(label = "Evaluate reward every", range = 0.., default = 20, unit = "steps")]
    pub evaluation_interval: usize,
    /// The optimiser of the reward model.
    #[setting(default = OptimizerConfig { learning_rate: 1e-4, ..Default::default() })]
    pub optimizer: OptimizerConfig,
}

/// Settings of sampling. There are no filters: the policy that is improved is the one that samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Settings)]
#[serde(default, deny_unknown_fields)]
pub struct RolloutConfig {
    /// Tokens of an answer, at most.
    #[setting(label = "Longest answer", range = 1..=32_768, default = 40, unit = "tokens")]
    pub response_tokens: usize,
    /// Divides the logits of policy and reference alike; a higher temperature samples more freely.
    ///
    /// A temperature of 0 has no log-probabilities.
    #[setting(range = 1e-3..=100.0, default = 1.0)]
    pub temperature: f64,
    /// A text of one token that ends an answer; empty is the tokenizer's own, if it has one.
    #[setting(label = "Ends with")]
    pub stop: String,
    /// Taken off the score of an answer that does not end.
    #[setting(label = "Unfinished", range = 0.0..=1e6, default = 1.0)]
    pub missing_eos_penalty: f64,
}

/// Evaluations, samples and checkpoints during the training of the policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Settings)]
#[serde(default, deny_unknown_fields)]
pub struct ReportConfig {
    /// Steps between evaluations on held-out prompts; 0 is before the first and after the last.
    #[setting(label = "Evaluate every", range = 0.., unit = "steps")]
    pub evaluation_interval: usize,
    /// Held-out prompts that are answered in an evaluation; 0 is all.
    #[setting(label = "Prompts", range = 0.., default = 200)]
    pub evaluation_prompts: usize,
    /// Steps between samples; 0 is none.
    #[setting(label = "Sample every", range = 0.., default = 10, unit = "steps")]
    pub sample_interval: usize,
    /// Answers shown each time.
    #[setting(range = 0.., default = 2)]
    pub samples: usize,
    /// Steps between states from which a run can be continued; 0 is none.
    #[setting(label = "Checkpoint every", range = 0.., default = 20, unit = "steps")]
    pub checkpoint_interval: usize,
}

/// Proximal policy optimisation (Schulman et al. 2017) with a penalty on the divergence from a reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Settings)]
#[serde(default, deny_unknown_fields)]
#[settings(check = Self::minibatches_divide)]
pub struct PpoConfig {
    /// Updates, each on answers sampled for it.
    #[setting(range = 1..=1_000_000, default = 60)]
    pub steps: usize,
    /// Answers of an update.
    #[setting(label = "Batch", range = 2..=65_536, default = 64)]
    pub batch_size: usize,
    /// Parts of the batch that are learned from one after the other; a divisor of it.
    #[setting(range = 1.., default = 4, group = Policy)]
    pub minibatches: usize,
    /// Answers that go through the model at once; 0 is a minibatch. Fewer need less memory and more time.
    ///
    /// No result changes by it beyond rounding.
    #[setting(label = "Micro-batch", range = 0..=65_536, group = Policy)]
    pub micro_batch_size: usize,
    /// Times that each answer is learned from.
    #[setting(range = 1..=1000, default = 4, group = Policy)]
    pub epochs: usize,
    /// Cost of a nat of divergence from the reference.
    #[setting(label = "KL coefficient", range = 0.0..=1e3, default = 0.05)]
    pub kl_coefficient: f64,
    /// Nats an answer towards which the coefficient adapts; empty keeps it fixed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[setting(label = "KL target", range = 1e-6..=1e6, unit = "nats", group = Policy)]
    pub kl_target: Option<f64>,
    /// Answers over which the coefficient adapts.
    #[setting(label = "KL horizon", range = 1.0..=1e12, default = 10_000.0, group = Policy)]
    pub kl_horizon: f64,
    /// Weight of later rewards.
    #[setting(range = 0.0..=1.0, default = 1.0, group = Policy)]
    pub gamma: f64,
    /// Between the value's guess (0) and the rewards themselves (1).
    #[setting(range = 0.0..=1.0, default = 0.95, group = Policy)]
    pub lambda: f64,
    /// Limit of the change of a token's probability in an update.
    #[setting(range = 1e-6..=10.0, default = 0.2, group = Policy)]
    pub clip: f64,
    /// Limit of the change of a value in an update.
    #[setting(range = 1e-6..=1e6, default = 0.2, group = Policy)]
    pub value_clip: f64,
    /// Weight of the value's loss.
    #[setting(label = "Value weight", range = 0.0..=1e3, default = 0.1, group = Policy)]
    pub value_coefficient: f64,
    /// Reward for staying undecided.
    #[setting(label = "Entropy weight", range = 0.0..=1e3, group = Policy)]
    pub entropy_coefficient: f64,
    /// Divides rewards by their deviation, keeping their mean.
    #[setting(group = Policy)]
    pub whiten_rewards: bool,
    /// The update ends at this divergence from the policy that sampled; 0 is never.
    ///
    /// In nats a token: half the mean squared log ratio.
    #[setting(label = "Largest KL", range = 0.0..=1e3, default = 0.1, unit = "nats", group = Policy)]
    pub maximum_kl: f64,
    /// The optimiser of the policy.
    #[setting(default = OptimizerConfig { learning_rate: 3e-6, ..Default::default() })]
    pub optimizer: OptimizerConfig,
}

impl PpoConfig {
    fn minibatches_divide(&self) -> Result<(), LabError> {
        divides(self.minibatches, self.batch_size, "batch_size")
    }
}

/// Settings of `RlhfStrategy`. Model and tokenizer come from the run that it starts from, which is also the
/// reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Settings)]
#[serde(default, deny_unknown_fields)]
#[settings(check = Self::policy_is_one)]
pub struct RlhfConfig {
    /// The source of an answer's reward.
    pub reward: RewardConfig,
    /// The reward model.
    #[setting(group = Reward, when(reward.kind = "model"))]
    pub reward_model: RewardModelConfig,
    /// Sampling of the answers.
    #[setting(group = Answers)]
    pub rollout: RolloutConfig,
    /// The improvement of the policy.
    #[setting(label = "PPO")]
    pub ppo: PpoConfig,
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

impl RlhfConfig {
    fn policy_is_one(&self) -> Result<(), LabError> {
        policy_lora(&self.lora)
    }
}

/// The adapter of a policy. It must have no dropout: text must be as likely in training as when it was written.
pub(crate) fn policy_lora(config: &Option<LoraConfig>) -> Result<(), LabError> {
    match config {
        Some(config) if config.dropout > 0.0 => Err(LabError::config(
            "lora.dropout",
            "a policy that drops out while it learns is not the one that is compared",
            "Use a dropout of 0.",
        )),
        _ => Ok(()),
    }
}

/// An error unless the answers can be cut into this many equal parts.
pub(crate) fn divides(minibatches: usize, answers: usize, of: &str) -> Result<(), LabError> {
    if answers.is_multiple_of(minibatches) {
        return Ok(());
    }
    Err(LabError::config(
        "minibatches",
        text!(
            "{minibatches} minibatches do not divide {answers} answers ({of})",
            minibatches = minibatches,
            answers = answers,
            of = of,
        ),
        "Choose a divisor, e.g. 4 minibatches of 64 answers.",
    ))
}
