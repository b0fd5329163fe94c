//! The error for a `tokenizer.json` that cannot be used.

use lab_protocol::{ErrorCode, LabError, Text};

pub fn bad(message: impl Into<Text>) -> LabError {
    LabError::new(
        ErrorCode::InvalidCheckpoint,
        message,
        "Use the tokenizer.json that was written with the model.",
    )
}
