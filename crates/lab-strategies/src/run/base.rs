//! The model that a run starts from, as the run before it left it, with its adapter.

use super::context::RunContext;
use super::folders::{in_folder, inside};
use burn::module::Module;
use lab_model::adapter::Adapter;
use lab_model::burn::tensor::Device;
use lab_model::chat::ChatTemplate;
use lab_model::decoder::Decoder;
use lab_model::formats::{
    BaseModel, ModelReader, Subfolder, WeightForm, WeightType, adapter_folder, read_adapter,
};
use lab_model::memory::{MemoryNeeded, PassSize};
use lab_model::parameters;
use lab_model::prompts::PromptFormat;
use lab_model::tokenizer::Tokenizer;
use lab_protocol::{ErrorCode, LabError, LoraConfig, ModelConfig, ModelFile, text};
use std::rc::Rc;

/// A model, its tokenizer and its shape.
pub struct Base {
    pub shape: ModelConfig,
    pub model: Decoder,
    pub tokenizer: Tokenizer,
    pub chat_template: Option<ChatTemplate>,
    ends: Vec<u32>,
    /// The files that a folder of a model made from this one needs beside its weights.
    rest: BaseModel,
    /// The files that it was read from.
    made: Rc<[ModelFile]>,
    /// The adapter that is merged into the weights, beside the model's files.
    adapter: Option<Adapter>,
    device: Device,
}

impl Base {
    /// Reads the model of the run's base, its weights in the form that the run needs; an adapter beside it becomes
    /// part of the weights.
    pub async fn load(run: &RunContext, form: WeightForm) -> Result<Self, LabError> {
        if run.base.is_empty() {
            return Err(LabError::config(
                "from",
                "there is no model to start from",
                "Name the strategy whose model is to be trained further, e.g. \"from\": \"pretrain\".",
            ));
        }
        let fits = |needed| run.must_fit(needed);
        Self::read_if(run.base.clone(), form, &run.device, fits)
            .await
            .map_err(|error| error.at("from"))
    }

    /// Reads the model among a run's files; an adapter beside it becomes part of its weights.
    pub async fn read(
        made: Rc<[ModelFile]>,
        form: WeightForm,
        device: &Device,
    ) -> Result<Self, LabError> {
        Self::read_if(made, form, device, |_| Ok(())).await
    }

    /// Reads the model if `fits` accepts the memory of its weights.
    async fn read_if(
        made: Rc<[ModelFile]>,
        form: WeightForm,
        device: &Device,
        fits: impl FnOnce(MemoryNeeded) -> Result<(), LabError>,
    ) -> Result<Self, LabError> {
        let files = model_files(&made);
        let reader = ModelReader::open(&files)?;
        let tokenizer = reader.base().tokenizer()?.clone();
        let (shape, vocabulary) = (&reader.base().shape, tokenizer.vocabulary());
        fits(MemoryNeeded::weights(shape, vocabulary, form))?;
        let adapter = inside("adapter", &made);
        let adapter = match adapter.is_empty() {
            true => None,
            false => Some(read_adapter(&reader.base().shape, &adapter)?),
        };
        let model = reader.decoder(form, adapter.as_ref(), device).await?;
        let rest = reader.into_base();
        let end = tokenizer.end();
        let others = rest.end_of_text.iter().copied();
        let ends = end
            .into_iter()
            .chain(others.filter(|&other| end != Some(other)))
            .collect();
        Ok(Self {
            shape: rest.shape.clone(),
            model,
            ends,
            tokenizer,
            chat_template: rest.chat_template.clone(),
            rest,
            made,
            adapter,
            device: device.clone(),
        })
    }

    /// The base itself as a folder: the files that it was read from, or new ones if an adapter is in its weights.
    /// Paths are relative to the folder. The weights in the files are floats, whatever form the model has in memory.
    pub async fn files(&self) -> Result<Vec<ModelFile>, LabError> {
        if self.adapter.is_none() {
            return Ok(inside("model", &self.made));
        }
        let files = model_files(&self.made);
        let reader = ModelReader::open(&files)?;
        let (adapter, device) = (self.adapter.as_ref(), self.device.clone().inner());
        let merged = reader.decoder(WeightForm::Floats, adapter, &device).await?;
        self.folder(&merged).await
    }

    /// The model to train: all its weights, or frozen with a new adapter.
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

    /// The temporary memory of a step that trains `model`, which was made from this base.
    pub(crate) fn step_memory<M: Module>(&self, model: &M, size: PassSize) -> MemoryNeeded {
        MemoryNeeded::step(model, &self.shape, self.tokenizer.vocabulary(), size)
    }

    /// The temporary memory for writing this many texts at once, of up to `columns` tokens.
    pub(crate) fn writing_memory(&self, rows: usize, columns: usize) -> MemoryNeeded {
        let columns = columns.min(self.shape.context);
        MemoryNeeded::writing(&self.shape, self.tokenizer.vocabulary(), rows, columns)
    }

    /// The folder of this model with other weights.
    pub async fn folder(&self, model: &Decoder) -> Result<Vec<ModelFile>, LabError> {
        let mut base = self.rest.clone();
        base.weights = parameters::to_host(model).await?;
        base.folder(WeightType::F32)
    }

    /// The files of a model that was trained from this one: `model/`; if only an adapter was trained, the unchanged
    /// base there and the adapter in `adapter/`.
    pub async fn trained_files(
        &self,
        trained: &Decoder,
        lora: Option<&LoraConfig>,
    ) -> Result<Vec<ModelFile>, LabError> {
        let Some(config) = lora else {
            return Ok(in_folder("model", self.folder(trained).await?));
        };
        let adapter = adapter_folder(&self.shape, &trained.adapter(config).await?)?;
        let mut files = in_folder("model", self.files().await?);
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

    /// The tokens at which the model's texts end, first the one that it writes; empty if texts have no end.
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// The format in which the model gets messages.
    pub fn format(&self) -> PromptFormat<'_> {
        PromptFormat {
            tokenizer: &self.tokenizer,
            template: self.chat_template.as_ref(),
            ends: &self.ends,
        }
    }

    /// The tokens at which an answer ends if the model learned to end it with `end`: the model's own end tokens too.
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
                text!(
                    "{stop} is {tokens} tokens",
                    stop = format!("{stop:?}"),
                    tokens = ids.len()
                ),
                "Give a text of one token, e.g. \"\\n\".",
            )),
        }
    }
}

/// The files of the model among the files of a run.
fn model_files(made: &[ModelFile]) -> Subfolder<'_> {
    Subfolder {
        files: made,
        folder: "model/",
    }
}
