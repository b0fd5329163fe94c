//! The strategies that learn from preferences and rewards, and their shared parts.

pub(crate) mod data;
pub(crate) mod dpo;
mod experience;
pub(crate) mod grpo;
mod judge;
mod order;
mod pairs;
mod policy_run;
mod recipe;
mod report;
mod reward;
mod reward_stage;
pub(crate) mod rlhf;
mod rollout;
mod update;
mod watch;
