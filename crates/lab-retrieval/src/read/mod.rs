//! Readers: from files to documents.

mod error;
mod file;
mod html;
mod pdf;
mod tables;

pub use file::{Format, read};
pub use html::html_to_text;
