//! Rewards of answers: by a rule, by a function from outside, or by a model.

use super::pairs::at_once;
use crate::run::reward::{Answer, RewardFunction};
use burn::module::Module;
use lab_model::burn::tensor::Device;
use lab_model::dropout::Dropout;
use lab_model::parameters;
use lab_model::rl::{RewardModel, Sequence, SequenceBatch};
use lab_protocol::{ErrorCode, LabError, RewardConfig, text};
use regex_lite::Regex;
use std::rc::Rc;

/// Scores answers.
pub(crate) enum Scorer {
    Pattern { expression: Regex, weight: f64 },
    Length { tokens: usize },
    Function(Rc<dyn RewardFunction>),
    Model(Box<ModelScorer>),
}

/// A reward model, with the mean and deviation that normalise its rewards.
pub(crate) struct ModelScorer {
    pub model: RewardModel,
    pub mean: f64,
    pub deviation: f64,
    /// The model's window.
    pub context: usize,
    /// The micro-batch size of its training.
    pub micro_batch_size: usize,
}

/// Maximum number of answers that a reward model reads at once.
const ROWS: usize = 32;

impl ModelScorer {
    /// With the current weights of a model; its rewards are not normalised.
    pub fn new(model: &RewardModel, context: usize, micro_batch_size: usize) -> Self {
        Self {
            model: model.valid(),
            mean: 0.0,
            deviation: 1.0,
            context,
            micro_batch_size,
        }
    }

    /// The model's rewards of whole sequences, not normalised.
    pub async fn rewards(
        &self,
        sequences: &[Sequence],
        device: &Device,
    ) -> Result<Vec<f64>, LabError> {
        let mut rewards = Vec::with_capacity(sequences.len());
        for rows in sequences.chunks(at_once(self.micro_batch_size, ROWS)) {
            let rows: Vec<&Sequence> = rows.iter().collect();
            let batch = SequenceBatch::whole(&rows, self.context);
            let found = self.model.forward(&batch, device, &mut Dropout::off());
            let found = parameters::read(vec![found]).await?;
            rewards.extend(found.into_iter().flatten().map(f64::from));
        }
        Ok(rewards)
    }
}

impl Scorer {
    /// The rule or function of a configuration; `None` where the reward is a model.
    pub fn of_rule(
        config: &RewardConfig,
        function: Option<Rc<dyn RewardFunction>>,
    ) -> Result<Option<Self>, LabError> {
        Ok(Some(match config {
            RewardConfig::Model {} => return Ok(None),
            RewardConfig::Pattern { pattern, weight } => Self::Pattern {
                expression: expression(pattern)?,
                weight: *weight,
            },
            RewardConfig::Length { tokens } => Self::Length { tokens: *tokens },
            RewardConfig::Function {} => Self::Function(function.ok_or_else(|| {
                LabError::config(
                    "reward",
                    "the program that runs the experiment supplies no reward function",
                    "Supply one, or use a pattern, a length or a model.",
                )
            })?),
        }))
    }

    /// Rewards that are not normalised.
    pub async fn rewards(
        &self,
        sequences: &[Sequence],
        answers: &[Answer],
        device: &Device,
    ) -> Result<Vec<f64>, LabError> {
        let rewards = match self {
            Self::Pattern { expression, weight } => answers
                .iter()
                .map(|answer| expression.find_iter(&answer.response).count() as f64 * weight)
                .collect(),
            Self::Length { tokens } => answers
                .iter()
                .map(|answer| {
                    let distance = answer.tokens.abs_diff(*tokens) as f64;
                    -(distance / *tokens as f64).min(1.0)
                })
                .collect(),
            Self::Function(function) => {
                let mut rewards = Vec::with_capacity(answers.len());
                for answer in answers {
                    rewards.push(function.reward(answer).await);
                }
                rewards
            }
            Self::Model(scorer) => scorer.rewards(sequences, device).await?,
        };
        let unusable = rewards.iter().position(|reward| !reward.is_finite());
        match unusable {
            None => Ok(rewards),
            Some(index) => Err(LabError::new(
                ErrorCode::NonFinite,
                text!(
                    "the reward of the answer {answer} is {reward}",
                    answer = format!(
                        "{:?}",
                        answers.get(index).map_or("", |answer| &answer.response)
                    ),
                    reward = rewards.get(index).copied().unwrap_or(f64::NAN)
                ),
                "Let the reward be a finite number for every answer.",
            )
            .at("reward")),
        }
    }

    /// Subtracts the mean over the reference policy's answers from a reward, and divides by the deviation.
    pub fn normalised(&self, reward: f64) -> f64 {
        match self {
            Self::Model(scorer) => (reward - scorer.mean) / scorer.deviation,
            _ => reward,
        }
    }
}

/// Compiles a regular expression of a configuration.
pub(crate) fn expression(pattern: &str) -> Result<Regex, LabError> {
    Regex::new(pattern).map_err(|error| {
        LabError::config(
            "reward.pattern",
            text!("the pattern cannot be read: {error}", error),
            "Correct the regular expression.",
        )
    })
}
