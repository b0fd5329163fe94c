//! Experiments in a browser. [`Client`] starts workers, gives them the runs that `lab_orchestrator`'s scheduler
//! decides on, and reports each [`Change`]. It knows no framework: the page turns changes into signals.

mod attachments;
mod change;
mod client;
mod connection;
pub mod database;
mod driver;
mod experiment;
mod message;

pub use attachments::{Attachments, Files};
pub use change::{Change, MainWorker};
pub use client::Client;
pub use connection::backend_name;
pub use experiment::{Experiment, OpenWorker, Options, StrategyRun};
