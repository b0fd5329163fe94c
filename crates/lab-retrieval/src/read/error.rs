//! The error of every reader.

use lab_protocol::{ErrorCode, LabError};

/// A file that cannot be read, with its name.
pub fn invalid(name: &str, message: impl std::fmt::Display, hint: &str) -> LabError {
    LabError::new(ErrorCode::InvalidData, format!("{name}: {message}"), hint).at("documents")
}
