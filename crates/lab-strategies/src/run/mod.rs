//! One run: the contract of a strategy, a run's context and reports, and the one loop around it.

pub(crate) mod base;
mod clock;
pub(crate) mod commands;
pub(crate) mod context;
pub(crate) mod files;
pub(crate) mod folders;
pub(crate) mod host;
pub(crate) mod learner;
pub(crate) mod network;
pub(crate) mod prompts;
pub(crate) mod reward;
pub(crate) mod sample;
pub(crate) mod snapshot;
pub(crate) mod strategy;
pub(crate) mod train;
