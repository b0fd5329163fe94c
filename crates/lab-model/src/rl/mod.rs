//! Reinforcement learning from preferences: the formulas, and the parts of a language model for them.
//!
//! Numbers of tokens cover the tokens that the policy wrote, one sequence after the other; statistics also take rows
//! of equal length with a mask. The host computes decisions (rewards, advantages, statistics) in double precision;
//! the device computes values with gradients.

mod advantages;
mod heads;
mod losses;
mod sequences;
mod statistics;
mod weights;

pub use advantages::{Advantages, gae, group_advantages, token_rewards, whiten};
pub use heads::{PolicyWithValue, RewardModel, ScalarHead};
pub use losses::{KlEstimator, dpo_loss, kl_penalty, ppo_loss, reward_loss, value_loss};
pub use sequences::{Sequence, SequenceBatch, log_probabilities, logits};
pub use statistics::{
    KlController, approximate_kl, clip_fraction, correlation, explained_variance, kl_k1, kl_k2,
    kl_k3, masked_mean, mean_and_deviation, sequence_kl,
};
pub use weights::token_weights;
