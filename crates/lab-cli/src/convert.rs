//! `lab convert`.

use crate::{files, models};
use lab_model::formats::WeightType;
use lab_protocol::{LabError, text};
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    /// A Hugging Face folder or a GGUF file.
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// Folder for the model: config.json, model.safetensors, tokenizer.json and the files that belong to them.
    out: PathBuf,
    /// Type of the weights: f32, f16 or bf16.
    #[arg(long, default_value = "f32", value_parser = parse_type)]
    dtype: WeightType,
}

fn parse_type(name: &str) -> Result<WeightType, String> {
    WeightType::from_name(name).map_err(|error| error.hint.to_string())
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
    let model = models::open(&arguments.input)?;
    let folder = model.folder(arguments.dtype)?;
    let mut bytes = 0;
    // The configuration last: a folder that has it is whole.
    for file in folder.iter().rev() {
        files::write(&arguments.out.join(&file.path), &file.bytes)?;
        bytes += file.bytes.len();
    }
    let parameters: usize = model
        .weights
        .values()
        .map(|tensor| tensor.values.len())
        .sum();
    println!(
        "{}: {parameters} parameters, {} layers, width {}, vocabulary {}, {:.1} MB{}",
        arguments.out.display(),
        model.shape.layers,
        model.shape.width,
        model.vocabulary,
        bytes as f64 / 1e6,
        match model.tokenizer {
            Some(_) => "",
            None =>
                "; without a tokenizer, which the original has not or in a kind that is not known",
        }
    );
    Ok(())
}
