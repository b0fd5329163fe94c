//! Reinforcement learning from human feedback: a reward model learns what people prefer. Then proximal policy
//! optimisation trains a policy to write answers with a high reward that stay close to the base's (Ziegler et al.
//! 2019, Stiennon et al. 2020).

use super::experience::{Estimation, Experience};
use super::policy_run::PolicyRun;
use super::recipe::{Recipe, Shared};
use super::update::UpdateSettings;
use crate::run::context::{RunContext, TrainingData};
use crate::run::learner::Learner;
use crate::run::strategy::{Strategy, read_config, resolved};
use async_trait::async_trait;
use lab_model::rl::KlController;
use lab_protocol::{LabError, OptimizerConfig, PpoConfig, RlhfConfig, StrategyConfig};

/// Trains a reward model, then a policy by its rewards.
pub struct RlhfStrategy {
    config: RlhfConfig,
}

impl RlhfStrategy {
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
impl Strategy for RlhfStrategy {
    fn kind(&self) -> &str {
        "rlhf"
    }

    fn validate(&self, data: &TrainingData) -> Result<(), LabError> {
        self.config.validate().map_err(|error| error.at("config"))?;
        self.shared()?.check(data)
    }

    async fn begin(&self, run: &RunContext) -> Result<Box<dyn Learner>, LabError> {
        let learner = PolicyRun::new(Ppo::new(&self.config.ppo), self.shared()?, run).await?;
        Ok(Box::new(learner))
    }
}

/// Proximal policy optimisation, with one answer to each prompt.
struct Ppo {
    config: PpoConfig,
    kl: KlController,
}

impl Ppo {
    fn new(config: &PpoConfig) -> Self {
        Self {
            config: config.clone(),
            kl: KlController {
                coefficient: config.kl_coefficient,
                target: config.kl_target.map(|target| (target, config.kl_horizon)),
            },
        }
    }
}

impl Recipe for Ppo {
    fn steps(&self) -> usize {
        self.config.steps
    }

    fn answers(&self) -> (usize, usize) {
        (self.config.batch_size, 1)
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
        self.kl.coefficient
    }

    fn adapt(&mut self, kl: f64, sequences: usize) {
        self.kl.update(kl, sequences);
    }

    fn restore_kl(&mut self, coefficient: f64) {
        self.kl.coefficient = coefficient;
    }

    fn estimate(&self, experience: &mut Experience, scores: &[f64]) {
        let settings = Estimation {
            gamma: self.config.gamma,
            lambda: self.config.lambda,
            whiten_rewards: self.config.whiten_rewards,
        };
        experience.estimate(scores, self.kl.coefficient, &settings);
    }

    fn settings<'s>(&self, given: UpdateSettings<'s>) -> UpdateSettings<'s> {
        let config = &self.config;
        UpdateSettings {
            epochs: config.epochs,
            clip: config.clip,
            entropy_coefficient: config.entropy_coefficient,
            value: Some((config.value_coefficient, config.value_clip)),
            maximum_kl: config.maximum_kl,
            ..given
        }
    }
}
