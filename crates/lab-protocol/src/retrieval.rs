//! Settings of retrieval.

use crate::{LabError, Settings, text};
use serde::{Deserialize, Serialize};

/// The boundaries at which a document is cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Settings)]
#[serde(rename_all = "snake_case")]
pub enum ChunkMethod {
    /// Anywhere between words.
    #[setting(label = "Between words")]
    Tokens,
    /// Between sentences, if a sentence is not too long.
    #[setting(label = "Between sentences")]
    Sentences,
    /// At Markdown headings, and within a section between paragraphs.
    #[default]
    #[setting(label = "At headings and paragraphs")]
    Structure,
}

/// The cutting of documents into chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Settings)]
#[serde(default, deny_unknown_fields)]
#[settings(check = Self::leaves_room)]
pub struct ChunkConfig {
    /// The boundaries at which documents are cut.
    #[setting(label = "Cut")]
    pub method: ChunkMethod,
    /// Maximum number of tokens in a chunk, by the tokenizer in use.
    #[setting(label = "Chunk size", range = 1..=1_000_000, default = 200, unit = "tokens")]
    pub size: usize,
    /// Tokens that a chunk repeats of the one before it; fewer than its size.
    ///
    /// As far as whole words, sentences or paragraphs allow.
    #[setting(range = 0.., default = 20, unit = "tokens")]
    pub overlap: usize,
}

impl ChunkConfig {
    fn leaves_room(&self) -> Result<(), LabError> {
        if self.overlap < self.size {
            return Ok(());
        }
        Err(LabError::config(
            "overlap",
            text!(
                "an overlap of {overlap} tokens leaves no room in chunks of {size}",
                overlap = self.overlap,
                size = self.size,
            ),
            "Choose an overlap smaller than the chunk, e.g. a tenth of it.",
        ))
    }
}

/// The similarity of two vectors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Settings)]
#[serde(rename_all = "snake_case")]
pub enum Similarity {
    #[default]
    Cosine,
    Dot,
    /// The negative distance, so a larger value means nearer here too.
    Euclidean,
}

/// The embedder, which turns texts into vectors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Settings)]
#[serde(rename_all = "snake_case")]
pub enum EmbedderKind {
    /// Counts of hashed words and parts of words: needs no model.
    #[default]
    #[setting(label = "Hashed words")]
    Hashed,
    /// The mean of the hidden states of the model that the strategy starts from.
    #[setting(label = "The base model")]
    Model,
    /// A pretrained sentence encoder.
    #[setting(label = "A sentence encoder")]
    Encoder,
}

/// The ranking of passages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Settings)]
#[serde(rename_all = "snake_case")]
pub enum RetrievalMethod {
    /// Nearness of vectors.
    #[setting(label = "Vectors")]
    Dense,
    /// Words in common (BM25).
    #[setting(label = "Words (BM25)")]
    Bm25,
    /// The two rankings fused by reciprocal ranks.
    #[default]
    #[setting(label = "Vectors and words")]
    Hybrid,
}
