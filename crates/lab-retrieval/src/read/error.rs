//! The error of every reader.

use lab_protocol::{ErrorCode, LabError, Text};

/// A file that cannot be read, which the message names.
pub fn invalid(message: impl Into<Text>, hint: &str) -> LabError {
    LabError::new(ErrorCode::InvalidData, message, hint).at("documents")
}
