//! `lab export`.

use crate::files::write;
use crate::folder::RunFolder;
use clap::ValueEnum;
use lab_orchestrator::export::{report, tensorboard_events, to_csv};
use lab_protocol::{ErrorCode, LabError, MetricRecord};
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

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// A table with a line for each record.
    Csv,
    /// The records as they are.
    Jsonl,
    /// Event files, which TensorBoard opens.
    Tensorboard,
    /// Markdown with plots.
    Report,
}

pub fn run(arguments: Arguments) -> Result<(), LabError> {
    let folders = RunFolder::find(&arguments.folder);
    if folders.is_empty() {
        return Err(LabError::new(
            ErrorCode::InvalidData,
            format!("{} holds no run", arguments.folder.display()),
            "Name a folder that `lab run` wrote.",
        )
        .at("folder"));
    }
    let runs = folders
        .iter()
        .map(|folder| Ok((folder.name(), folder.metrics()?)))
        .collect::<Result<Vec<(String, Vec<MetricRecord>)>, LabError>>()?;
    let all = || -> Vec<MetricRecord> {
        let records = runs.iter().flat_map(|(_, records)| records);
        records.cloned().collect()
    };
    let text = match arguments.format {
        Format::Tensorboard => {
            let out = arguments
                .out
                .unwrap_or_else(|| arguments.folder.join("tensorboard"));
            for (name, records) in &runs {
                let seconds = records.first().map_or(0, |record| record.timestamp / 1000);
                let path = out
                    .join(name)
                    .join(format!("events.out.tfevents.{seconds}.lab"));
                write(&path, &tensorboard_events(records))?;
                println!("{}", path.display());
            }
            return Ok(());
        }
        Format::Csv => to_csv(&all()),
        Format::Jsonl => all()
            .iter()
            .map(|record| serde_json::to_string(record).map(|line| line + "\n"))
            .collect::<Result<String, _>>()
            .map_err(|error| LabError::internal(error.to_string()))?,
        Format::Report => {
            let results = folders.iter().map(RunFolder::result);
            let results = results.collect::<Result<Vec<_>, _>>()?;
            let records = runs.iter().map(|(_, records)| records.clone());
            let title = RunFolder::new(&arguments.folder).name();
            report(
                &title,
                &results.into_iter().zip(records).collect::<Vec<_>>(),
            )
        }
    };
    match arguments.out {
        Some(path) => write(&path, text.as_bytes()),
        None => {
            print!("{text}");
            Ok(())
        }
    }
}
