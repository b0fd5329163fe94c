//! Experiments and their runs: from a configuration and a text to a result.

mod ask;
mod bench;
pub mod export;
mod known_optimum;
mod local;
mod orchestrator;
mod run;
pub mod plan;
pub mod scheduler;

pub use ask::FinishedRun;
pub use bench::{BenchShape, StepBench};
pub use burn::tensor::Device;
pub use known_optimum::{KnownOptimum, Worth};
pub use lab_model::device;
pub use lab_strategies::{
    Answer, Base, Control, Finished, HeldOutAnswer, Host, HttpFailure, HttpRequest, HttpResponse,
    Metric, Receive, Registry, RewardFunction, RunContext, Strategy, TrainingData, read_config,
};
pub use local::LocalExecutor;
pub use orchestrator::{Executor, LabOrchestrator};
pub use run::{PreparedRun, RunRecord, VERSION, check, prepare};
