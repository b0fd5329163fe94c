//! Experiments and their runs: from a configuration and a text to a result.

pub mod export;
mod local;
mod orchestrator;
pub mod plan;
pub mod scheduler;

pub use local::LocalExecutor;
pub use orchestrator::{Executor, LabOrchestrator};
