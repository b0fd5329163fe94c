//! Runs in the formats of other programs. The truth is `run.json` and `metrics.jsonl`; these are made
//! from it.

mod csv;
mod plot;
mod report;
mod tensorboard;

pub use csv::{from_csv, to_csv};
pub use plot::svg_plot;
pub use report::report;
pub use tensorboard::tensorboard_events;
