use crate::{LabError, MetricInfo};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The reason for the end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// All steps were executed.
    Completed,
    /// The validation loss had not improved for `early_stopping_patience` evaluations.
    EarlyStopping,
    /// The user stopped it.
    Stopped,
}

/// The result of a run, and its model; `results.json` without the files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    pub strategy: String,
    pub stop_reason: StopReason,
    /// Number of executed steps.
    pub steps: usize,
    /// Step of the weights that are kept: the step of the best validation loss, or the last.
    pub best_step: usize,
    /// Computing time in seconds, without pauses.
    pub seconds: f64,
    /// Final values by metric name, of the weights that are kept.
    pub metrics: BTreeMap<String, f64>,
    /// Declarations of its metrics from outside the lab.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub declared: Vec<MetricInfo>,
    /// The files that the run made: a model's folder `model/`, an adapter's `adapter/`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<ModelFile>,
}

/// A file that a run made; its path is relative to the run's folder, e.g. `model/config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelFile {
    pub path: String,
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
}

/// The outcome of a strategy of an experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    Finished(RunResult),
    Failed {
        strategy: String,
        error: LabError,
    },
    /// The strategy that it starts from failed, or the experiment was stopped before its turn.
    Skipped {
        strategy: String,
        because: String,
    },
}

impl Outcome {
    pub fn strategy(&self) -> &str {
        match self {
            Self::Finished(result) => &result.strategy,
            Self::Failed { strategy, .. } | Self::Skipped { strategy, .. } => strategy,
        }
    }

    pub fn result(&self) -> Option<&RunResult> {
        match self {
            Self::Finished(result) => Some(result),
            _ => None,
        }
    }
}

/// An experiment that was run: an outcome for each strategy, in the experiment's order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExperimentResult {
    pub experiment: String,
    pub outcomes: Vec<Outcome>,
}
