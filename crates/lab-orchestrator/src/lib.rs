//! Experiments and their runs: from a configuration and a text to a result.

mod bench;
pub mod export;
mod known_optimum;
mod orchestrator;
mod run;

pub use bench::{BenchShape, StepBench};
pub use burn::tensor::Device;
pub use known_optimum::{KnownOptimum, Worth};
pub use lab_model::device;
pub use lab_strategies::{
    Answer, Host, HttpFailure, HttpRequest, HttpResponse, Receive, RewardFunction,
};
pub use orchestrator::{Executor, LabOrchestrator};
pub use run::{PreparedRun, RunRecord, VERSION, check, prepare};
