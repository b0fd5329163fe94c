//! Scores of answers, and what can be reached.

pub(crate) mod answers;
pub(crate) mod baselines;
pub(crate) mod scoring;
pub(crate) mod separation;
pub(crate) mod statistics;
