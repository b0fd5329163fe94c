//! Generation with a model: several texts at a time, each token from a distribution that [`Sampling`] shapes.
//!
//! - [`generate_batch`]: prompts in, continuations out; for rollouts and evaluations.
//! - [`Generation`]: the same step by step, to show tokens as they come or to stop at any time.
//! - [`generate_texts`], [`Writer`]: with a tokenizer, and therefore with stop strings.

mod batch;
mod generation;
mod sampler;
mod settings;
mod text;

pub use batch::generate_batch;
pub use generation::{Generation, NewToken};
pub use sampler::{Sampling, likeliest, log_probability, sample};
pub use settings::{FinishReason, GeneratedText, GenerationSettings};
pub use text::{Writer, WrittenText, generate_from, generate_texts};
