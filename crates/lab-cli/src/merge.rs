//! `lab merge`.

use crate::files;
use lab_model::formats::{BaseModel, ModelReader, WeightForm, WeightType, read_adapter};
use lab_model::parameters;
use lab_protocol::{BackendChoice, LabError, ModelFile, text};
use lab_strategies::device;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Arguments {
    /// Folder of the model: config.json, model.safetensors, tokenizer.json.
    #[arg(long)]
    model: PathBuf,
    /// Folder of the adapter: adapter_config.json, adapter_model.safetensors.
    #[arg(long)]
    adapter: PathBuf,
    /// Folder for the model with the adapter in its weights, of 32-bit floats.
    #[arg(long)]
    out: PathBuf,
}

pub fn run(arguments: Arguments) -> Result<(), LabError> {
    if arguments.out.join("config.json").exists() {
        return Err(LabError::config(
            "out",
            text!(
                "{path} already holds a model",
                path = arguments.out.display()
            ),
            "Name another folder.",
        ));
    }
    let files = folder(&arguments.model, "model")?;
    let reader = ModelReader::open(&files[..]).map_err(|error| error.at("model"))?;
    let adapter = read_adapter(
        &reader.base().shape,
        &folder(&arguments.adapter, "adapter")?,
    )?;
    if adapter.quantized_base {
        eprintln!(
            "warning: the adapter was trained on a base in 4 bits; it is merged into the floats that those 4 bits stand for, not into those of {}",
            arguments.model.display()
        );
    }
    let weights = pollster::block_on(async {
        let device = device::open(BackendChoice::Cpu).await?.inner();
        let merged = reader.decoder(WeightForm::Floats, Some(&adapter), &device);
        parameters::to_host(&merged.await?).await
    })?;
    let base = BaseModel {
        weights,
        ..reader.into_base()
    };
    for file in base.folder(WeightType::F32)? {
        files::write(&arguments.out.join(&file.path), &file.bytes)?;
    }
    println!(
        "{}: the model with {} adapted layers in its weights",
        arguments.out.display(),
        adapter.modules.len()
    );
    Ok(())
}

/// The files of a folder, without files in subfolders.
fn folder(path: &Path, field: &str) -> Result<Vec<ModelFile>, LabError> {
    let entries = std::fs::read_dir(path).map_err(|error| {
        LabError::config(
            field,
            text!(
                "{path} cannot be read: {error}",
                path = path.display(),
                error
            ),
            "Give the path of a folder that exists and may be read.",
        )
    })?;
    let mut found = Vec::new();
    for entry in entries.flatten().filter(|entry| entry.path().is_file()) {
        found.push(ModelFile {
            path: entry.file_name().to_string_lossy().into_owned(),
            bytes: files::read(&entry.path(), field)?,
        });
    }
    Ok(found)
}
