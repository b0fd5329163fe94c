//! The parameters of a client.

use lab_orchestrator::scheduler::Key;
use lab_protocol::{ExperimentConfig, Secret};
use std::sync::Arc;

#[derive(Clone, Debug)]
pub struct Options {
    /// Address of the worker's script, without the backend.
    pub worker: String,
    /// Addresses of the modules that a worker loads, with strategies, metrics and rewards from outside.
    pub modules: Vec<String>,
}

/// An experiment to run, or some of its strategies.
#[derive(Clone)]
pub struct Experiment {
    pub config: ExperimentConfig,
    /// The text to train on; empty for the village.
    pub text: Arc<str>,
    /// Each after its base.
    pub strategies: Vec<StrategyRun>,
}

#[derive(Clone)]
pub struct StrategyRun {
    pub key: Key,
    /// Its name in the experiment.
    pub name: String,
    /// The strategy whose files it starts from.
    pub base: Option<Key>,
    /// The key of the endpoint that it uses.
    pub endpoint_key: Option<Secret>,
}
