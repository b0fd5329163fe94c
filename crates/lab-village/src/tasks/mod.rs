//! The tasks for models: questions, reading, preferences, and documents to search.

pub(crate) mod instructions;
pub(crate) mod library;
pub(crate) mod preferences;
pub(crate) mod question;
pub(crate) mod reading;
pub(crate) mod reward;
pub(crate) mod style;
