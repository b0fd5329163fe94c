//! Questions to models that are done, and their answers: one prompt to all models, and two answers of one model,
//! of which the user picks the better one.

use lab_protocol::LabError;

/// One prompt to all models, and the answers so far.
#[derive(Clone, PartialEq)]
pub struct Asked {
    pub prompt: String,
    /// Of the current question; models are asked one after the other.
    pub id: String,
    /// By the strategies' keys, in the experiment's order.
    pub replies: Vec<(usize, Reply)>,
}

#[derive(Clone, PartialEq)]
pub enum Reply {
    Waiting,
    Text(String),
    /// It was cancelled, or cannot be asked.
    Nothing,
    Failed(LabError),
}

impl Asked {
    /// Key of the strategy whose answer is pending.
    pub fn next(&self) -> Option<usize> {
        let mut replies = self.replies.iter();
        let waiting = replies.find(|(_, reply)| *reply == Reply::Waiting);
        waiting.map(|(key, _)| *key)
    }
}

/// A question between two answers of a model, and its state.
#[derive(Clone, PartialEq)]
pub struct Vote {
    /// Of the command to the worker.
    pub id: String,
    /// Key of the strategy whose model answers.
    pub key: usize,
    /// The text that the user typed.
    pub prompt: String,
    pub state: VoteState,
}

#[derive(Clone, PartialEq)]
pub enum VoteState {
    Waiting,
    /// With the prompt as the model read it.
    There {
        prompt: String,
        answers: [String; 2],
    },
    Failed(LabError),
}
