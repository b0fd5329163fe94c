//! Settings and results of generation.

use super::sampler::Sampling;
use lab_protocol::GenerateRequest;
use serde::{Deserialize, Serialize};

/// Settings of a generation, beside the prompts.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerationSettings {
    pub sampling: Sampling,
    pub max_tokens: usize,
    /// Each of these tokens ends a row, and is its last token.
    pub stop_tokens: Vec<u32>,
    /// Number of the likeliest tokens to report for each token. 0: none.
    pub alternatives: usize,
    /// The draws of row `i` follow from this and from `i` alone.
    pub seed: u64,
    /// Maximum number of rows that are written at a time, to limit memory.
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

/// The reason for the end of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The text has the maximum number of tokens.
    Length,
    /// The model wrote a stop token.
    StopToken,
    /// A stop string was written.
    StopString,
}

/// A text that a model wrote after a prompt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GeneratedText {
    /// The new tokens, a stop token included.
    pub ids: Vec<u32>,
    /// For each, the natural logarithm of its probability in the model's own distribution: at temperature 1 and
    /// before every filter. With [`Sampling::default`] tokens are drawn from this distribution.
    pub log_probs: Vec<f64>,
    /// For each, the likeliest tokens of that distribution with their log-probabilities, in descending order.
    pub alternatives: Vec<Vec<(u32, f64)>>,
    /// None while it is being written.
    pub finish_reason: Option<FinishReason>,
}
