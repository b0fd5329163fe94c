//! The error for a `tokenizer.json` that cannot be used.

use lab_protocol::{ErrorCode, LabError};

pub fn bad(what: &str) -> LabError {
    LabError::new(
        ErrorCode::InvalidCheckpoint,
        format!("the tokenizer cannot be read: {what}"),
        "Use the tokenizer.json that was written with the model.",
    )
}
