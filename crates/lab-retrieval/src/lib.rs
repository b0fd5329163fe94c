//! Retrieval: documents become chunks, chunks become vectors and words, and a query finds passages by both.
//! Does no I/O, reads no clock. The only thread is the one that `instant-distance` needs for a fixed order
//! (`graph.rs`), where a platform has threads.

pub mod answers;
pub mod beir;
mod bm25;
mod bytes;
mod chunk;
mod distance;
mod embed;
pub mod evaluate;
mod filter;
mod fuse;
mod graph;
mod hashed;
mod index;
mod memory;
mod memory_search;
mod persist;
mod plane;
pub mod read;
mod rows;
mod segment;
mod store;
mod terms;

pub use bm25::{Bm25, Bm25Config};
pub use chunk::{Chunk, chunk, count_words};
pub use distance::dot;
pub use embed::{Embedder, Progress, Silent, TextKind, embed_all};
pub use filter::Filter;
pub use fuse::{RRF_K, diversify, fuse};
pub use hashed::{HashedConfig, HashedEmbedder};
pub use index::{Entry, Index, IndexConfig, Passage, Request, key};
pub use memory::{MemoryStore, StoreConfig};
pub use plane::Plane;
pub use store::{Hit, VectorEntry, VectorQuery, VectorStore};
pub use terms::{STOP_WORDS, TermConfig, lowercase_words, terms};
