//! A run's folder. Every file but the growing `metrics.jsonl` is written whole or not at all.

use crate::files::{cannot_write, write, write_json};
use lab_orchestrator::StoredRun;
use lab_protocol::{
    ErrorCode, ExperimentConfig, LabError, MetricRecord, ModelFile, RunResult, Text, text,
};
use lab_strategies::RunRecord;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Clone)]
pub struct RunFolder {
    path: PathBuf,
}

const RECORD: &str = "run.json";
const METRICS: &str = "metrics.jsonl";
const RESULT: &str = "results.json";
const CHECKPOINT: &str = "checkpoints/last.safetensors";
/// Folders of files that a run makes for others.
const MADE: [&str; 7] = [
    "model",
    "adapter",
    "index",
    "answers",
    "reward_model",
    "encoder",
    "encoder/1_Pooling",
];

impl RunFolder {
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    /// The folder of a strategy's run in that of its experiment.
    pub fn of_strategy(out: &Path, experiment: &ExperimentConfig, strategy: &str) -> Self {
        if experiment.strategies.len() > 1 {
            Self::new(&out.join(strategy))
        } else {
            Self::new(out)
        }
    }

    /// The folders of all runs in a folder: itself, or its subfolders, by name.
    pub fn find_all(path: &Path) -> Vec<Self> {
        let itself = Self::new(path);
        if itself.path.join(RECORD).exists() {
            return vec![itself];
        }
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        let mut found: Vec<PathBuf> = entries
            .map(|entry| entry.path())
            .filter(|path| path.join(RECORD).exists())
            .collect();
        found.sort();
        found.iter().map(|path| Self::new(path)).collect()
    }

    /// Makes sure, before anything is run, that nothing is overwritten: new runs need a folder without
    /// any. One that was killed before it left anything is continued from nothing.
    pub fn check(out: &Path, experiment: &ExperimentConfig, resume: bool) -> Result<(), LabError> {
        for (index, strategy) in experiment.strategies.iter().enumerate() {
            let name = &strategy.name;
            if name.starts_with('.') || name.contains(['/', '\\', ':', '\0']) {
                return Err(LabError::config(
                    "name",
                    text!("\"{name}\" cannot be the name of a folder", name),
                    "Use letters, digits, blanks, - and _.",
                )
                .at(&format!("strategies[{index}]")));
            }
        }
        if resume || Self::find_all(out).is_empty() {
            return Ok(());
        }
        Err(Self::refused(
            text!("{path} already holds a run", path = out.display()),
            "Name another folder, or continue that run with --resume.",
        ))
    }

    fn refused(message: Text, hint: &str) -> LabError {
        LabError::new(ErrorCode::InvalidConfig, message, hint).at("out")
    }

    /// The kept part of a run that continues. It must be of the same experiment.
    pub fn find(&self, experiment: &ExperimentConfig) -> Result<StoredRun, LabError> {
        let Ok(record) = fs::read(self.path.join(RECORD)) else {
            return Ok(StoredRun::default());
        };
        let record: serde_json::Value =
            serde_json::from_slice(&record).map_err(|error| self.unreadable(RECORD, error))?;
        let wanted = serde_json::to_value(experiment)
            .map_err(|error| LabError::internal(error.to_string()))?;
        for part in ["seed", "data", "strategies"] {
            if record["experiment"][part] != wanted[part] {
                return Err(Self::refused(
                    text!(
                        "{path} holds a run of an experiment with another {part}",
                        path = self.path.display(),
                        part
                    ),
                    "Continue with the experiment as it was, or name another folder.",
                ));
            }
        }
        let mut stored = StoredRun::default();
        if self.path.join(RESULT).exists() {
            let mut result = self.result()?;
            result.files = self.files()?;
            stored.result = Some(result);
        } else {
            // Cut short before its first checkpoint, it begins again.
            stored.checkpoint = fs::read(self.path.join(CHECKPOINT)).ok();
        }
        Ok(stored)
    }

    /// The folder's own name.
    pub fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    pub fn write_record(&self, record: &RunRecord) -> Result<(), LabError> {
        write_json(&self.path.join(RECORD), record)
    }

    pub fn write_checkpoint(&self, state: &[u8]) -> Result<(), LabError> {
        write(&self.path.join(CHECKPOINT), state)
    }

    /// The files that the run made, then the result: a folder with a result is complete.
    pub fn write_result(&self, result: &RunResult) -> Result<(), LabError> {
        for file in &result.files {
            write(&self.path.join(&file.path), &file.bytes)?;
        }
        let without_files = RunResult {
            files: Vec::new(),
            ..result.clone()
        };
        write_json(&self.path.join(RESULT), &without_files)
    }

    /// `results.json`.
    pub fn result(&self) -> Result<RunResult, LabError> {
        let path = self.path.join(RESULT);
        let bytes = fs::read(&path).map_err(|error| self.unreadable(RESULT, error))?;
        serde_json::from_slice(&bytes).map_err(|error| self.unreadable(RESULT, error))
    }

    /// All of `metrics.jsonl`.
    pub fn metrics(&self) -> Result<Vec<MetricRecord>, LabError> {
        let text = fs::read_to_string(self.path.join(METRICS))
            .map_err(|error| self.unreadable(METRICS, error))?;
        text.lines()
            .map(|line| serde_json::from_str(line).map_err(|error| self.unreadable(METRICS, error)))
            .collect()
    }

    fn files(&self) -> Result<Vec<ModelFile>, LabError> {
        let mut files = Vec::new();
        for folder in MADE {
            let entries = fs::read_dir(self.path.join(folder)).into_iter().flatten();
            let mut names: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
            names.sort();
            for path in names.iter().filter(|path| path.is_file()) {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let bytes = fs::read(path).map_err(|error| self.unreadable(&name, error))?;
                let path = format!("{folder}/{name}");
                files.push(ModelFile { path, bytes });
            }
        }
        Ok(files)
    }

    /// `metrics.jsonl`, open at its end. Records that an interrupted run wrote after the checkpoint that it continues
    /// from are removed: they will be computed again.
    pub fn open_metrics(&self, first_step: usize) -> Result<fs::File, LabError> {
        let path = self.path.join(METRICS);
        let text = fs::read_to_string(&path).unwrap_or_default();
        let kept = text.lines().filter(|line| {
            // A line that was cut in the writing does not parse and goes too.
            serde_json::from_str::<MetricRecord>(line)
                .is_ok_and(|record| first_step > 0 && record.step <= first_step)
        });
        let kept: String = kept.flat_map(|line| [line, "\n"]).collect();
        write(&path, kept.as_bytes())?;
        let file = fs::OpenOptions::new().append(true).open(&path);
        file.map_err(|error| cannot_write(&path, error))
    }

    pub fn metrics_error(&self, error: std::io::Error) -> LabError {
        cannot_write(&self.path.join(METRICS), error)
    }

    fn unreadable(&self, name: &str, error: impl std::fmt::Display) -> LabError {
        let path = self.path.join(name);
        LabError::new(
            ErrorCode::InvalidData,
            text!(
                "{path} cannot be read: {error}",
                path = path.display(),
                error
            ),
            "Name the folder of a run as `lab run` leaves it.",
        )
        .at("out")
    }
}
