//! Where vectors are kept and searched: in memory (`memory.rs`), or behind a network by whoever implements
//! the trait.

use super::filter::Filter;
use async_trait::async_trait;
use lab_protocol::{LabError, Metadata};
use std::rc::Rc;

/// A vector with its name.
#[derive(Clone, Debug)]
pub struct VectorEntry {
    pub id: String,
    pub vector: Vec<f32>,
    /// What filters ask; shared, as the chunks of a document have the same.
    pub metadata: Rc<Metadata>,
}

#[derive(Clone, Debug)]
pub struct VectorQuery<'a> {
    pub vector: &'a [f32],
    /// How many to find. Fewer come back only when there are no more.
    pub k: usize,
    pub filter: Option<&'a Filter>,
    /// Scores below it do not come back. Right thresholds differ between encoders: calibrate them.
    pub threshold: Option<f32>,
    /// How many candidates a search of a graph keeps (`ef`): more find more of the nearest, and take
    /// longer. 0 means the store's own choice.
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

/// Something found, with its score; more is nearer.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    pub id: String,
    pub score: f32,
}

/// What every store does. An error leaves it as it was.
#[async_trait(?Send)]
pub trait VectorStore {
    /// Adds vectors; one whose id is there already takes its place.
    async fn put(&mut self, entries: Vec<VectorEntry>) -> Result<(), LabError>;

    /// Removes vectors by id, and says how many were there.
    async fn remove(&mut self, ids: &[&str]) -> Result<usize, LabError>;

    /// The nearest, best first; equal scores in the order of their ids.
    async fn search(&self, query: &VectorQuery<'_>) -> Result<Vec<Hit>, LabError>;

    /// How many vectors there are.
    async fn count(&self) -> Result<usize, LabError>;
}
