//! `lab index`.

use super::Bar;
use super::embedder::EncoderArguments;
use crate::files;
use clap::ValueEnum;
use lab_protocol::{ChunkConfig, ChunkMethod, ErrorCode, LabError, RagDocument, text};
use lab_retrieval::read::{Format, read};
use lab_retrieval::{Index, IndexConfig};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Arguments {
    /// A file, or a folder that is gone through: text, Markdown, HTML, JSONL, CSV, PDF.
    documents: PathBuf,
    /// File for the index; one that is there is replaced.
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    encoder: EncoderArguments,
    /// The boundaries at which documents are cut.
    #[arg(long, value_enum, default_value = "structure")]
    chunk: Chunking,
    /// The maximum number of tokens in a chunk, by the encoder's tokenizer, else of words.
    #[arg(long, default_value_t = 200)]
    chunk_size: usize,
    /// Tokens that neighbouring chunks share.
    #[arg(long, default_value_t = 20)]
    overlap: usize,
    /// Decides the graph, together with the documents.
    #[arg(long, default_value_t = 1337)]
    seed: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Chunking {
    Tokens,
    Sentences,
    Structure,
}

pub fn run(arguments: Arguments) -> Result<(), LabError> {
    let chunking = ChunkConfig {
        method: match arguments.chunk {
            Chunking::Tokens => ChunkMethod::Tokens,
            Chunking::Sentences => ChunkMethod::Sentences,
            Chunking::Structure => ChunkMethod::Structure,
        },
        size: arguments.chunk_size,
        overlap: arguments.overlap,
    };
    let mut config = IndexConfig {
        chunking,
        ..IndexConfig::default()
    };
    config.chunking.validate()?;
    config.store.seed = arguments.seed;
    let documents = documents(&arguments.documents)?;
    let texts = documents.iter().map(|document| document.content.as_str());
    let embedder = arguments.encoder.open(texts)?;
    embedder
        .check_chunk_size(config.chunking.size)
        .map_err(|error| LabError {
            field: Some("chunk_size".into()),
            ..error
        })?;
    let mut index = Index::new(config, Some(embedder.as_dyn()))?;
    let count = |text: &str| embedder.count(text);
    let mut bar = Bar::new("embedding");
    let put = index.put(documents, &count, Some(embedder.as_dyn()), &mut bar);
    pollster::block_on(put)?;
    drop(bar);
    let bytes = index.to_bytes()?;
    files::write(&arguments.out, &bytes)?;
    println!(
        "{}: {} documents, {} chunks, {} bytes",
        arguments.out.display(),
        index.documents().len(),
        index.chunks(),
        bytes.len()
    );
    Ok(())
}

/// The documents of a file or of all files in a folder, with their paths within it as ids.
fn documents(path: &Path) -> Result<Vec<RagDocument>, LabError> {
    let mut paths = Vec::new();
    if path.is_dir() {
        collect(path, &mut paths)?;
        paths.sort();
    } else {
        paths.push(path.to_owned());
    }
    let mut documents = Vec::new();
    for file in &paths {
        let inside = file.strip_prefix(path).unwrap_or(file);
        let name = if inside.as_os_str().is_empty() {
            file.file_name().unwrap_or_default().to_string_lossy()
        } else {
            inside.to_string_lossy()
        };
        let bytes = files::read(file, "documents")?;
        documents.extend(read(&name, &bytes, Format::of(&name))?);
    }
    if documents.is_empty() {
        return Err(LabError::new(
            ErrorCode::InvalidData,
            text!("{path} has no documents", path = path.display()),
            "Name a file, or a folder with files.",
        )
        .at("documents"));
    }
    Ok(documents)
}

/// Files below a folder, without files with names that begin with a dot; links to folders are not followed.
fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), LabError> {
    let unreadable = |error: std::io::Error| {
        LabError::new(
            ErrorCode::InvalidData,
            text!(
                "{path} cannot be read: {error}",
                path = folder.display(),
                error
            ),
            "Give the path of a folder that exists and may be read.",
        )
        .at("documents")
    };
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let kind = entry.file_type().map_err(unreadable)?;
        if kind.is_dir() {
            collect(&entry.path(), paths)?;
        } else if entry.path().is_file() {
            paths.push(entry.path());
        }
    }
    Ok(())
}
