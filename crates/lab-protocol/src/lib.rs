//! Everything that crosses a boundary: between page and worker, between terminal and core, between a
//! run's folder and whoever reads it. Plain serde types and their validation; no burn, no web-sys.

mod comparison;
mod config;
mod data;
mod error;
mod fine_tuning;
mod message;
mod preference_methods;
mod rag;
mod result;
mod retrieval;
mod rlhf;

pub use comparison::*;
pub use config::*;
pub use data::*;
pub use error::*;
pub use fine_tuning::*;
pub use message::*;
pub use preference_methods::*;
pub use rag::*;
pub use result::*;
pub use retrieval::*;
pub use rlhf::*;

/// Version of the JSON layout of experiments, messages and run files. Raised when an old reader
/// would misunderstand a new file.
pub const SCHEMA_VERSION: u32 = 1;
