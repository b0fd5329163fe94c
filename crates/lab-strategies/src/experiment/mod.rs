//! From an experiment to its runs: the registry, preparing and executing one run, asking a finished one.

pub(crate) mod finished_run;
pub(crate) mod prepare;
pub(crate) mod registry;
