//! Texts become vectors.

use async_trait::async_trait;
use lab_protocol::{ErrorCode, LabError};
use serde_json::Value;

/// What a text is embedded as: some encoders treat the two differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextKind {
    Query,
    Passage,
}

/// Gives texts vectors, near ones to those that mean the same.
#[async_trait(?Send)]
pub trait Embedder {
    /// What tells its vectors from another embedder's. An index keeps it and takes queries from no other.
    fn description(&self) -> Value;

    /// Length of the vectors.
    fn dimensions(&self) -> usize;

    /// A vector for each text, in their order. The number of texts is the caller's batch.
    async fn embed(&self, texts: &[&str], kind: TextKind) -> Result<Vec<Vec<f32>>, LabError>;
}

/// Hears how far long work is, and may end it.
#[async_trait(?Send)]
pub trait Progress {
    /// Called after each batch with the texts done and all. Returns whether to go on.
    async fn report(&mut self, done: usize, total: usize) -> bool;
}

/// Nobody listens.
pub struct Silent;

#[async_trait(?Send)]
impl Progress for Silent {
    async fn report(&mut self, _: usize, _: usize) -> bool {
        true
    }
}

/// Embeds all texts batch by batch; `None` if `progress` said to stop. What the embedder gives is checked:
/// as many vectors as texts, of the length it names, of finite numbers.
pub async fn embed_all(
    embedder: &dyn Embedder,
    texts: &[&str],
    kind: TextKind,
    batch: usize,
    progress: &mut dyn Progress,
) -> Result<Option<Vec<Vec<f32>>>, LabError> {
    let mut vectors = Vec::with_capacity(texts.len());
    for part in texts.chunks(batch.max(1)) {
        let new = embedder.embed(part, kind).await?;
        let wrong_length = new
            .iter()
            .any(|vector| vector.len() != embedder.dimensions());
        if new.len() != part.len() || wrong_length {
            return Err(LabError::internal(format!(
                "the embedder gave {} vectors for {} texts, or not all of length {}",
                new.len(),
                part.len(),
                embedder.dimensions()
            )));
        }
        if new.iter().flatten().any(|value| !value.is_finite()) {
            return Err(LabError::new(
                ErrorCode::NonFinite,
                "the embedder gave a vector with numbers that are not finite",
                "Check the model it uses: its weights may be broken.",
            ));
        }
        vectors.extend(new);
        if !progress.report(vectors.len(), texts.len()).await {
            return Ok(None);
        }
    }
    Ok(Some(vectors))
}
