//! The model that a command is about: read from a folder or a file, on a device, with an adapter.

use clap::Args;
use lab_model::decoder::Decoder;
use lab_model::formats::{BaseModel, ModelFiles, ModelReader, WeightForm, read_adapter};
use lab_model::tokenizer::Tokenizer;
use lab_protocol::{BackendChoice, ErrorCode, LabError, ModelFile, text};
use lab_strategies::device;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub struct ModelArguments {
    /// A model: a Hugging Face folder (config.json, model.safetensors, tokenizer.json), or a file.
    #[arg(long)]
    model: PathBuf,
    /// A PEFT folder (adapter_config.json, adapter_model.safetensors), put onto the model.
    #[arg(long)]
    adapter: Option<PathBuf>,
    /// auto, cpu or wgpu.
    #[arg(long, value_parser = crate::run::parse_backend, default_value = "auto")]
    backend: BackendChoice,
}

/// A model, ready.
pub struct OpenModel {
    /// Without its weights, which the decoder has.
    pub base: BaseModel,
    pub decoder: Decoder,
}

impl ModelArguments {
    pub async fn open(&self) -> Result<OpenModel, LabError> {
        let files = Files::new(&self.model, "model")?;
        let place = |error| in_place(error, &self.model, "model");
        let reader = ModelReader::open(&files).map_err(place)?;
        let adapter = match &self.adapter {
            Some(path) => {
                let files = Files::new(path, "adapter")?.all()?;
                let adapter = read_adapter(&reader.base().shape, &files)
                    .map_err(|error| in_place(error, path, "adapter"))?;
                Some(adapter)
            }
            None => None,
        };
        // Nothing is trained: without autodiff.
        let device = device::open(self.backend).await?.inner();
        let decoder = reader.decoder(WeightForm::Floats, None, &device).await;
        let mut decoder = decoder.map_err(place)?;
        let base = reader.into_base();
        if let Some(adapter) = adapter {
            decoder = decoder
                .with_adapter(&base.shape, &adapter, &device)
                .map_err(|error| error.at("adapter"))?;
        }
        Ok(OpenModel { base, decoder })
    }
}

impl OpenModel {
    pub fn tokenizer(&self) -> Result<&Tokenizer, LabError> {
        self.base.tokenizer().map_err(|error| error.at("model"))
    }
}

/// Says in which folder a fault is.
fn in_place(mut error: LabError, path: &Path, field: &str) -> LabError {
    error.message = text!(
        "{path}: {message}",
        path = path.display(),
        message = error.message
    );
    error.at(field)
}

/// The files of a folder, or one file by itself.
struct Files {
    folder: PathBuf,
    names: Vec<String>,
    field: &'static str,
}

impl Files {
    fn new(path: &Path, field: &'static str) -> Result<Self, LabError> {
        if path.is_file() {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            return Ok(Self {
                folder: path.parent().unwrap_or(Path::new("")).to_owned(),
                names: vec![name.into_owned()],
                field,
            });
        }
        let entries = std::fs::read_dir(path).map_err(|error| {
            LabError::new(
                ErrorCode::InvalidData,
                text!(
                    "{path} cannot be read: {error}",
                    path = path.display(),
                    error
                ),
                "Give the path of a folder that exists and may be read.",
            )
            .at(field)
        })?;
        let mut names: Vec<String> = entries
            .flatten()
            .filter(|entry| entry.path().is_file())
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        Ok(Self {
            folder: path.to_owned(),
            names,
            field,
        })
    }

    /// All files, for small folders.
    fn all(&self) -> Result<Vec<ModelFile>, LabError> {
        let file = |name: &String| {
            Ok(ModelFile {
                path: name.clone(),
                bytes: crate::files::read(&self.folder.join(name), self.field)?,
            })
        };
        self.names.iter().map(file).collect()
    }
}

impl ModelFiles for Files {
    fn names(&self) -> Vec<String> {
        self.names.clone()
    }

    fn read(&self, name: &str) -> Result<Option<Cow<'_, [u8]>>, LabError> {
        if !self.names.iter().any(|other| other == name) {
            return Ok(None);
        }
        let bytes = crate::files::read(&self.folder.join(name), self.field)?;
        Ok(Some(Cow::Owned(bytes)))
    }
}
