//! `RlhfStrategy`'s configuration, and what the other strategies that learn from preferences share with it.

use crate::checks::{number, whole};
use crate::{LabError, LoraConfig, PreferenceExample, TrainingConfig};
use serde::{Deserialize, Serialize};

/// Where the reward of an answer comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum RewardConfig {
    /// A model trained on preferences.
    Model {},
    /// `weight` for each place of the answer where the regular expression matches.
    Pattern {
        pattern: String,
        #[serde(default = "one")]
        weight: f64,
    },
    /// 0 for an answer of so many tokens, and down to -1 the further it is from that.
    Length { tokens: usize },
    /// A function that the program around the lab supplies.
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
    pub fn validate(&self) -> Result<(), LabError> {
        match self {
            Self::Model {} | Self::Function {} => Ok(()),
            Self::Pattern { pattern, weight } => {
                number("weight", *weight, -1e6, 1e6)?;
                if pattern.is_empty() {
                    return Err(LabError::config(
                        "pattern",
                        "the pattern is empty, and would match everywhere",
                        "Give a regular expression, e.g. \"please|thank you\".",
                    ));
                }
                Ok(())
            }
            Self::Length { tokens } => whole("tokens", *tokens, 1, 100_000),
        }
    }
}

/// AdamW and the rate's schedule: a linear warm-up, then a straight line down to the lowest rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct OptimizerConfig {
    pub learning_rate: f64,
    pub minimum_learning_rate: f64,
    pub warmup_steps: usize,
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub weight_decay: f64,
    /// Largest global norm of the gradient; 0 means no clipping.
    pub gradient_clip: f64,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            learning_rate: 3e-4,
            minimum_learning_rate: 0.0,
            warmup_steps: 0,
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 1e-8,
            weight_decay: 0.0,
            gradient_clip: 1.0,
        }
    }
}

impl OptimizerConfig {
    /// The same for a trainer of `steps` steps.
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

    pub fn validate(&self) -> Result<(), LabError> {
        self.training(1).validate()
    }
}

/// How a reward model is trained on preferences (Stiennon et al. 2020) before the policy is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct RewardModelConfig {
    pub steps: usize,
    /// Pairs in a step.
    pub batch_size: usize,
    /// Weight of the squared sum of both rewards, which keeps them around 0.
    pub centre: f64,
    /// Adapts the trunk by low-rank matrices instead of training all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lora: Option<LoraConfig>,
    /// Brings rewards to mean 0 and deviation 1 over answers of the reference policy.
    pub normalise: bool,
    /// Answers by which that is measured.
    pub normalisation_samples: usize,
    /// Steps between evaluations on held-out pairs; 0 means at the end only.
    pub evaluation_interval: usize,
    pub optimizer: OptimizerConfig,
}

impl Default for RewardModelConfig {
    fn default() -> Self {
        Self {
            steps: 120,
            batch_size: 16,
            centre: 0.01,
            lora: None,
            normalise: true,
            normalisation_samples: 128,
            evaluation_interval: 20,
            optimizer: OptimizerConfig {
                warmup_steps: 10,
                ..Default::default()
            },
        }
    }
}

impl RewardModelConfig {
    pub fn validate(&self) -> Result<(), LabError> {
        whole("steps", self.steps, 1, 1_000_000)?;
        whole("batch_size", self.batch_size, 1, 4096)?;
        number("centre", self.centre, 0.0, 1e3)?;
        let samples = self.normalisation_samples;
        whole("normalisation_samples", samples, 2, 100_000)?;
        lora(&self.lora)?;
        self.optimizer.validate().map_err(|e| e.at("optimizer"))
    }
}

/// How answers are sampled. There are no filters: the policy that is improved is the one that samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct RolloutConfig {
    /// Most tokens of an answer.
    pub response_tokens: usize,
    /// Divides the logits of policy and reference alike.
    pub temperature: f64,
    /// A text of one token that ends an answer; empty means the tokenizer's end of text, if it has one.
    pub stop: String,
    /// Subtracted from the score of an answer that did not come to its end.
    pub missing_eos_penalty: f64,
}

impl Default for RolloutConfig {
    fn default() -> Self {
        Self {
            response_tokens: 40,
            temperature: 1.0,
            stop: String::new(),
            missing_eos_penalty: 1.0,
        }
    }
}

impl RolloutConfig {
    pub fn validate(&self) -> Result<(), LabError> {
        whole("response_tokens", self.response_tokens, 1, 32_768)?;
        // A temperature of 0 has no log-probabilities.
        number("temperature", self.temperature, 1e-3, 100.0)?;
        let penalty = self.missing_eos_penalty;
        number("missing_eos_penalty", penalty, 0.0, 1e6)
    }
}

/// What is measured and kept while the policy is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ReportConfig {
    /// Steps between evaluations on what is held out; 0 means before the first step and after the last only.
    pub evaluation_interval: usize,
    /// Held-out prompts that are answered in an evaluation; 0 means all.
    pub evaluation_prompts: usize,
    /// Steps between samples.
    pub sample_interval: usize,
    /// Answers shown each time.
    pub samples: usize,
    /// Steps between checkpoints to resume from; 0 means none.
    pub checkpoint_interval: usize,
}

