//! What the strategies that train a model share: an optimiser's step, an evaluation, a model with its optimiser.

pub(crate) mod step;
pub(crate) mod trainee;
