//! The model that a strategy starts from.

use crate::{RunContext, in_folder};
use lab_model::burn::tensor::Device;
use lab_model::decoder::Decoder;
use lab_model::formats::{BaseModel, adapter_folder, model_folder};
use lab_model::parameters;
use lab_model::tokenizer::Tokenizer;
use lab_protocol::{LabError, LoraConfig, ModelConfig, ModelFile};
use std::collections::BTreeMap;

/// Model, tokenizer and shape, as the run that this one starts from left them.
pub(crate) struct Base {
    pub shape: ModelConfig,
    pub tokenizer: Tokenizer,
    pub model: Decoder,
    /// The token with which the model ends a text, if it has one.
    pub end_of_text: Option<u32>,
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
        let of_model = |file: &ModelFile| {
            let name = file.path.strip_prefix("model/")?.to_owned();
            Some((name, file.bytes.clone()))
        };
        let files: BTreeMap<String, Vec<u8>> = run.base.iter().filter_map(of_model).collect();
        let base = BaseModel::read(&files).map_err(|error| error.at("from"))?;
        let weights = files.get("model.safetensors").map(Vec::as_slice);
        Ok(Self {
            model: base.decoder(&run.device)?,
            tokenizer: base.tokenizer().map_err(|error| error.at("from"))?.clone(),
            end_of_text: base.end_of_text.first().copied(),
            shape: base.shape,
            fingerprint: format!("{:016x}", fnv(weights.unwrap_or_default())),
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

/// The hash of Fowler, Noll and Vo, with 64 bits.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

impl Base {
    /// The token that ends an answer: the text `stop`, which must be one token, or the model's own.
    pub fn end_of_answers(&self, stop: &str) -> Result<Option<u32>, LabError> {
        if stop.is_empty() {
            return Ok(self.end_of_text);
        }
        let ids = self.tokenizer.encode(stop);
        match ids.map_err(|error| error.at("rollout.stop"))?[..] {
            [id] => Ok(Some(id)),
            ref ids => Err(LabError::config(
                "rollout.stop",
                format!("{stop:?} is {} tokens", ids.len()),
                "Give a text of one token, e.g. \"\\n\".",
            )),
        }
    }
}
