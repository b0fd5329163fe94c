//! From an experiment to its runs: what it may name, preparing and executing one run, asking a finished one.

pub(crate) mod finished_run;
pub(crate) mod prepare;
pub(crate) mod registry;
