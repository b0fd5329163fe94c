//! Retrieval: documents are cut into chunks, chunks are turned into vectors and terms, and a query finds
//! passages by both. The crate does no I/O and reads no clock. Its only thread is the one that
//! `instant-distance` needs for a fixed order (`store/graph.rs`), where a platform has threads.

mod index;
pub mod measures;
pub mod read;
mod store;
mod text;

pub use index::{
    Bm25, Bm25Config, Entry, Index, IndexConfig, Passage, RRF_K, Request, diversify, fuse, key,
};
pub use store::{
    Filter, Hit, MemoryStore, Plane, StoreConfig, VectorEntry, VectorQuery, VectorStore, dot,
};
pub use text::{
    Chunk, Embedder, HashedConfig, HashedEmbedder, Progress, STOP_WORDS, Silent, TermConfig,
    TextKind, chunk, count_words, embed_all, lowercase_words, terms,
};
