//! Experiments: the scheduling of their strategies, the storage of their runs, their comparison and their exports. It
//! links no tensors and touches no platform: the terminal, the page and the package share it.

pub mod export;
mod orchestrator;
pub mod plan;
pub mod scheduler;
mod store;

pub use orchestrator::{Executor, LabOrchestrator};
pub use store::{RunStore, StoredRun};
