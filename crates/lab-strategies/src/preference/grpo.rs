//! Group relative policy optimisation (Shao et al. 2024): several answers to each prompt are compared
//! with each other, and the policy moves towards the better ones. There is no value to learn.

use super::{
    Experience, PreferenceData, Recipe, Shared, UpdateSettings, expression, resolved, run_recipe,
    sums_of_differences,
};
use crate::run::context::{RunContext, TrainingData};
use crate::run::strategy::{Strategy, read_config};
use async_trait::async_trait;
use lab_model::rl::{KlEstimator, group_advantages};
use lab_protocol::{
    GrpoConfig, KlPlacement, LabError, OptimizerConfig, RewardConfig, RunResult, StrategyConfig,
};

/// Improves a policy by comparing its answers.
pub struct GrpoStrategy {
    config: GrpoConfig,
}

impl GrpoStrategy {
    /// Reads the strategy's part of an experiment; what is not given takes its default.
    pub fn new(config: &StrategyConfig) -> Result<Self, LabError> {
        Ok(Self {
            config: read_config(config)?,
        })
    }
}

#[async_trait(?Send)]
impl Strategy for GrpoStrategy {
    fn name(&self) -> &'static str {
        "grpo"
    }

    fn validate(&self, data: &TrainingData) -> Result<(), LabError> {
        self.config.validate().map_err(|error| error.at("config"))?;
        if let RewardConfig::Pattern { pattern, .. } = &self.config.reward {
            expression(pattern).map_err(|error| error.at("config"))?;
        }
        let pairs = self.config.reward == RewardConfig::Model {};
        PreferenceData::check(data, pairs, &self.config.preferences)
    }

    async fn train(&mut self, run: &mut RunContext) -> Result<RunResult, LabError> {
        let config = &self.config;
        let shared = Shared {
            reward: &config.reward,
            reward_model: &config.reward_model,
            rollout: &config.rollout,
            report: &config.report,
            lora: config.lora.as_ref(),
            preferences: &config.preferences,
            config: resolved(config)?,
        };
        let name = self.name();
        run_recipe(Groups { config }, shared, name, run).await
    }
}

/// Groups of answers to a prompt each.
struct Groups<'a> {
    config: &'a GrpoConfig,
}

impl Recipe for Groups<'_> {
    fn steps(&self) -> usize {
        self.config.steps
    }

    fn answers(&self) -> (usize, usize) {
        (self.config.prompts, self.config.group)
    }

    fn minibatches(&self) -> usize {
        self.config.minibatches
    }

    fn optimizer(&self) -> &OptimizerConfig {
        &self.config.optimizer
    }

    fn kl_coefficient(&self) -> f64 {
        self.config.kl_coefficient
    }

    fn estimate(&self, experience: &mut Experience, scores: &[f64]) {
        let config = self.config;
        let penalty = match config.kl {
            KlPlacement::Reward => config.kl_coefficient,
            KlPlacement::LossK2 | KlPlacement::LossK3 => 0.0,
        };
        let kl = sums_of_differences(experience);
        let rewards: Vec<f64> = scores
            .iter()
            .zip(&kl)
            .map(|(score, kl)| score - penalty * kl)
            .collect();
        let advantages = group_advantages(&rewards, config.group, config.scale_advantages);
        experience.advantages_of_sequences(&advantages);
    }

    fn settings<'s>(&self, given: UpdateSettings<'s>) -> UpdateSettings<'s> {
        let config = self.config;
        let estimator = match config.kl {
            KlPlacement::LossK3 => Some(KlEstimator::K3),
            KlPlacement::LossK2 => Some(KlEstimator::K2),
            KlPlacement::Reward => None,
        };
        UpdateSettings {
            epochs: config.epochs,
            clip: config.clip,
            kl_loss: estimator.map(|estimator| (estimator, config.kl_coefficient)),
            maximum_kl: config.maximum_kl,
            ..given
        }
    }
}
