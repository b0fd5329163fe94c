//! Reinforcement learning from preferences: the formulas, and what a language model needs for them.
//!
//! Numbers of tokens are those of the tokens that the policy wrote, one sequence after the other; statistics also
//! take rows of equal length with a mask. What decides (rewards, advantages, statistics) is computed on the host in
//! double precision, what has a gradient on the device.

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
