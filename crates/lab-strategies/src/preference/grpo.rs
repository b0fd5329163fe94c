//! Group relative policy optimisation (Shao et al. 2024): several answers to each prompt are compared with each
//! other, and the policy moves towards the better ones. It needs no value head.

use super::experience::Experience;
use super::policy_run::PolicyRun;
use super::recipe::{Recipe, Shared};
use super::report::sums_of_differences;
use super::update::UpdateSettings;
use crate::run::context::{RunContext, TrainingData};
use crate::run::learner::Learner;
use crate::run::strategy::{Strategy, read_config, resolved};
use async_trait::async_trait;
use lab_model::rl::{KlEstimator, group_advantages};
use lab_protocol::{GrpoConfig, KlPlacement, LabError, OptimizerConfig, StrategyConfig};

/// Improves a policy by comparing its answers.
pub struct GrpoStrategy {
    config: GrpoConfig,
}

impl GrpoStrategy {
    /// Reads the strategy's part of an experiment; missing settings take their defaults.
    pub fn new(config: &StrategyConfig) -> Result<Self, LabError> {
        Ok(Self {
            config: read_config(config)?,
        })
    }

    fn shared(&self) -> Result<Shared, LabError> {
        let config = &self.config;
        Ok(Shared {
            reward: config.reward.clone(),
            reward_model: config.reward_model.clone(),
            rollout: config.rollout.clone(),
            report: config.report.clone(),
            lora: config.lora.clone(),
            preferences: config.preferences.clone(),
            on_error: config.on_error,
            config: resolved(config)?,
        })
    }
}

#[async_trait(?Send)]
impl Strategy for GrpoStrategy {
    fn kind(&self) -> &str {
        "grpo"
    }

    fn validate(&self, data: &TrainingData) -> Result<(), LabError> {
        self.config.validate().map_err(|error| error.at("config"))?;
        self.shared()?.check(data)
    }

    async fn begin(&self, run: &RunContext) -> Result<Box<dyn Learner>, LabError> {
        let config = self.config.clone();
        let learner = PolicyRun::new(Groups { config }, self.shared()?, run).await?;
        Ok(Box::new(learner))
    }
}

/// Groups of answers; a group belongs to one prompt.
struct Groups {
    config: GrpoConfig,
}

impl Recipe for Groups {
    fn steps(&self) -> usize {
        self.config.steps
    }

    fn answers(&self) -> (usize, usize) {
        (self.config.prompts, self.config.group)
    }

    fn minibatches(&self) -> usize {
        self.config.minibatches
    }

    fn micro_batch_size(&self) -> usize {
        self.config.micro_batch_size
    }

    fn optimizer(&self) -> &OptimizerConfig {
        &self.config.optimizer
    }

    fn kl_coefficient(&self) -> f64 {
        self.config.kl_coefficient
    }

    fn estimate(&self, experience: &mut Experience, scores: &[f64]) {
        let config = &self.config;
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
        let advantages = group_advantages(&rewards, config.group, config.scale_rewards);
        experience.advantages_of_sequences(&advantages);
    }

    fn settings<'s>(&self, given: UpdateSettings<'s>) -> UpdateSettings<'s> {
        let config = &self.config;
        let estimator = match config.kl {
            KlPlacement::LossK3 => Some(KlEstimator::K3),
            KlPlacement::LossK2 => Some(KlEstimator::K2),
            KlPlacement::Reward => None,
        };
        UpdateSettings {
            epochs: config.epochs,
            loss_type: config.loss_type,
            clip: config.clip,
            kl_loss: estimator.map(|estimator| (estimator, config.kl_coefficient)),
            maximum_kl: config.maximum_kl,
            ..given
        }
    }
}
