//! The strategies that learn from text: pretraining, and fine-tuning on prompts and responses.

pub(crate) mod examples;
pub(crate) mod fine_tuning;
mod learner;
pub(crate) mod pretraining;
mod task;
