//! `lab village`.

use crate::files::{read, write};
use lab_protocol::{LabError, from_json, text, text_from_bytes};
use lab_village::{Preset, Village, VillageSettings};
use std::path::PathBuf;
use std::time::Instant;

/// A file that every exported village has: a folder with it is not written to again.
const MARKER: &str = "village.json";

#[derive(clap::Args)]
pub struct Arguments {
    /// hamlet, village or town.
    #[arg(long, value_parser = parse_preset)]
    preset: Option<Preset>,
    /// The same seed gives the same files everywhere.
    #[arg(long)]
    seed: Option<u64>,
    /// A JSON file with settings that differ from the preset's, e.g. {"people": 30}.
    #[arg(long)]
    settings: Option<PathBuf>,
    /// Folder for the files; its README.md describes them.
    #[arg(long)]
    out: PathBuf,
}

fn parse_preset(name: &str) -> Result<Preset, String> {
    Preset::from_name(name).map_err(|error| error.hint.to_string())
}

pub fn run(arguments: Arguments) -> Result<(), LabError> {
    let began = Instant::now();
    let village = Village::new(settings(&arguments)?)?;
    let generated = began.elapsed().as_secs_f64();
    if arguments.out.join(MARKER).exists() {
        return Err(LabError::config(
            "out",
            text!(
                "{path} already holds a village",
                path = arguments.out.display()
            ),
            "Name another folder.",
        ));
    }
    // The marker comes last: a folder that has it is complete.
    let (marker, others): (Vec<_>, Vec<_>) = village
        .files()
        .into_iter()
        .partition(|file| file.path == MARKER);
    for file in others.iter().chain(&marker) {
        write(&arguments.out.join(&file.path), file.text.as_bytes())?;
    }
    let floor = village.floor();
    println!(
        "{}: {} texts, {} questions with answers, {} pairs to compare, {} documents; held-out text has {:.4} nats a word token at best; generated in {generated:.2} s, proved and written in {:.2} s",
        arguments.out.display(),
        village.pretraining.training.len(),
        village.instructions.len(),
        village.preferences.len(),
        village.library.documents.len(),
        floor.nats_per_token(),
        began.elapsed().as_secs_f64() - generated,
    );
    Ok(())
}

/// The settings of the file; arguments of the command line take precedence.
fn settings(arguments: &Arguments) -> Result<VillageSettings, LabError> {
    let mut given = match &arguments.settings {
        Some(path) => from_json(&text_from_bytes(read(path, "settings")?)?).map_err(
            |mut error: LabError| {
                error.message = text!(
                    "{path}: {message}",
                    path = path.display(),
                    message = error.message
                );
                error
            },
        )?,
        None => serde_json::Map::new(),
    };
    if let Some(preset) = arguments.preset {
        given.insert("preset".into(), preset.name().into());
    }
    if let Some(seed) = arguments.seed {
        given.insert("seed".into(), seed.into());
    }
    VillageSettings::from_json(given.into())
}
