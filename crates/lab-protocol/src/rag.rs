//! `RagStrategy`'s configuration.

use crate::config::{number, whole};
use crate::{ChunkConfig, LabError, RetrievalMethod};
use serde::{Deserialize, Serialize};

/// How documents are indexed, and how questions are answered from them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct RagConfig {
    pub chunking: ChunkConfig,
    pub method: RetrievalMethod,
    /// Passages that an answer is written from.
    pub passages: usize,
    /// Passages that score lower are not used, by the scale of the method; 0 for no limit. Where no
    /// passage is left, the question is answered without any.
    pub threshold: f64,
    /// The longest answer, in tokens; passages are left out until question and answer fit the context.
    pub answer_tokens: usize,
    /// Passages that are looked at to measure retrieval, e.g. in `ndcg@10`.
    pub evaluation_depth: usize,
}

impl Default for RagConfig {
    fn default() -> Self {
        Self {
            chunking: ChunkConfig::default(),
            method: RetrievalMethod::default(),
            passages: 3,
            threshold: 0.0,
            answer_tokens: 40,
            evaluation_depth: 10,
        }
    }
}

impl RagConfig {
    pub fn validate(&self) -> Result<(), LabError> {
        self.chunking.validate().map_err(|e| e.at("chunking"))?;
        whole("passages", self.passages, 1, 100)?;
        whole("answer_tokens", self.answer_tokens, 1, 10_000)?;
        whole("evaluation_depth", self.evaluation_depth, 1, 1000)?;
        number("threshold", self.threshold, 0.0, 1e6)
    }
}
