//! The model that a strategy starts from.

use crate::{RunContext, in_folder};
use lab_model::burn::tensor::Device;
use lab_model::decoder::Decoder;
use lab_model::formats::{adapter_folder, model_folder, read_config, read_weights};
use lab_model::parameters;
use lab_model::tokenizer::Tokenizer;
use lab_protocol::{ErrorCode, LabError, LoraConfig, ModelConfig, ModelFile};

/// Model, tokenizer and shape, as the run that this one starts from left them.
pub(crate) struct Base {
    pub shape: ModelConfig,
    pub tokenizer: Tokenizer,
    pub model: Decoder,
    /// Tells one base from another.
    pub fingerprint: String,
}

impl Base {
    pub fn load(run: &RunContext) -> Result<Self, LabError> {
        if run.base.is_empty() {
            return Err(LabError::config(
                "from",
                "there is no model to start from",
                "Name the strategy whose model is to be improved, e.g. \"from\": \"fine-tune\".",
            ));
        }
        let config = serde_json::from_slice(file(&run.base, "model/config.json")?).map_err(bad)?;
        let (shape, vocabulary) = read_config(&config)?;
        let weights = file(&run.base, "model/model.safetensors")?;
        let tensors = read_weights(&shape, weights)?;
        let tokenizer = file(&run.base, "model/tokenizer.json")?;
        let tokenizer = Tokenizer::from_json(&serde_json::from_slice(tokenizer).map_err(bad)?)?;
        if tokenizer.vocabulary() != vocabulary {
            return Err(LabError::new(
                ErrorCode::InvalidCheckpoint,
                format!(
                    "the tokenizer has {} tokens and the model {vocabulary}",
                    tokenizer.vocabulary()
                ),
                "Use the tokenizer.json that was written with the model.",
            )
            .at("from"));
        }
        let model = Decoder::new(&shape, vocabulary, 0, &run.device);
        Ok(Self {
            model: parameters::from_host(model, &tensors, &run.device)?,
            shape,
            tokenizer,
            fingerprint: format!("{:016x}", fnv(weights)),
        })
    }
}

impl Base {
    /// The model to be trained: all of it, or frozen with a new adapter.
    pub fn trainable(
        &self,
        lora: Option<&LoraConfig>,
        seed: u64,
        device: &Device,
    ) -> Result<Decoder, LabError> {
        let model = self.model.clone();
        match lora {
            None => Ok(model),
            Some(config) => model.with_new_adapter(&self.shape, config, seed, device),
        }
    }

    /// The files of a trained model: the model as a whole, and its adapter beside it where it has one.
    pub async fn files(
        &self,
        trained: &Decoder,
        lora: Option<&LoraConfig>,
    ) -> Result<Vec<ModelFile>, LabError> {
        let mut files = Vec::new();
        if let Some(config) = lora {
            let adapter = trained.adapter(config).await?;
            files = in_folder("adapter", adapter_folder(&self.shape, &adapter)?);
        }
        let weights = parameters::to_host(&trained.clone().merged()).await?;
        let model = model_folder(&self.shape, &self.tokenizer, &weights)?;
        files.extend(in_folder("model", model));
        Ok(files)
    }
}

fn file<'f>(files: &'f [ModelFile], path: &str) -> Result<&'f [u8], LabError> {
    let found = files.iter().find(|file| file.path == path);
    found
        .map(|file| file.bytes.as_slice())
        .ok_or_else(|| bad(format!("it has no {path}")))
}

fn bad(what: impl std::fmt::Display) -> LabError {
    LabError::new(
        ErrorCode::InvalidCheckpoint,
        format!("the model to start from cannot be read: {what}"),
        "Start from a run that ended with a model.",
    )
    .at("from")
}

/// The hash of Fowler, Noll and Vo, with 64 bits.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The token that ends an answer: the text `stop`, which must be one token, or the tokenizer's own.
pub(crate) fn end_of_answers(tokenizer: &Tokenizer, stop: &str) -> Result<Option<u32>, LabError> {
    if stop.is_empty() {
        return Ok(None);
    }
    let ids = tokenizer
        .encode(stop)
        .map_err(|error| error.at("rollout.stop"))?;
    match ids[..] {
        [id] => Ok(Some(id)),
        _ => Err(LabError::config(
            "rollout.stop",
            format!("{stop:?} is {} tokens", ids.len()),
            "Give a text of one token, e.g. \"\\n\".",
        )),
    }
}
