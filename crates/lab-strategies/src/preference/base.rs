//! What learning from preferences asks of the model that it starts from.

use crate::learning::base::Base;
use crate::learning::base::in_folder;
use lab_model::burn::tensor::Device;
use lab_model::decoder::Decoder;
use lab_model::formats::adapter_folder;
use lab_protocol::{LabError, LoraConfig, ModelFile};

impl Base {
    /// The model to be trained: all of it, or frozen with a new adapter.
    pub(crate) fn to_train(
        &self,
        lora: Option<&LoraConfig>,
        seed: u64,
        device: &Device,
    ) -> Result<Decoder, LabError> {
        let model = self.model.clone();
        match lora {
            None => Ok(model),
            Some(config) => model
                .with_new_adapter(&self.shape, config, seed, device)
                .map_err(|error| error.at("config.lora")),
        }
    }

    /// The files of a trained model: `model/`, and where only an adapter was trained, that in `adapter/`
    /// beside the base.
    pub(crate) async fn trained_files(
        &self,
        trained: &Decoder,
        lora: Option<&LoraConfig>,
    ) -> Result<Vec<ModelFile>, LabError> {
        let Some(config) = lora else {
            return Ok(in_folder("model", self.folder(trained).await?));
        };
        let adapter = adapter_folder(&self.shape, &trained.adapter(config).await?)?;
        let mut files = in_folder("model", self.files.clone());
        files.extend(in_folder("adapter", adapter));
        Ok(files)
    }

    /// The token that ends an answer: the text `stop`, which must be one token, or the base's own, if it
    /// has one.
    pub(crate) fn end_of_answers(&self, stop: &str) -> Result<Option<u32>, LabError> {
        if stop.is_empty() {
            return Ok(self.end().ok());
        }
        let place = |error: LabError| error.at("config.rollout.stop");
        match self.tokenizer.encode(stop).map_err(place)?[..] {
            [id] => Ok(Some(id)),
            ref ids => Err(LabError::config(
                "config.rollout.stop",
                format!("{stop:?} is {} tokens", ids.len()),
                "Give a text of one token, e.g. \"\\n\".",
            )),
        }
    }
}

/// Tells the files of one base from those of another: the hash of Fowler, Noll and Vo, with 64 bits.
pub(crate) fn fingerprint(files: &[ModelFile]) -> String {
    let weights = files
        .iter()
        .filter(|file| file.path.ends_with(".safetensors"));
    let hash = weights
        .flat_map(|file| &file.bytes)
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    format!("{hash:016x}")
}
