//! A text that a model wrote, as it is shown.

use lab_protocol::{GroundedAnswer, Grounds};

/// A text that the model wrote.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    pub prompt: String,
    pub text: String,
    /// Its reward, if there is one.
    pub reward: Option<f64>,
    /// The passages that it was written from.
    pub grounds: Option<Grounds>,
}

impl Sample {
    pub fn new(prompt: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            prompt: prompt.into(),
            text: text.into(),
            ..Self::default()
        }
    }
}

impl From<GroundedAnswer> for Sample {
    fn from(answer: GroundedAnswer) -> Self {
        Self {
            prompt: answer.question,
            text: answer.answer,
            reward: None,
            grounds: Some(answer.grounds),
        }
    }
}
