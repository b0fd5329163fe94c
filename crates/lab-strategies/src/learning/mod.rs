//! The shared parts of strategies that train a model: an optimiser's step, an evaluation, a model with its optimiser.

pub(crate) mod step;
pub(crate) mod trainee;
