//! Runs in the formats of other programs. The truth is `run.json` and `metrics.jsonl`; these are made
//! from it.

mod csv;
mod plot;
mod report;
mod tensorboard;

pub use csv::{from_csv, to_csv};
pub use plot::svg_plot;
pub use report::report;
pub use tensorboard::tensorboard_events;

use lab_protocol::{LabError, MetricRecord, ModelFile, RunResult};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// A table with a line for each record.
    Csv,
    /// The records unchanged, an object a line.
    Jsonl,
    /// An event file for each run, which TensorBoard opens.
    Tensorboard,
    /// Markdown with plots.
    Report,
}

/// A run to be exported.
pub struct ExportedRun {
    pub name: String,
    /// None for a run that has not ended; a report leaves it out.
    pub result: Option<RunResult>,
    pub records: Vec<MetricRecord>,
}

/// The files of an export, their paths relative to its folder.
pub fn export(
    title: &str,
    runs: &[ExportedRun],
    format: ExportFormat,
) -> Result<Vec<ModelFile>, LabError> {
    let all = || -> Vec<MetricRecord> {
        let records = runs.iter().flat_map(|run| &run.records);
        records.cloned().collect()
    };
    let text = |path: &str, text: String| {
        vec![ModelFile {
            path: path.to_owned(),
            bytes: text.into_bytes(),
        }]
    };
    Ok(match format {
        ExportFormat::Csv => text("metrics.csv", to_csv(&all())?),
        ExportFormat::Jsonl => text("metrics.jsonl", to_jsonl(&all())?),
        ExportFormat::Report => {
            let ended = |run: &ExportedRun| Some((run.result.clone()?, run.records.clone()));
            let ended: Vec<_> = runs.iter().filter_map(ended).collect();
            text("report.md", report(title, &ended))
        }
        ExportFormat::Tensorboard => {
            let file = |run: &ExportedRun| {
                let first = run.records.first();
                let seconds = first.map_or(0, |record| record.timestamp / 1000);
                ModelFile {
                    path: format!("{}/events.out.tfevents.{seconds}.lab", run.name),
                    bytes: tensorboard_events(&run.records),
                }
            };
            runs.iter().map(file).collect()
        }
    })
}

/// Records, an object a line, as in `metrics.jsonl`.
pub fn to_jsonl(records: &[MetricRecord]) -> Result<String, LabError> {
    let line = |record: &MetricRecord| serde_json::to_string(record).map(|line| line + "\n");
    let lines = records.iter().map(line).collect::<Result<_, _>>();
    lines.map_err(|error| LabError::internal(error.to_string()))
}

/// The records of a text that [`to_jsonl`] wrote.
pub fn from_jsonl(text: &str) -> Result<Vec<MetricRecord>, LabError> {
    text.lines().map(lab_protocol::from_json).collect()
}
