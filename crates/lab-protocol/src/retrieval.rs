//! Settings of retrieval.

use crate::LabError;
use serde::{Deserialize, Serialize};

/// What a document is cut along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ChunkMethod {
    /// Anywhere between words.
    Tokens,
    /// Between sentences, where a sentence is not too long.
    Sentences,
    /// At Markdown headings, and within a section between paragraphs.
    #[default]
    Structure,
}

/// How documents become chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ChunkConfig {
    pub method: ChunkMethod,
    /// The most tokens in a chunk, by the tokenizer in use.
    pub size: usize,
    /// Tokens at the end of a chunk that the next one begins with, as far as whole words, sentences or
    /// paragraphs allow.
    pub overlap: usize,
}

impl Default for ChunkConfig {
    fn default() -> Self {
        Self {
            method: ChunkMethod::default(),
            size: 200,
            overlap: 20,
        }
    }
}

impl ChunkConfig {
    pub fn validate(&self) -> Result<(), LabError> {
        if !(1..=1_000_000).contains(&self.size) {
            return Err(LabError::config(
                "size",
                format!("a chunk of {} tokens", self.size),
                "Use a whole number from 1 to 1000000.",
            ));
        }
        if self.overlap >= self.size {
            return Err(LabError::config(
                "overlap",
                format!(
                    "an overlap of {} tokens leaves no room in chunks of {}",
                    self.overlap, self.size
                ),
                "Choose an overlap smaller than the chunk, e.g. a tenth of it.",
            ));
        }
        Ok(())
    }
}

/// How near two vectors are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Similarity {
    #[default]
    Cosine,
    Dot,
    /// The negative distance, so that more is nearer here too.
    Euclidean,
}

/// By what passages are ranked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RetrievalMethod {
    /// Nearness of vectors.
    Dense,
    /// Words in common (BM25).
    Bm25,
    /// The two rankings fused by reciprocal ranks.
    #[default]
    Hybrid,
}
