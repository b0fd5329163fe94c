//! Models that the user names: a Hugging Face folder or a GGUF file.

use crate::files;
use lab_model::formats::{BaseModel, ModelFiles};
use lab_protocol::{ErrorCode, LabError, text};
use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

/// The files of a folder, or a single file.
struct Disk {
    folder: PathBuf,
    names: Vec<String>,
}

impl ModelFiles for Disk {
    fn names(&self) -> Vec<String> {
        self.names.clone()
    }

    fn read(&self, name: &str) -> Result<Option<Cow<'_, [u8]>>, LabError> {
        // Names also come from an index, which may not lead out of the folder.
        if !self.names.iter().any(|known| known == name) {
            return Ok(None);
        }
        files::read(&self.folder.join(name), "model").map(|bytes| Some(Cow::Owned(bytes)))
    }
}

/// Reads the model of a folder or file.
pub fn open(path: &Path) -> Result<BaseModel, LabError> {
    let missing = |error: std::io::Error| {
        LabError::new(
            ErrorCode::InvalidData,
            text!("{path} cannot be read: {error}", path = path.display(), error),
            "Name the folder of a Hugging Face model (with config.json and model.safetensors) or a GGUF file.",
        )
        .at("model")
    };
    let named = |path: &Path| {
        path.file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    let disk = if fs::metadata(path).map_err(missing)?.is_dir() {
        let entries = fs::read_dir(path).map_err(missing)?;
        Disk {
            folder: path.to_owned(),
            names: entries
                .filter_map(|entry| named(&entry.ok()?.path()))
                .collect(),
        }
    } else {
        Disk {
            folder: path.parent().unwrap_or(Path::new("")).to_owned(),
            names: named(path).into_iter().collect(),
        }
    };
    BaseModel::read(&disk).map_err(|mut error| {
        error.message = text!(
            "{path}: {message}",
            path = path.display(),
            message = error.message
        );
        error
    })
}
