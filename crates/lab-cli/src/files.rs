//! Files that the user names, and files that are written whole or not at all.

use lab_protocol::{ErrorCode, LabError, text};
use serde::Serialize;
use std::fs;
use std::io::Write;
use std::path::Path;

/// The bytes of a file that the user named in `field`.
pub fn read(path: &Path, field: &str) -> Result<Vec<u8>, LabError> {
    fs::read(path).map_err(|error| {
        LabError::new(
            ErrorCode::InvalidData,
            text!(
                "{path} cannot be read: {error}",
                path = path.display(),
                error
            ),
            "Give the path of a file that exists and may be read.",
        )
        .at(field)
    })
}

/// Writes a temporary file and renames it into its place: readers always find a complete file, the old one or the new
/// one.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), LabError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let beside = path.with_file_name(name);
    let write = || {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut file = fs::File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    write().map_err(|error| {
        // The half that was written helps nobody; that it may not go either changes nothing.
        let _ = fs::remove_file(&beside);
        cannot_write(path, error)
    })
}

pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), LabError> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| LabError::internal(error.to_string()))?;
    write(path, format!("{text}\n").as_bytes())
}

pub fn cannot_write(path: &Path, error: std::io::Error) -> LabError {
    LabError::new(
        ErrorCode::Io,
        text!(
            "{path} cannot be written: {error}",
            path = path.display(),
            error
        ),
        "Make sure that the folder may be written to and that the disk has room.",
    )
    .at("out")
}
