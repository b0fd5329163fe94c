//! One run: the contract of a strategy, and what a run is given and reports.

pub(crate) mod context;
pub(crate) mod network;
pub(crate) mod reward;
pub(crate) mod strategy;
