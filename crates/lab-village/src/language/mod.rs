//! The texts in which the village is described, with their exact probabilities.

pub(crate) mod entropy;
pub(crate) mod pretraining;
pub(crate) mod stories;
pub(crate) mod vocabulary;
pub(crate) mod windows;
pub(crate) mod writer;
