//! Retrieval: documents are indexed and searched, and questions are answered from the passages found.

mod choice;
pub(crate) mod embedders;
mod indexing;
pub(crate) mod library;
mod measures;
pub(crate) mod rag_strategy;
