//! Experiments: which strategies run when, where runs are kept, how they compare, and what is exported of them. It
//! links no tensors and touches no platform: the terminal, the page and the package share it.

pub mod export;
mod orchestrator;
pub mod plan;
pub mod scheduler;
mod store;

pub use orchestrator::{Executor, LabOrchestrator};
pub use store::{RunStore, StoredRun};
