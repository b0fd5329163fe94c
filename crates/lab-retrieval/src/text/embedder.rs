//! The interface of an embedder, which turns texts into vectors.

use async_trait::async_trait;
use lab_protocol::{ErrorCode, LabError, text};
use serde_json::Value;

/// The role of a text: some encoders treat the two differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextKind {
    Query,
    Passage,
}

/// Turns texts into vectors; texts of similar meaning get near vectors.
#[async_trait(?Send)]
pub trait Embedder {
    /// Identifies the embedder: an index stores it, and refuses an embedder with another description.
    fn description(&self) -> Value;

    /// Length of the vectors.
    fn dimensions(&self) -> usize;

    /// A vector for each text, in their order. The texts are one batch.
    async fn embed(&self, texts: &[&str], kind: TextKind) -> Result<Vec<Vec<f32>>, LabError>;
}

/// Receives the progress of long work, and may end it.
#[async_trait(?Send)]
pub trait Progress {
    /// Called after each batch with the number of texts done and in total. Returns whether to go on.
    async fn report(&mut self, done: usize, total: usize) -> bool;
}

/// Ignores progress.
pub struct Silent;

#[async_trait(?Send)]
impl Progress for Silent {
    async fn report(&mut self, _: usize, _: usize) -> bool {
        true
    }
}

/// Embeds all texts batch by batch; `None` if `progress` said to stop. It checks that the embedder gives a
/// vector for each text, of its own dimensions and of finite numbers.
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
            return Err(LabError::internal(text!(
                "the embedder gave {vectors} vectors for {texts} texts, or not all of length {dimensions}",
                vectors = new.len(),
                texts = part.len(),
                dimensions = embedder.dimensions()
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
