//! Reinforcement learning from preferences: the formulas, and what a language model needs for them.
//!
//! Numbers of tokens lie in rows of the same length, one row a sequence, flattened row after row; a mask
//! says which of them are tokens that the policy wrote. What decides (rewards, advantages, statistics) is
//! computed on the host in double precision, what has a gradient on the device.

mod advantages;
mod heads;
mod losses;
mod sequences;
mod statistics;

pub use advantages::{Advantages, gae, group_advantages, token_rewards, whiten};
pub use heads::{PolicyWithValue, RewardModel, ScalarHead};
pub use losses::{
    KlEstimator, dpo_loss, kl_penalty, masked_mean_of, ppo_loss, reward_loss, value_loss,
};
pub use sequences::{Packed, Sequence, entropies, log_probabilities, token_log_probabilities};
pub use statistics::{
    KlController, approximate_kl, clip_fraction, correlation, explained_variance, kl_k1, kl_k2,
    kl_k3, masked_mean, mean_and_deviation, sequence_kl,
};
