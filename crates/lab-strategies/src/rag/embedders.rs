//! The embedders of an index: hashed n-grams, a pretrained sentence encoder, or a language model of the lab.

use async_trait::async_trait;
use burn::tensor::{Device, Int, Tensor, TensorData};
use lab_model::decoder::Decoder;
use lab_model::dropout::Dropout;
use lab_model::encoder::{Prefixes, SentenceEncoder};
use lab_model::formats::{BaseModel, ModelFiles};
use lab_model::parameters;
use lab_model::tokenizer::Tokenizer;
use lab_protocol::{ErrorCode, LabError, text};
use lab_retrieval::{Embedder, HashedEmbedder, TextKind, count_words};
use serde_json::{Value, json};

/// An embedder, which also measures the length of texts.
pub enum IndexEmbedder {
    Hashed(HashedEmbedder),
    Encoder(Box<EncoderEmbedder>),
    Model(Box<DecoderEmbedder>),
}

impl IndexEmbedder {
    pub fn as_dyn(&self) -> &dyn Embedder {
        match self {
            Self::Hashed(embedder) => embedder,
            Self::Encoder(embedder) => &**embedder,
            Self::Model(embedder) => &**embedder,
        }
    }

    /// Number of tokens of a text by the embedder's own tokenizer, else number of words.
    pub fn count(&self, text: &str) -> usize {
        match self {
            Self::Hashed(_) => count_words(text),
            Self::Encoder(embedder) => embedder.count(text),
            Self::Model(embedder) => embedder.count(text),
        }
    }

    /// Refuses chunks of which the embedder would read only the beginning. `size` is their maximum number of tokens,
    /// by [`IndexEmbedder::count`].
    pub fn check_chunk_size(&self, size: usize) -> Result<(), LabError> {
        let window = match self {
            Self::Hashed(_) => return Ok(()),
            Self::Encoder(embedder) => embedder.window(),
            Self::Model(embedder) => embedder.context,
        };
        if size <= window {
            return Ok(());
        }
        Err(LabError::config(
            "size",
            text!(
                "chunks may have {size} tokens, and the embedder reads {window}",
                size,
                window
            ),
            text!(
                "Use a size of at most {window}: text beyond it would not be found.",
                window
            ),
        ))
    }
}

/// A sentence encoder from its Hugging Face folder.
pub struct EncoderEmbedder {
    encoder: SentenceEncoder,
    prefixes: Prefixes,
    /// CRC-32 of the weights, by which an index refuses another model.
    checksum: u32,
}

impl EncoderEmbedder {
    pub fn read<F: ModelFiles + ?Sized>(files: &F, device: &Device) -> Result<Self, LabError> {
        let encoder = SentenceEncoder::read(files, device)?;
        let weights = files.read("model.safetensors")?.unwrap_or_default();
        Ok(Self {
            prefixes: encoder.prefixes().clone(),
            encoder,
            checksum: crc32fast::hash(&weights),
        })
    }

    /// Replaces the prefixes of the encoder's own files by those that are given: "query: " and "passage: " for E5
    /// (Wang et al. 2022), "Represent this sentence for searching relevant passages: " before questions for English
    /// BGE models (Xiao et al. 2023).
    pub fn with_prefixes(mut self, query: Option<&str>, passage: Option<&str>) -> Self {
        if let Some(query) = query {
            self.prefixes.query = query.to_owned();
        }
        if let Some(passage) = passage {
            self.prefixes.passage = passage.to_owned();
        }
        self
    }

    fn count(&self, text: &str) -> usize {
        self.encoder.count(text)
    }

    /// The maximum number of tokens of a passage that reach its vector, without its prefix and the two special
    /// tokens at its ends.
    fn window(&self) -> usize {
        let prefix = self.encoder.count(&self.prefixes.passage);
        (self.encoder.max_tokens() - 2).saturating_sub(prefix)
    }
}

#[async_trait(?Send)]
impl Embedder for EncoderEmbedder {
    fn description(&self) -> Value {
        let mut description = json!({
            "kind": "encoder", "model": self.encoder.name(), "weights": format!("{:08x}", self.checksum),
            "max_tokens": self.encoder.max_tokens(), "dimensions": self.encoder.dimensions(),
        });
        let Prefixes { query, passage } = &self.prefixes;
        for (name, prefix) in [("query_prefix", query), ("passage_prefix", passage)] {
            if !prefix.is_empty() {
                description[name] = json!(prefix);
            }
        }
        description
    }

