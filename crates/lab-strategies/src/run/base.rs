//! The model that a run starts from: what the run before it left, an adapter included.

use super::context::RunContext;
use super::files::{in_folder, inside};
use lab_model::burn::tensor::Device;
use lab_model::chat::ChatTemplate;
use lab_model::decoder::Decoder;
use lab_model::formats::{BaseModel, WeightType, adapter_folder, read_adapter};
use lab_model::parameters;
use lab_model::prompts::PromptFormat;
use lab_model::tokenizer::Tokenizer;
use lab_protocol::{ErrorCode, LabError, LoraConfig, ModelConfig, ModelFile};

/// A model, its tokenizer and its shape.
pub struct Base {
    pub shape: ModelConfig,
    pub model: Decoder,
    pub tokenizer: Tokenizer,
    pub chat_template: Option<ChatTemplate>,
    ends: Vec<u32>,
    /// The model as a folder, by the files' names in it.
    pub files: Vec<ModelFile>,
    /// What the folder of a model made from this one needs beside its weights.
    rest: BaseModel,
}

impl Base {
    /// Reads the model of the run's base; an adapter beside it becomes part of its weights.
    pub async fn load(run: &RunContext) -> Result<Self, LabError> {
        if run.base.is_empty() {
            return Err(LabError::config(
                "from",
                "there is no model to start from",
                "Name the strategy whose model is to be trained further, e.g. \"from\": \"pretrain\".",
            ));
        }
        Self::read(&run.base, &run.device)
            .await
            .map_err(|error| error.at("from"))
    }

    /// Reads the model among a run's files; an adapter beside it becomes part of its weights.
    pub async fn read(made: &[ModelFile], device: &Device) -> Result<Self, LabError> {
        let mut files = inside("model", made);
        let mut base = BaseModel::read(&files[..])?;
        let tokenizer = base.tokenizer()?.clone();
        let mut model = base.decoder(device)?;
        let adapter = inside("adapter", made);
        if !adapter.is_empty() {
            let adapter = read_adapter(&base.shape, &adapter)?;
            if adapter.quantized_base {
                model = model.quantized(device).await?;
            }
            let adapted = model.with_adapter(&base.shape, &adapter, device)?;
            base.weights = parameters::to_host(&adapted.merged().dequantized()).await?;
            model = base.decoder(device)?;
            files = base.folder(WeightType::F32)?;
        }
        base.weights.clear();
        let end = tokenizer.end();
        let others = base.end_of_text.iter().copied();
        Ok(Self {
            shape: base.shape.clone(),
            model,
            ends: end
                .into_iter()
                .chain(others.filter(|&other| end != Some(other)))
                .collect(),
            tokenizer,
            chat_template: base.chat_template.clone(),
            files,
            rest: base,
        })
    }

    /// The model to be trained: all of it, or frozen with a new adapter.
    pub fn to_train(
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

    /// The folder of this model with other weights.
    pub async fn folder(&self, model: &Decoder) -> Result<Vec<ModelFile>, LabError> {
        let mut base = self.rest.clone();
        base.weights = parameters::to_host(model).await?;
        base.folder(WeightType::F32)
    }

    /// The files of a model that was trained from this one: `model/`, and where only an adapter was
    /// trained, that in `adapter/` beside the base.
    pub async fn trained_files(
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

    /// The token that ends an answer.
    pub fn end(&self) -> Result<u32, LabError> {
        self.tokenizer.end().ok_or_else(|| {
            LabError::new(
                ErrorCode::InvalidData,
                "the tokenizer has no token that could end an answer: neither an end of text nor a new line",
                "Pretrain on a text with several lines, or with the byte tokenizer.",
            )
            .at("from")
        })
    }

    /// The tokens at which the model's texts end, first the one that is written; none where it has no end.
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// How the model is given messages.
    pub fn format(&self) -> PromptFormat<'_> {
        PromptFormat {
            tokenizer: &self.tokenizer,
            template: self.chat_template.as_ref(),
            ends: &self.ends,
        }
    }

    /// The tokens at which an answer ends that was learned to end with `end`: the model's own too.
    pub fn ends_of_answers(&self, end: Option<u32>) -> Vec<u32> {
        self.ends.iter().copied().chain(end).collect()
    }

    /// The token that ends an answer: the text `stop`, which must be one token, or the base's own, if it
    /// has one.
    pub fn end_of_answers(&self, stop: &str) -> Result<Option<u32>, LabError> {
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
