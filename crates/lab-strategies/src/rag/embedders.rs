//! Embedders that are models of the lab: a pretrained sentence encoder, and the lab's own language model.

use async_trait::async_trait;
use burn::tensor::{Device, Int, Tensor, TensorData};
use lab_model::decoder::Decoder;
use lab_model::dropout::Dropout;
use lab_model::encoder::SentenceEncoder;
use lab_model::formats::{BaseModel, ModelFiles};
use lab_model::parameters;
use lab_model::tokenizer::Tokenizer;
use lab_protocol::{ErrorCode, LabError};
use lab_retrieval::{Embedder, TextKind};
use serde_json::{Value, json};

/// A sentence encoder from its Hugging Face folder.
pub struct EncoderEmbedder {
    encoder: SentenceEncoder,
    /// Of the weights, so that an index knows the model it was made with.
    checksum: u32,
}

impl EncoderEmbedder {
    pub fn read<F: ModelFiles + ?Sized>(files: &F, device: &Device) -> Result<Self, LabError> {
        let encoder = SentenceEncoder::read(files, device)?;
        let weights = files.read("model.safetensors")?.unwrap_or_default();
        Ok(Self {
            encoder,
            checksum: crc32fast::hash(&weights),
        })
    }

    /// Tokens of a text, for chunking by the encoder's own measure.
    pub fn count(&self, text: &str) -> usize {
        self.encoder.count(text)
    }

    /// The most tokens of a text that reach its vector, without the two marks at its ends.
    pub fn window(&self) -> usize {
        self.encoder.max_tokens() - 2
    }
}

#[async_trait(?Send)]
impl Embedder for EncoderEmbedder {
    fn description(&self) -> Value {
        json!({
            "kind": "encoder", "model": self.encoder.name(), "weights": format!("{:08x}", self.checksum),
            "max_tokens": self.encoder.max_tokens(), "dimensions": self.encoder.dimensions(),
        })
    }

    fn dimensions(&self) -> usize {
        self.encoder.dimensions()
    }

    async fn embed(&self, texts: &[&str], _: TextKind) -> Result<Vec<Vec<f32>>, LabError> {
        self.encoder.embed(texts).await
    }
}

/// A language model: the mean of a text's last hidden states, at length 1. Texts longer than the window are
/// cut.
pub struct DecoderEmbedder {
    model: Decoder,
    tokenizer: Tokenizer,
    device: Device,
    context: usize,
    width: usize,
    checksum: u32,
}

/// Texts that are computed at once.
const BATCH: usize = 8;

impl DecoderEmbedder {
    /// A model as it is; `checksum` tells its weights from others.
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
        // A token sees none after it: what fills up short texts changes nothing before it.
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