    fn dimensions(&self) -> usize {
        self.encoder.dimensions()
    }

    async fn embed(&self, texts: &[&str], kind: TextKind) -> Result<Vec<Vec<f32>>, LabError> {
        let prefix = match kind {
            TextKind::Query => &self.prefixes.query,
            TextKind::Passage => &self.prefixes.passage,
        };
        let texts: Vec<String> = texts.iter().map(|text| format!("{prefix}{text}")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        self.encoder.embed(&texts).await
    }
}

/// A language model: a vector is the mean of a text's last hidden states, scaled to length 1. Texts longer than the
/// context are cut off.
pub struct DecoderEmbedder {
    model: Decoder,
    tokenizer: Tokenizer,
    device: Device,
    context: usize,
    width: usize,
    checksum: u32,
}

/// Number of texts in a batch.
const BATCH: usize = 8;

impl DecoderEmbedder {
    /// A model without autodiff; an index refuses other weights by the `checksum`.
    pub fn new(
        model: Decoder,
        tokenizer: Tokenizer,
        context: usize,
        checksum: u32,
        device: &Device,
    ) -> Self {
        let [_, width] = model.token_embedding.dims();
        Self {
            model,
            tokenizer,
            device: device.clone().inner(),
            context,
            width,
            checksum,
        }
    }

    /// A model from the files of its folder.
    pub fn read<F: ModelFiles + ?Sized>(files: &F, device: &Device) -> Result<Self, LabError> {
        let base = BaseModel::read(files)?;
        let tokenizer = base.tokenizer()?.clone();
        let weights = files.read("model.safetensors")?.unwrap_or_default();
        let device = device.clone().inner();
        let model = base.decoder(&device)?;
        let checksum = crc32fast::hash(&weights);
        Ok(Self::new(
            model,
            tokenizer,
            base.shape.context,
            checksum,
            &device,
        ))
    }

    fn count(&self, text: &str) -> usize {
        self.tokenizer
            .encode(text)
            .map_or(usize::MAX, |ids| ids.len())
    }

    /// The vectors of tokenized texts, none of them empty.
    async fn batch(&self, texts: &[Vec<u32>]) -> Result<Vec<Vec<f32>>, LabError> {
        let time = texts.iter().map(Vec::len).max().unwrap_or(0);
        let mut ids = vec![0i32; texts.len() * time];
        let mut shares = vec![0f32; texts.len() * time];
        for (row, text) in texts.iter().enumerate() {
            for (place, id) in text.iter().enumerate() {
                ids[row * time + place] = *id as i32;
                shares[row * time + place] = 1.0 / text.len() as f32;
            }
        }
        let shape = [texts.len(), time];
        let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, shape), &self.device);
        let shares = Tensor::<3>::from_data(
            TensorData::new(shares, [texts.len(), time, 1]),
            &self.device,
        );
        // Attention is causal: the padding after a short text changes nothing before it.
        let hidden = self.model.hidden(ids, &mut Dropout::off());
        let means = (hidden * shares)
            .sum_dim(1)
            .reshape([texts.len(), self.width]);
        let values = parameters::read(vec![means])
            .await?
            .pop()
            .unwrap_or_default();
        let rows = values.chunks_exact(self.width);
        Ok(rows
            .map(|row| {
                let length = lab_retrieval::dot(row, row).sqrt().max(1e-12);
                row.iter().map(|value| value / length).collect()
            })
            .collect())
    }
}

#[async_trait(?Send)]
impl Embedder for DecoderEmbedder {
    fn description(&self) -> Value {
        json!({
            "kind": "language_model", "weights": format!("{:08x}", self.checksum),
            "max_tokens": self.context, "dimensions": self.width,
        })
    }

    fn dimensions(&self) -> usize {
        self.width
    }

    async fn embed(&self, texts: &[&str], _: TextKind) -> Result<Vec<Vec<f32>>, LabError> {
        let mut encoded = Vec::with_capacity(texts.len());
        for text in texts {
            let mut ids = self.tokenizer.encode(text)?;
            ids.truncate(self.context);
            if ids.is_empty() {
                return Err(LabError::new(
                    ErrorCode::InvalidData,
                    "a text without tokens has no vector",
                    "Leave out empty texts.",
                ));
            }
            encoded.push(ids);
        }
        let mut vectors = Vec::with_capacity(texts.len());
        for batch in encoded.chunks(BATCH) {
            vectors.extend(self.batch(batch).await?);
        }
        Ok(vectors)
    }
}
