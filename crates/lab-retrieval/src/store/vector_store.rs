//! The interface of a vector store. The one in memory is `memory.rs`; others may be behind a network.

use super::filter::Filter;
use async_trait::async_trait;
use lab_protocol::{LabError, Metadata};
use std::rc::Rc;

/// A vector with its id.
#[derive(Clone, Debug)]
pub struct VectorEntry {
    pub id: String,
    pub vector: Vec<f32>,
    /// Filters read it. The chunks of a document share it.
    pub metadata: Rc<Metadata>,
}

#[derive(Clone, Debug)]
pub struct VectorQuery<'a> {
    pub vector: &'a [f32],
    /// Number of vectors to find. Fewer come back only if there are no more.
    pub k: usize,
    pub filter: Option<&'a Filter>,
    /// The minimum score. Calibrate it for each encoder: their scores differ.
    pub threshold: Option<f32>,
    /// Number of candidates that a search of a graph keeps (`ef`): more candidates find more of the nearest
    /// vectors and take longer. 0 means the store's default.
    pub effort: usize,
}

impl<'a> VectorQuery<'a> {
    pub fn new(vector: &'a [f32], k: usize) -> Self {
        Self {
            vector,
            k,
            filter: None,
            threshold: None,
            effort: 0,
        }
    }
}

/// A vector that was found. A higher score is nearer.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    pub id: String,
    pub score: f32,
}

/// A vector store. After an error it is unchanged.
#[async_trait(?Send)]
pub trait VectorStore {
    /// Adds vectors. A vector replaces an earlier one with the same id.
    async fn put(&mut self, entries: Vec<VectorEntry>) -> Result<(), LabError>;

    /// Removes vectors by id. Returns how many it had.
    async fn remove(&mut self, ids: &[&str]) -> Result<usize, LabError>;

    /// The nearest vectors, best first; equal scores in the order of their ids.
    async fn search(&self, query: &VectorQuery<'_>) -> Result<Vec<Hit>, LabError>;

    /// Number of vectors.
    async fn count(&self) -> Result<usize, LabError>;
}
