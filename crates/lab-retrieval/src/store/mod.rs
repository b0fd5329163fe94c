//! Vector stores.

pub(crate) mod bytes;
mod distance;
mod filter;
mod graph;
mod memory;
mod memory_bytes;
mod memory_search;
mod plane;
mod rows;
mod vector_store;

pub use distance::dot;
pub use filter::Filter;
pub(crate) use memory::check_k;
pub use memory::{MemoryStore, StoreConfig};
pub use plane::Plane;
pub use vector_store::{Hit, VectorEntry, VectorQuery, VectorStore};
