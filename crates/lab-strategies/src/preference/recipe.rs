//! The differences between the ways of improving a policy, and the configuration that all share.

use super::data::PreferenceData;
use super::experience::Experience;
use super::reward::expression;
use super::update::UpdateSettings;
use crate::run::context::TrainingData;
use lab_protocol::{
    LabError, LoraConfig, OnError, OptimizerConfig, PreferenceExample, ReportConfig, RewardConfig,
    RewardModelConfig, RolloutConfig,
};
use serde_json::Value;

/// One way of improving a policy: the parts in which it differs from others.
pub(crate) trait Recipe {
    /// Number of updates.
    fn steps(&self) -> usize;

    /// Number of prompts in an update, and of answers to each of them.
    fn answers(&self) -> (usize, usize);

    /// Number of sequences in a minibatch.
    fn minibatch(&self) -> usize {
        let (prompts, group) = self.answers();
        prompts * group / self.minibatches().max(1)
    }

    fn minibatches(&self) -> usize;

    /// Number of answers that go through the policy at once; 0 means a minibatch.
    fn micro_batch_size(&self) -> usize;

    fn optimizer(&self) -> &OptimizerConfig;

    /// The current cost of a nat of divergence.
    fn kl_coefficient(&self) -> f64;

    /// Adapts the coefficient to the divergence of an update's sequences, in nats a sequence.
    fn adapt(&mut self, _kl: f64, _sequences: usize) {}

    /// Continues with a coefficient that was adapted earlier.
    fn restore_kl(&mut self, _coefficient: f64) {}

    /// Computes the advantages from the score of each sequence.
    fn estimate(&self, experience: &mut Experience, scores: &[f64]);

    /// The settings of update `step` (from 1). `given` already has device, context, temperature, seed and rate.
    fn settings<'a>(&self, given: UpdateSettings<'a>) -> UpdateSettings<'a>;
}

/// The parts of a configuration that all recipes share.
pub(crate) struct Shared {
    pub reward: RewardConfig,
    pub reward_model: RewardModelConfig,
    pub rollout: RolloutConfig,
    pub report: ReportConfig,
    pub lora: Option<LoraConfig>,
    pub preferences: Vec<PreferenceExample>,
    pub on_error: OnError,
    /// The whole configuration, with every default filled in.
    pub config: Value,
}

impl Shared {
    /// Checks the reward, and that the data contain the rows that the strategy learns from.
    pub fn check(&self, data: &TrainingData) -> Result<(), LabError> {
        if let RewardConfig::Pattern { pattern, .. } = &self.reward {
            expression(pattern).map_err(|error| error.at("config"))?;
        }
        let pairs = self.reward == RewardConfig::Model {};
        PreferenceData::check(data, pairs, &self.preferences, self.on_error)
    }
}
