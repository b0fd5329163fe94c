//! The texts that describe the village, with their exact probabilities.

pub(crate) mod entropy;
pub(crate) mod pretraining;
pub(crate) mod stories;
pub(crate) mod vocabulary;
pub(crate) mod windows;
pub(crate) mod writer;
