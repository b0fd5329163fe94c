//! Everything that crosses a boundary: between page and worker, between terminal and core, between a run's folder and
//! its readers. Plain serde types and their validation; no burn, no web-sys.

// `#[derive(Settings)]` writes paths from outside.
extern crate self as lab_protocol;

pub mod checks;
mod comparison;
mod data;
mod error;
mod experiment;
mod fine_tuning;
mod message;
mod metrics;
mod model;
mod preference_methods;
mod rag;
mod result;
mod retrieval;
mod rlhf;
mod settings;
mod text;
mod training;

pub use comparison::*;
pub use data::*;
pub use error::*;
pub use experiment::*;
pub use fine_tuning::*;
pub use message::*;
pub use metrics::*;
pub use model::*;
pub use preference_methods::*;
pub use rag::*;
pub use result::*;
pub use retrieval::*;
pub use rlhf::*;
pub use settings::*;
pub use text::*;
pub use training::*;

/// Version of the JSON layout of experiments, messages and run files. Raised when an old reader
/// would misunderstand a new file.
pub const SCHEMA_VERSION: u32 = 1;
