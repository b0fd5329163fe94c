//! Asking a model or an endpoint: answers to prompts, and the comparison on held-out questions.

pub(crate) mod answerer;
pub(crate) mod answers;
pub(crate) mod continuation;
pub(crate) mod endpoint;
pub(crate) mod generator;
pub(crate) mod held_out;
mod reply;
mod template;