impl Default for ReportConfig {
    fn default() -> Self {
        Self {
            evaluation_interval: 0,
            evaluation_prompts: 200,
            sample_interval: 10,
            samples: 2,
            checkpoint_interval: 20,
        }
    }
}

/// Proximal policy optimisation (Schulman et al. 2017) with a penalty on the divergence from a reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct PpoConfig {
    /// Updates, each on answers that were sampled for it.
    pub steps: usize,
    /// Answers of an update.
    pub batch_size: usize,
    /// Parts of the batch that are learned from one after the other; a divisor of `batch_size`.
    pub minibatches: usize,
    /// Times that each answer is learned from.
    pub epochs: usize,
    /// What a nat of divergence from the reference costs.
    pub kl_coefficient: f64,
    /// Nats a sequence towards which the coefficient is moved; none keeps it fixed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kl_target: Option<f64>,
    /// Sequences over which the coefficient adapts.
    pub kl_horizon: f64,
    pub gamma: f64,
    pub lambda: f64,
    pub clip: f64,
    pub value_clip: f64,
    pub value_coefficient: f64,
    pub entropy_coefficient: f64,
    /// Divides rewards by their deviation, keeping their mean.
    pub whiten_rewards: bool,
    /// An update ends when the policy is this far from the one that sampled, in nats a token (half the
    /// mean squared log ratio); 0 means never.
    pub maximum_kl: f64,
    pub optimizer: OptimizerConfig,
}

impl Default for PpoConfig {
    fn default() -> Self {
        Self {
            steps: 60,
            batch_size: 64,
            minibatches: 4,
            epochs: 4,
            kl_coefficient: 0.05,
            kl_target: None,
            kl_horizon: 10_000.0,
            gamma: 1.0,
            lambda: 0.95,
            clip: 0.2,
            value_clip: 0.2,
            value_coefficient: 0.1,
            entropy_coefficient: 0.0,
            whiten_rewards: false,
            maximum_kl: 0.1,
            optimizer: OptimizerConfig::default(),
        }
    }
}

impl PpoConfig {
    pub fn validate(&self) -> Result<(), LabError> {
        whole("steps", self.steps, 1, 1_000_000)?;
        whole("batch_size", self.batch_size, 2, 65_536)?;
        divides(self.minibatches, self.batch_size, "batch_size")?;
        whole("epochs", self.epochs, 1, 1000)?;
        number("kl_coefficient", self.kl_coefficient, 0.0, 1e3)?;
        if let Some(target) = self.kl_target {
            number("kl_target", target, 1e-6, 1e6)?;
        }
        number("kl_horizon", self.kl_horizon, 1.0, 1e12)?;
        number("gamma", self.gamma, 0.0, 1.0)?;
        number("lambda", self.lambda, 0.0, 1.0)?;
        number("clip", self.clip, 1e-6, 10.0)?;
        number("value_clip", self.value_clip, 1e-6, 1e6)?;
        number("value_coefficient", self.value_coefficient, 0.0, 1e3)?;
        number("entropy_coefficient", self.entropy_coefficient, 0.0, 1e3)?;
        number("maximum_kl", self.maximum_kl, 0.0, 1e3)?;
        self.optimizer.validate().map_err(|e| e.at("optimizer"))
    }
}

/// `RlhfStrategy`'s configuration. Model and tokenizer are those of the run it starts from, which is the
/// reference too.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct RlhfConfig {
    pub reward: RewardConfig,
    /// Read where the reward is a model.
    pub reward_model: RewardModelConfig,
    pub rollout: RolloutConfig,
    pub ppo: PpoConfig,
    /// Trains an adapter on the frozen reference instead of all weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lora: Option<LoraConfig>,
    pub report: ReportConfig,
    /// Pairs to learn from instead of the data's, as they were collected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub preferences: Vec<PreferenceExample>,
}

impl RlhfConfig {
    pub fn validate(&self) -> Result<(), LabError> {
        self.reward.validate().map_err(|e| e.at("reward"))?;
        let model = self.reward_model.validate();
        model.map_err(|e| e.at("reward_model"))?;
        self.rollout.validate().map_err(|e| e.at("rollout"))?;
        self.ppo.validate().map_err(|e| e.at("ppo"))?;
        policy_lora(&self.lora)
    }
}

fn lora(config: &Option<LoraConfig>) -> Result<(), LabError> {
    let checked = config.as_ref().map_or(Ok(()), LoraConfig::validate);
    checked.map_err(|error| error.at("lora"))
}

/// An adapter of a policy, which must find what it wrote as likely when it learns as when it wrote.
pub(crate) fn policy_lora(config: &Option<LoraConfig>) -> Result<(), LabError> {
    lora(config)?;
    match config {
        Some(config) if config.dropout > 0.0 => Err(LabError::config(
            "lora.dropout",
            "a policy that drops out while it learns is not the one that is compared",
            "Use a dropout of 0.",
        )),
        _ => Ok(()),
    }
}

pub(crate) fn divides(minibatches: usize, answers: usize, of: &str) -> Result<(), LabError> {
    if minibatches > 0 && answers.is_multiple_of(minibatches) {
        return Ok(());
    }
    Err(LabError::config(
        "minibatches",
        format!("{minibatches} minibatches do not divide {answers} answers ({of})"),
        "Choose a divisor, e.g. 4 minibatches of 64 answers.",
    ))
}
