//! Pretrained sentence encoders of the BERT family, from their Hugging Face folders: the vector of a text is
//! pooled from its tokens' last hidden states and has length 1 (Reimers and Gurevych 2019).

mod network;
mod weights;

use crate::formats::ModelFiles;
use crate::parameters;
use burn::tensor::Device;
use lab_protocol::{ErrorCode, LabError, text};
use network::{EncoderActivation, EncoderShape, Network, Pooling};
use serde_json::Value;
use tokenizers::{Tokenizer, TruncationParams};
use weights::{Weights, bad};

/// Maximum number of tokens in one pass, padding included.
const TOKENS_AT_ONCE: usize = 4096;

/// The files of a folder that [`SentenceEncoder::read`] reads; the last three may be missing.
pub const FILES: [&str; 6] = [
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
    "config_sentence_transformers.json",
];

/// The texts before a question and before a passage in the encoder's training; often empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefixes {
    pub query: String,
    pub passage: String,
}

pub struct SentenceEncoder {
    network: Network,
    pooling: Pooling,
    prefixes: Prefixes,
    tokenizer: Tokenizer,
    /// The same without a limit.
    counter: Tokenizer,
    width: usize,
    max_tokens: usize,
    name: String,
}

impl SentenceEncoder {
    /// Reads `config.json`, `model.safetensors`, `tokenizer.json`, and if present `sentence_bert_config.json`
    /// (the maximum number of tokens), `1_Pooling/config.json` and the prompts of
    /// `config_sentence_transformers.json`. No gradients are recorded on `device`.
    pub fn read<F: ModelFiles + ?Sized>(files: &F, device: &Device) -> Result<Self, LabError> {
        let config = json(files, "config.json")?
            .ok_or_else(|| bad("the sentence encoder cannot be used: there is no config.json"))?;
        let shape = shape(&config)?;
        let pooling = pooling(json(files, "1_Pooling/config.json")?)?;
        let prefixes = json(files, "config_sentence_transformers.json")?
            .map_or_else(Prefixes::default, |settings| prefixes(&settings));
        let limit = json(files, "sentence_bert_config.json")?
            .and_then(|settings| settings["max_seq_length"].as_u64())
            .map_or(shape.positions, |limit| limit as usize);
        // The two marks at the ends, and one token.
        let max_tokens = limit.clamp(3, shape.positions);
        let tokenizer = files.read("tokenizer.json")?.ok_or_else(|| {
            bad("the sentence encoder cannot be used: there is no tokenizer.json")
        })?;
        let tokenizer = self::tokenizer(&tokenizer, max_tokens, shape.vocabulary)?;
        let bytes = files.read("model.safetensors")?.ok_or_else(|| {
            bad("the sentence encoder cannot be used: there is no model.safetensors")
        })?;
        let weights = Weights::new(&bytes)?;
        let device = device.clone().inner();
        let name = config["_name_or_path"]
            .as_str()
            .unwrap_or("bert")
            .to_owned();
        Ok(Self {
            width: shape.width,
            pooling,
            prefixes,
            network: Network::new(shape, &weights, &device)?,
            counter: unlimited(&tokenizer)?,
            tokenizer,
            max_tokens,
            name,
        })
    }

    /// Length of the vectors.
    pub fn dimensions(&self) -> usize {
        self.width
    }

    /// Maximum number of tokens that are read of a text, with the marks at its ends; the rest is cut off.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// The prefixes that the encoder's own files name.
    pub fn prefixes(&self) -> &Prefixes {
        &self.prefixes
    }

    /// The name in the model's configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Ids of a text with the marks at its ends, cut at the limit.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, LabError> {
        // A token has at least one character, and only its first tokens are read: the tokenizer need not cut
        // megabytes into words. White space is not a token, so there is room for much of it.
        let end = text
            .char_indices()
            .nth(64 * self.max_tokens)
            .map_or(text.len(), |(at, _)| at);
        let encoding = self
            .tokenizer
            .encode(&text[..end], true)
            .map_err(unreadable)?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Number of tokens in a text, without marks and limit.
    pub fn count(&self, text: &str) -> usize {
        let encoding = self.counter.encode_fast(text, false);
        encoding.map_or(text.len(), |encoding| encoding.len())
    }

    /// Vectors of length 1, `[texts][dimensions]`. Texts of similar length are computed together.
    pub async fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, LabError> {
        let mut encoded = Vec::with_capacity(texts.len());
        for (index, text) in texts.iter().enumerate() {
            encoded.push((index, self.encode(text)?));
        }
        encoded.sort_by_key(|(_, ids)| ids.len());
        let mut vectors = vec![Vec::new(); texts.len()];
        let mut rest = &encoded[..];
        while !rest.is_empty() {
            let mut size = 1;
            while size < rest.len() && rest[size].1.len() * (size + 1) <= TOKENS_AT_ONCE {
                size += 1;
            }
            let (batch, later) = rest.split_at(size);
            rest = later;
            let ids: Vec<Vec<u32>> = batch.iter().map(|(_, ids)| ids.clone()).collect();
            let pooled = self.network.pooled(&ids, self.pooling);
            let values = parameters::read(vec![pooled])
                .await?
                .pop()
                .unwrap_or_default();
            for ((index, _), vector) in batch.iter().zip(values.chunks_exact(self.width)) {
                vectors[*index] = normalized(vector);
            }
        }
        Ok(vectors)
    }
}

