//! From texts to chunks, terms and vectors.

mod chunk;
mod embedder;
mod hashed;
mod segment;
mod terms;

pub use chunk::{Chunk, chunk, count_words};
pub use embedder::{Embedder, Progress, Silent, TextKind, embed_all};
pub use hashed::{HashedConfig, HashedEmbedder};
pub(crate) use segment::sentences;
pub use terms::{STOP_WORDS, TermConfig, lowercase_words, terms};
