//! The index: documents that are searched by vectors and by terms.

mod bm25;
mod document_index;
mod fuse;
mod index_bytes;

pub use bm25::{Bm25, Bm25Config};
pub use document_index::{Entry, Index, IndexConfig, Passage, Request, key};
pub use fuse::{RRF_K, diversify, fuse};
