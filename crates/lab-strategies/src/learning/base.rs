//! The model that a strategy starts from: what the run before it left, an adapter included.

use crate::run::context::RunContext;
use lab_model::burn::tensor::Device;
use lab_model::chat::ChatTemplate;
use lab_model::decoder::Decoder;
use lab_model::formats::{BaseModel, WeightType, read_adapter};
use lab_model::parameters;
use lab_model::tokenizer::Tokenizer;
use lab_protocol::{ErrorCode, LabError, ModelConfig, ModelFile};

/// A model, its tokenizer and its shape.
pub struct Base {
    pub shape: ModelConfig,
    pub model: Decoder,
    pub tokenizer: Tokenizer,
    pub chat_template: Option<ChatTemplate>,
    /// The model as a folder, by the files' names in it.
    pub files: Vec<ModelFile>,
    /// What the folder of a model made from this one needs beside its weights.
    rest: BaseModel,
}

impl Base {
    /// Reads the model of the run's base; an adapter beside it becomes part of its weights.
    pub async fn load(run: &RunContext) -> Result<Self, LabError> {
        Self::check(run)?;
        Self::read(&run.base, &run.device)
            .await
            .map_err(|error| error.at("from"))
    }

    fn check(run: &RunContext) -> Result<(), LabError> {
        if run.base.is_empty() {
            return Err(LabError::config(
                "from",
                "there is no model to start from",
                "Name the strategy whose model is to be trained further, e.g. \"from\": \"pretrain\".",
            ));
        }
        Ok(())
    }

    /// Reads the model among a run's files; an adapter beside it becomes part of its weights.
    pub async fn read(made: &[ModelFile], device: &Device) -> Result<Self, LabError> {
        let mut files = folder(made, "model/");
        let mut base = BaseModel::read(&files[..])?;
        let tokenizer = base.tokenizer()?.clone();
        let mut model = base.decoder(device)?;
        let adapter = folder(made, "adapter/");
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
        Ok(Self {
            shape: base.shape.clone(),
            model,
            tokenizer,
            chat_template: base.chat_template.clone(),
            files,
            rest: base,
        })
    }

    /// The folder of this model with other weights.
    pub async fn folder(&self, model: &Decoder) -> Result<Vec<ModelFile>, LabError> {
        let mut base = self.rest.clone();
        base.weights = parameters::to_host(model).await?;
        base.folder(WeightType::F32)
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
}

/// The files of a folder, under their names in it.
fn folder(files: &[ModelFile], path: &str) -> Vec<ModelFile> {
    let inside = |file: &ModelFile| {
        file.path.strip_prefix(path).map(|name| ModelFile {
            path: name.to_owned(),
            bytes: file.bytes.clone(),
        })
    };
    files.iter().filter_map(inside).collect()
}

/// Files of a folder of the run.
pub(crate) fn in_folder(folder: &str, files: Vec<ModelFile>) -> Vec<ModelFile> {
    let moved = |file: ModelFile| ModelFile {
        path: format!("{folder}/{}", file.path),
        ..file
    };
    files.into_iter().map(moved).collect()
}
