//! The embedder that a configuration chooses, and the files of its encoder.

use super::embedders::{DecoderEmbedder, EncoderEmbedder, IndexEmbedder};
use crate::run::base::Base;
use crate::run::context::RunContext;
use crate::run::folders::inside;
use burn::module::Module;
use burn::tensor::Device;
use lab_model::encoder;
use lab_protocol::{EmbedderKind, LabError, ModelFile, RagConfig, RetrievalMethod};
use lab_retrieval::{HashedConfig, HashedEmbedder};

/// The folder of the encoder's files in the files of a run.
pub(super) const ENCODER: &str = "encoder";

/// The kind of embedder that the index needs; `None` for search by terms alone.
pub(super) fn kind(config: &RagConfig) -> Option<EmbedderKind> {
    (config.method != RetrievalMethod::Bm25).then_some(config.embedder)
}

/// Opens the embedder. `base` is the model that the run starts from, `encoder` are the files in its folder
/// `encoder/`; each is needed only by its own kind of embedder.
pub(super) async fn embedder(
    config: &RagConfig,
    base: Option<&Base>,
    encoder: &[ModelFile],
    device: &Device,
) -> Result<Option<IndexEmbedder>, LabError> {
    let embedder = match kind(config) {
        None => return Ok(None),
        Some(EmbedderKind::Hashed) => {
            IndexEmbedder::Hashed(HashedEmbedder::new(HashedConfig::default())?)
        }
        Some(EmbedderKind::Model) => {
            let base = base.ok_or_else(|| {
                LabError::internal("the index needs the vectors of a model that was not read")
            })?;
            let is_weights = |file: &&ModelFile| file.path.ends_with(".safetensors");
            let files = base.files().await?;
            let mut weights: Vec<&ModelFile> = files.iter().filter(is_weights).collect();
            weights.sort_by_key(|file| &file.path);
            let mut checksum = crc32fast::Hasher::new();
            weights.iter().for_each(|file| checksum.update(&file.bytes));
            IndexEmbedder::Model(Box::new(DecoderEmbedder::new(
                base.model.valid(),
                base.tokenizer.clone(),
                base.shape.context,
                checksum.finalize(),
                device,
            )))
        }
        Some(EmbedderKind::Encoder) => {
            let encoder = EncoderEmbedder::read(encoder, device)
                .map_err(|error| error.at("config"))?
                .with_prefixes(given(&config.query_prefix), given(&config.passage_prefix));
            IndexEmbedder::Encoder(Box::new(encoder))
        }
    };
    Ok(Some(embedder))
}

/// A prefix, if it is set.
fn given(prefix: &str) -> Option<&str> {
    (!prefix.is_empty()).then_some(prefix)
}

/// The files of the encoder: from the folder `encoder/` of the base that the run starts from, else from the address
/// in the configuration. Empty if another embedder is chosen.
pub(super) async fn encoder_files(
    config: &RagConfig,
    run: &RunContext,
) -> Result<Vec<ModelFile>, LabError> {
    if kind(config) != Some(EmbedderKind::Encoder) {
        return Ok(Vec::new());
    }
    let mut files = inside(ENCODER, &run.base);
    let address = config.encoder.trim().trim_end_matches('/');
    if !files.is_empty() || address.is_empty() {
        return Ok(files);
    }
    for name in encoder::FILES {
        let address = format!("{address}/{name}");
        let bytes = run.network.read(&address).await;
        if let Some(bytes) = bytes.map_err(|error| error.at("config.encoder"))? {
            files.push(ModelFile {
                path: name.to_owned(),
                bytes,
            });
        }
    }
    Ok(files)
}
