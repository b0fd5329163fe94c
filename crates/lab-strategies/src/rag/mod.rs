//! Retrieval: documents are indexed and searched, and questions are answered from the passages found.

mod choice;
pub(crate) mod embedders;
mod indexing;
mod measures;
pub(crate) mod rag_index;
pub(crate) mod rag_strategy;
