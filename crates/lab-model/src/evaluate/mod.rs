//! The quality of a model: the loss on a batch, on a whole text, questions with answers.

mod answers;
mod batch;
mod text;

pub use answers::{AnswerScore, Question, answer_questions, exact_match, normalise, token_f1};
pub use batch::{MicroBatch, Sums, evaluate_batch, nll_sum, upload};
pub use text::{TextScore, evaluate_text};