fn normalized(vector: &[f32]) -> Vec<f32> {
    let length = vector.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-12);
    vector.iter().map(|v| v / length).collect()
}

fn json<F: ModelFiles + ?Sized>(files: &F, name: &str) -> Result<Option<Value>, LabError> {
    files
        .read(name)?
        .map(|bytes| {
            serde_json::from_slice(&bytes).map_err(|error| {
                bad(text!(
                    "the sentence encoder cannot be used: {name}: {error}",
                    name,
                    error
                ))
            })
        })
        .transpose()
}

/// Reads sentence-transformers' configuration of the pooling; the default is the mean.
fn pooling(config: Option<Value>) -> Result<Pooling, LabError> {
    match config {
        None => Ok(Pooling::Mean),
        Some(config) if config["pooling_mode_mean_tokens"] == true => Ok(Pooling::Mean),
        Some(config) if config["pooling_mode_cls_token"] == true => Ok(Pooling::FirstToken),
        Some(_) => Err(bad(
            "the sentence encoder cannot be used: it pools neither by the mean of the tokens nor by the first token",
        )),
    }
}

/// Chooses prompts as `encode_query` and `encode_document` of sentence-transformers (version 5) do. Many models that
/// need prefixes, E5 and BGE among them, do not name them in their files.
fn prefixes(settings: &Value) -> Prefixes {
    let prompt = |name: &str| settings["prompts"][name].as_str();
    let default = settings["default_prompt_name"].as_str().and_then(prompt);
    let first = |names: &[&str]| {
        let named = names.iter().find_map(|name| prompt(name));
        named.or(default).unwrap_or_default().to_owned()
    };
    Prefixes {
        query: first(&["query"]),
        passage: first(&["document", "passage", "corpus"]),
    }
}

/// Reads the shape, and refuses features that this network does not support.
fn shape(config: &Value) -> Result<EncoderShape, LabError> {
    if config["model_type"] != "bert" {
        return Err(bad(text!(
            "the sentence encoder cannot be used: its model_type is {found}",
            found = config["model_type"]
        )));
    }
    let positions = &config["position_embedding_type"];
    if !positions.is_null() && positions != "absolute" {
        return Err(bad(text!(
            "the sentence encoder cannot be used: its positions are {positions}",
            positions
        )));
    }
    let number = |key: &str, max: u64| {
        config[key]
            .as_u64()
            .filter(|number| (1..=max).contains(number))
            .map(|number| number as usize)
            .ok_or_else(|| {
                bad(text!(
                    "the sentence encoder cannot be used: its {key} is {found}",
                    found = config[key],
                    key
                ))
            })
    };
    let shape = EncoderShape {
        layers: number("num_hidden_layers", 128)?,
        heads: number("num_attention_heads", 1024)?,
        width: number("hidden_size", 16_384)?,
        hidden_width: number("intermediate_size", 131_072)?,
        vocabulary: number("vocab_size", 1 << 20)?,
        positions: number("max_position_embeddings", 32_768)?,
        norm_epsilon: config["layer_norm_eps"].as_f64().unwrap_or(1e-12),
        activation: match config["hidden_act"].as_str() {
            Some("gelu") | None => EncoderActivation::Gelu,
            Some("gelu_new" | "gelu_pytorch_tanh") => EncoderActivation::GeluNew,
            Some("relu") => EncoderActivation::Relu,
            Some(other) => {
                return Err(bad(text!(
                    "the sentence encoder cannot be used: its activation is {activation}",
                    activation = other
                )));
            }
        },
    };
    if !shape.width.is_multiple_of(shape.heads) || shape.positions < 3 {
        return Err(bad(
            "the sentence encoder cannot be used: its heads do not divide its width, or it has no positions",
        ));
    }
    Ok(shape)
}

fn tokenizer(bytes: &[u8], max_tokens: usize, vocabulary: usize) -> Result<Tokenizer, LabError> {
    let unreadable = |error: tokenizers::Error| {
        bad(text!(
            "the sentence encoder cannot be used: tokenizer.json: {error}",
            error
        ))
    };
    let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(unreadable)?;
    let highest = tokenizer.get_vocab(true).into_values().max().unwrap_or(0);
    if highest as usize >= vocabulary {
        return Err(bad(text!(
            "the sentence encoder cannot be used: its tokenizer has the id {highest}, and the model {vocabulary} entries",
            highest,
            vocabulary
        )));
    }
    tokenizer.with_padding(None);
    let limit = TruncationParams {
        max_length: max_tokens,
        ..TruncationParams::default()
    };
    tokenizer.with_truncation(Some(limit)).map_err(unreadable)?;
    let empty = tokenizer.encode("", true).map_err(unreadable)?;
    if empty.is_empty() {
        return Err(bad(
            "the sentence encoder cannot be used: its tokenizer puts no marks at the ends of a text",
        ));
    }
    Ok(tokenizer)
}

fn unlimited(tokenizer: &Tokenizer) -> Result<Tokenizer, LabError> {
    let mut counter = tokenizer.clone();
    counter.with_truncation(None).map_err(|error| {
        bad(text!(
            "the sentence encoder cannot be used: tokenizer.json: {error}",
            error
        ))
    })?;
    Ok(counter)
}

fn unreadable(error: tokenizers::Error) -> LabError {
    LabError::new(
        ErrorCode::InvalidData,
        text!("the tokenizer cannot read the text: {error}", error),
        "Use another text.",
    )
}
