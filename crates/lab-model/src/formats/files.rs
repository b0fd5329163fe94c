//! Access to a model's files.

use lab_protocol::{ErrorCode, LabError, ModelFile, Text, text};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The files of a model: a folder, a map, files dropped onto the page.
pub trait ModelFiles {
    /// Names without the folder.
    fn names(&self) -> Vec<String>;

    /// A file's bytes; `None` if there is no such file.
    fn read(&self, name: &str) -> Result<Option<Cow<'_, [u8]>>, LabError>;
}

impl ModelFiles for BTreeMap<String, Vec<u8>> {
    fn names(&self) -> Vec<String> {
        self.keys().cloned().collect()
    }

    fn read(&self, name: &str) -> Result<Option<Cow<'_, [u8]>>, LabError> {
        Ok(self.get(name).map(|bytes| Cow::Borrowed(&bytes[..])))
    }
}

impl ModelFiles for [ModelFile] {
    fn names(&self) -> Vec<String> {
        self.iter().map(|file| file.path.clone()).collect()
    }

    fn read(&self, name: &str) -> Result<Option<Cow<'_, [u8]>>, LabError> {
        let file = self.iter().find(|file| file.path == name);
        Ok(file.map(|file| Cow::Borrowed(&file.bytes[..])))
    }
}

/// The files in a folder among a run's files, e.g. `model/`, with names relative to it.
pub struct Subfolder<'a> {
    pub files: &'a [ModelFile],
    pub folder: &'a str,
}

impl Subfolder<'_> {
    /// Whether there is any file in it.
    pub fn is_empty(&self) -> bool {
        self.inside().next().is_none()
    }

    fn inside(&self) -> impl Iterator<Item = (&str, &ModelFile)> {
        self.files
            .iter()
            .filter_map(|file| Some((file.path.strip_prefix(self.folder)?, file)))
    }
}

impl ModelFiles for Subfolder<'_> {
    fn names(&self) -> Vec<String> {
        self.inside().map(|(name, _)| name.to_owned()).collect()
    }

    fn read(&self, name: &str) -> Result<Option<Cow<'_, [u8]>>, LabError> {
        let found = self.inside().find(|(inside, _)| *inside == name);
        Ok(found.map(|(_, file)| Cow::Borrowed(&file.bytes[..])))
    }
}

/// A single file.
pub struct OneFile<'a> {
    pub name: &'a str,
    pub bytes: &'a [u8],
}

impl ModelFiles for OneFile<'_> {
    fn names(&self) -> Vec<String> {
        vec![self.name.to_owned()]
    }

    fn read(&self, name: &str) -> Result<Option<Cow<'_, [u8]>>, LabError> {
        Ok((name == self.name).then_some(Cow::Borrowed(self.bytes)))
    }
}

/// A JSON file; `None` if there is no such file.
pub fn json<F: ModelFiles + ?Sized>(files: &F, name: &str) -> Result<Option<Value>, LabError> {
    let Some(bytes) = files.read(name)? else {
        return Ok(None);
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| {
        bad(text!(
            "the model cannot be read: {name} is not JSON: {error}",
            name,
            error
        ))
    })
}

/// The error for a model that cannot be read.
pub fn bad(message: impl Into<Text>) -> LabError {
    LabError::new(
        ErrorCode::InvalidCheckpoint,
        message,
        "Give the whole folder of a GPT-2 or Llama model (config.json, model.safetensors, tokenizer.json), or a GGUF file.",
    )
}
