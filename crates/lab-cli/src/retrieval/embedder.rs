//! The embedder that the command line names, or that an index was made with.

use crate::files;
use lab_model::formats::ModelFiles;
use lab_protocol::{BackendChoice, ErrorCode, LabError};
use lab_retrieval::{Embedder, HashedEmbedder, count_words};
use lab_strategies::{DecoderEmbedder, EncoderEmbedder, device};
use serde_json::Value;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// An embedder, and how it counts tokens.
pub enum Chosen {
    Hashed(HashedEmbedder),
    Encoder(Box<EncoderEmbedder>),
    Decoder(Box<DecoderEmbedder>),
}

impl Chosen {
    pub fn embedder(&self) -> &dyn Embedder {
        match self {
            Self::Hashed(embedder) => embedder,
            Self::Encoder(embedder) => &**embedder,
            Self::Decoder(embedder) => &**embedder,
        }
    }

    pub fn count(&self, text: &str) -> usize {
        match self {
            Self::Encoder(embedder) => embedder.count(text),
            Self::Hashed(_) | Self::Decoder(_) => count_words(text),
        }
    }

    /// The most tokens of a text that reach its vector, where there is a limit.
    pub fn window(&self) -> Option<usize> {
        match self {
            Self::Encoder(embedder) => Some(embedder.window()),
            Self::Hashed(_) | Self::Decoder(_) => None,
        }
    }
}

/// A model's folder on disk.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }
}

impl ModelFiles for Folder {
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect()
    }

    fn read(&self, name: &str) -> Result<Option<Cow<'_, [u8]>>, LabError> {
        let path = self.0.join(name);
        if !path.is_file() {
            return Ok(None);
        }
        Ok(Some(Cow::Owned(files::read(&path, "encoder")?)))
    }
}

/// The model in a folder: a sentence encoder, or a language model.
pub fn from_folder(path: &Path) -> Result<Chosen, LabError> {
    let folder = Folder::new(path);
    let config = folder.read("config.json")?.ok_or_else(|| {
        LabError::new(
            ErrorCode::InvalidData,
            format!("{} has no config.json", path.display()),
            "Name the folder of a sentence encoder, such as all-MiniLM-L6-v2, or of a language model.",
        )
        .at("encoder")
    })?;
    let config: Value = serde_json::from_slice(&config).unwrap_or_default();
    let device = pollster::block_on(device::open(BackendChoice::Cpu))?;
    Ok(if config["model_type"] == "bert" {
        Chosen::Encoder(Box::new(EncoderEmbedder::read(&folder, &device)?))
    } else {
        Chosen::Decoder(Box::new(DecoderEmbedder::read(&folder, &device)?))
    })
}

/// The embedder that an index was made with; none for an index of words alone.
pub fn of_index(
    description: Option<&Value>,
    encoder: Option<&Path>,
) -> Result<Option<Chosen>, LabError> {
    match (description, encoder) {
        (None, _) => Ok(None),
        (Some(description), _) if description["kind"] == "hashed" => Ok(Some(Chosen::Hashed(
            HashedEmbedder::from_description(description)?,
        ))),
        (Some(_), Some(path)) => from_folder(path).map(Some),
        (Some(description), None) => Err(LabError::config(
            "encoder",
            format!("the index was made with the model {}", description["model"]),
            "Name its folder with --encoder, or search by --method bm25.",
        )),
    }
}
