//! Scores of answers, the limits of these scores, and the proof that held-out data is held out.

pub(crate) mod answers;
pub(crate) mod baselines;
pub(crate) mod scoring;
pub(crate) mod separation;
pub(crate) mod statistics;
