//! The strategies that learn from text: pretraining, and fine-tuning on prompts and responses.

pub(crate) mod fine_tuning;
pub(crate) mod pretraining;
