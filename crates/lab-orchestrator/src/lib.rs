//! Experiments and their runs.
