//! Experiments and their runs: from a configuration and a text to a result.

mod bench;
pub mod export;
mod known_optimum;
mod local;
mod orchestrator;
pub mod plan;
pub mod scheduler;

pub use bench::{BenchShape, StepBench};
pub use known_optimum::{KnownOptimum, Worth};
pub use local::LocalExecutor;
pub use orchestrator::{Executor, LabOrchestrator};
