//! `lab export`.

use crate::files::write;
use crate::folder::RunFolder;
use clap::ValueEnum;
use lab_orchestrator::export::{ExportFormat, ExportedRun, export};
use lab_protocol::{ErrorCode, LabError, text};
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    /// Folder of a run or of an experiment.
    folder: PathBuf,
    #[arg(long)]
    format: Format,
    /// File to write (for tensorboard: folder); otherwise standard output (tensorboard/ in FOLDER).
    #[arg(long)]
    out: Option<PathBuf>,
}

/// See [`ExportFormat`].
#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// A table with a line for each record.
    Csv,
    /// The records unchanged.
    Jsonl,
    /// Event files, which TensorBoard opens.
    Tensorboard,
    /// Markdown with plots.
    Report,
}

impl From<Format> for ExportFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Csv => Self::Csv,
            Format::Jsonl => Self::Jsonl,
            Format::Tensorboard => Self::Tensorboard,
            Format::Report => Self::Report,
        }
    }
}

pub fn run(arguments: Arguments) -> Result<(), LabError> {
    let folders = RunFolder::find_all(&arguments.folder);
    if folders.is_empty() {
        return Err(LabError::new(
            ErrorCode::InvalidData,
            text!("{path} holds no run", path = arguments.folder.display()),
            "Name a folder that `lab run` wrote.",
        )
        .at("folder"));
    }
    let runs = folders
        .iter()
        .map(|folder| {
            let result = match arguments.format {
                Format::Report => Some(folder.result()?),
                _ => None,
            };
            Ok(ExportedRun {
                name: folder.name(),
                result,
                records: folder.metrics()?,
            })
        })
        .collect::<Result<Vec<_>, LabError>>()?;
    let title = RunFolder::new(&arguments.folder).name();
    let files = export(&title, &runs, arguments.format.into())?;
    if let Format::Tensorboard = arguments.format {
        let out = arguments
            .out
            .unwrap_or_else(|| arguments.folder.join("tensorboard"));
        for file in files {
            let path = out.join(&file.path);
            write(&path, &file.bytes)?;
            println!("{}", path.display());
        }
        return Ok(());
    }
    for file in files {
        match &arguments.out {
            Some(path) => write(path, &file.bytes)?,
            None => print!("{}", String::from_utf8_lossy(&file.bytes)),
        }
    }
    Ok(())
}
