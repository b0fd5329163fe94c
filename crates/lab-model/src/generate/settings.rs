//! What is to be written, and what was.

use super::sampler::Sampling;
use lab_protocol::GenerateRequest;
use serde::{Deserialize, Serialize};

/// What to write, beside the prompts.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerationSettings {
    pub sampling: Sampling,
    pub max_tokens: usize,
    /// A row ends with one of these, which is its last token.
    pub stop_tokens: Vec<u32>,
    /// For each token, so many of the likeliest are reported. 0: none.
    pub alternatives: usize,
    /// The draws of row `i` follow from this and from `i`, and from nothing else.
    pub seed: u64,
    /// Rows that are written at a time, for memory's sake.
    pub rows: usize,
}

impl Default for GenerationSettings {
    fn default() -> Self {
        Self {
            sampling: Sampling::default(),
            max_tokens: 128,
            stop_tokens: Vec::new(),
            alternatives: 0,
            seed: 0,
            rows: 64,
        }
    }
}

impl From<&GenerateRequest> for GenerationSettings {
    fn from(request: &GenerateRequest) -> Self {
        Self {
            sampling: request.into(),
            max_tokens: request.max_tokens,
            seed: request.seed,
            ..Default::default()
        }
    }
}

/// Why a text ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// It has the most tokens that were asked for.
    Length,
    /// The model wrote a stop token.
    StopToken,
    /// A stop string was written.
    StopString,
}

/// What a model wrote after a prompt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GeneratedText {
    /// The new tokens, a stop token included.
    pub ids: Vec<u32>,
    /// For each, the natural logarithm of its probability in the model's own distribution: at
    /// temperature 1 and before every filter. With [`Sampling::default`] this is what it was drawn from.
    pub log_probs: Vec<f64>,
    /// For each, the likeliest tokens of that distribution with their logarithms, in descending order.
    pub alternatives: Vec<Vec<(u32, f64)>>,
    /// None while it is being written.
    pub finish_reason: Option<FinishReason>,
}
