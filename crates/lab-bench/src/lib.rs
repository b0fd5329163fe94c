//! Tools of benchmarks and tests: training steps on given weights and batches, and a task whose best
//! policy is known. `cargo xtask bench` runs the programs in `examples/`.

mod known_optimum;
mod step;

pub use known_optimum::{KnownOptimum, Worth};
pub use step::{BenchShape, StepBench};
