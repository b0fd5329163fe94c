//! A reward from outside: the program that runs the experiment scores answers.

use async_trait::async_trait;

/// An answer to score.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub prompt: String,
    /// Without the token that ended it.
    pub response: String,
    /// Tokens of the answer, its end included.
    pub tokens: usize,
}

/// A reward from outside: natively a trait of the program, in a browser a function of the page.
#[async_trait(?Send)]
pub trait RewardFunction {
    /// The reward of one answer. A value that is not finite ends the run with an error.
    async fn reward(&self, answer: &Answer) -> f64;
}
