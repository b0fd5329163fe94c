//! What models are asked and trained on: questions, reading, preferences, documents.

pub(crate) mod instructions;
pub(crate) mod library;
pub(crate) mod preferences;
pub(crate) mod question;
pub(crate) mod reading;
pub(crate) mod reward;
pub(crate) mod style;
