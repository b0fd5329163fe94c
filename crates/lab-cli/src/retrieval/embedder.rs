//! The embedder that the command line chooses, or that an index was made with.

use crate::files;
use lab_model::formats::ModelFiles;
use lab_protocol::{BackendChoice, ErrorCode, LabError, text};
use lab_retrieval::{HashedConfig, HashedEmbedder};
use lab_strategies::{DecoderEmbedder, EncoderEmbedder, IndexEmbedder, device};
use serde_json::Value;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// The options that choose an embedder.
#[derive(clap::Args)]
pub struct EncoderArguments {
    /// Folder of a sentence encoder (BERT family) or of a language model; without it, hashed n-grams.
    #[arg(long)]
    pub encoder: Option<PathBuf>,
    /// Text before each question, e.g. "query: " for E5; without it, the one that the encoder's files name.
    #[arg(long, requires = "encoder")]
    query_prefix: Option<String>,
    /// Text before each passage, e.g. "passage: " for E5; without it, the one that the encoder's files name.
    #[arg(long, requires = "encoder")]
    passage_prefix: Option<String>,
}

impl EncoderArguments {
    /// The model in the folder; hashed n-grams, weighted by how rare the words are in `texts`, without one.
    pub fn open<'a>(
        &self,
        texts: impl IntoIterator<Item = &'a str>,
    ) -> Result<IndexEmbedder, LabError> {
        match &self.encoder {
            Some(path) => from_folder(
                path,
                self.query_prefix.as_deref(),
                self.passage_prefix.as_deref(),
            ),
            None => {
                let hashed = HashedEmbedder::new(HashedConfig::default())?;
                Ok(IndexEmbedder::Hashed(hashed.weighted(texts)))
            }
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

/// The model in a folder: a sentence encoder, with other prefixes if they are given, or a language model.
fn from_folder(
    path: &Path,
    query_prefix: Option<&str>,
    passage_prefix: Option<&str>,
) -> Result<IndexEmbedder, LabError> {
    let folder = Folder::new(path);
    let config = folder.read("config.json")?.ok_or_else(|| {
        LabError::new(
            ErrorCode::InvalidData,
            text!("{path} has no config.json", path = path.display()),
            "Name the folder of a sentence encoder, such as all-MiniLM-L6-v2, or of a language model.",
        )
        .at("encoder")
    })?;
    let config: Value = serde_json::from_slice(&config).unwrap_or_default();
    let device = pollster::block_on(device::open(BackendChoice::Cpu))?;
    if config["model_type"] == "bert" {
        let encoder = EncoderEmbedder::read(&folder, &device)?;
        let encoder = encoder.with_prefixes(query_prefix, passage_prefix);
        return Ok(IndexEmbedder::Encoder(Box::new(encoder)));
    }
    if query_prefix.is_some() || passage_prefix.is_some() {
        return Err(LabError::config(
            "encoder",
            text!(
                "{path} is a language model, which has no prefixes",
                path = path.display()
            ),
            "Leave the prefixes out, or name the folder of a sentence encoder.",
        ));
    }
    let decoder = DecoderEmbedder::read(&folder, &device)?;
    Ok(IndexEmbedder::Model(Box::new(decoder)))
}

/// The embedder that an index was made with; none for an index of words alone.
pub fn of_index(
    description: Option<&Value>,
    encoder: Option<&Path>,
) -> Result<Option<IndexEmbedder>, LabError> {
    match (description, encoder) {
        (None, _) => Ok(None),
        (Some(description), _) if description["kind"] == "hashed" => Ok(Some(
            IndexEmbedder::Hashed(HashedEmbedder::from_description(description)?),
        )),
        (Some(description), Some(path)) => {
            let prefix = |name: &str| description[name].as_str();
            from_folder(path, prefix("query_prefix"), prefix("passage_prefix")).map(Some)
        }
        (Some(description), None) => Err(LabError::config(
            "encoder",
            text!(
                "the index was made with the model {model}",
                model = description["model"]
            ),
            "Name its folder with --encoder, or search by --method bm25.",
        )),
    }
}
