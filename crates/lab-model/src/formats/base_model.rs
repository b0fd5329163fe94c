//! A model to start from, read from the files of a Hugging Face folder or from a GGUF file.

use super::folder::{FolderContent, write_folder};
use super::loader::{Loader, WeightForm};
use super::tensors::WeightType;
use crate::chat::ChatTemplate;
use crate::decoder::Decoder;
use crate::parameters::HostTensors;
use crate::tokenizer::Tokenizer;
use burn::tensor::Device;
use lab_protocol::{ErrorCode, LabError, ModelConfig, ModelFile};
use serde_json::Value;

/// A model that was trained elsewhere, or here.
#[derive(Clone, Debug)]
pub struct BaseModel {
    pub shape: ModelConfig,
    /// Rows of the token embedding: at least the tokenizer's entries.
    pub vocabulary: usize,
    /// By our names, complete and in their shapes; empty if a decoder has them.
    pub weights: HostTensors,
    pub tokenizer: Option<Tokenizer>,
    /// `tokenizer_config.json` as it was read, or null.
    pub tokenizer_config: Value,
    /// `generation_config.json` as it was read, or null.
    pub generation_config: Value,
    pub chat_template: Option<ChatTemplate>,
    /// Tokens that end the model's text.
    pub end_of_text: Vec<u32>,
}

impl BaseModel {
    /// The files of a Hugging Face folder with this model.
    pub fn folder(&self, kind: WeightType) -> Result<Vec<ModelFile>, LabError> {
        let content = FolderContent {
            shape: &self.shape,
            vocabulary: self.vocabulary,
            weights: &self.weights,
            tokenizer: self.tokenizer.as_ref(),
            tokenizer_config: &self.tokenizer_config,
            generation_config: &self.generation_config,
            chat_template: self.chat_template.as_ref().map(ChatTemplate::source),
            end_of_text: &self.end_of_text,
        };
        write_folder(&content, kind)
    }

    /// The model on a device, from the weights that are held here.
    pub fn decoder(&self, device: &Device) -> Result<Decoder, LabError> {
        let mut loader = Loader::new(WeightForm::Floats, device);
        for (name, weight) in &self.weights {
            loader.put(name, weight.clone())?;
        }
        loader.decoder(&self.shape, self.vocabulary)
    }

    /// The tokenizer, or an error for callers that need one.
    pub fn tokenizer(&self) -> Result<&Tokenizer, LabError> {
        self.tokenizer.as_ref().ok_or_else(|| {
            LabError::new(
                ErrorCode::InvalidCheckpoint,
                "the model has no tokenizer",
                "Put its tokenizer.json beside its config.json.",
            )
        })
    }
}
