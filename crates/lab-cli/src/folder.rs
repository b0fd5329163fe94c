//! A run's folder. Every file but the growing `metrics.jsonl` is written beside its place and renamed
//! into it, so that whoever reads finds the old one or the new one, whole.

use lab_orchestrator::RunRecord;
use lab_protocol::{ErrorCode, LabError, MetricRecord, RunResult};
use serde::Serialize;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

#[derive(Clone)]
pub struct RunFolder {
    path: PathBuf,
}

const CHECKPOINT: &str = "checkpoints/last.safetensors";

impl RunFolder {
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    /// Makes sure that nothing is overwritten: a new run needs a folder without a run, a resumed one
    /// its checkpoint, which is returned.
    pub fn claim(&self, resume: bool) -> Result<Option<Vec<u8>>, LabError> {
        let taken = self.path.join("run.json").exists();
        let refuse = |message: &str, hint: &str| {
            let message = format!("{} {message}", self.path.display());
            Err(LabError::new(ErrorCode::InvalidConfig, message, hint).at("out"))
        };
        match (taken, resume) {
            (false, false) => Ok(None),
            (true, false) => refuse(
                "already holds a run",
                "Name another folder, or continue that run with --resume.",
            ),
            (false, true) => refuse(
                "holds no run",
                "Leave out --resume, or name the folder of a run.",
            ),
            (true, true) => match fs::read(self.path.join(CHECKPOINT)) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(_) => refuse(
                    "holds no checkpoint yet",
                    "Start again in another folder; checkpoint_interval says how often one is written.",
                ),
            },
        }
    }

    pub fn write_record(&self, record: &RunRecord) -> Result<(), LabError> {
        self.write_json("run.json", record)
    }

    pub fn write_checkpoint(&self, state: &[u8]) -> Result<(), LabError> {
        self.write(CHECKPOINT, state)
    }

    /// The result, and the files that the run made.
    pub fn write_result(&self, result: &RunResult) -> Result<(), LabError> {
        for file in &result.files {
            self.write(&file.path, &file.bytes)?;
        }
        self.write_json(
            "results.json",
            &RunResult {
                files: Vec::new(),
                ..result.clone()
            },
        )
    }

    /// `metrics.jsonl`, open at its end. What an interrupted run wrote after the checkpoint it is
    /// continued from is taken out: it will be computed again.
    pub fn open_metrics(&self, first_step: usize) -> Result<fs::File, LabError> {
        let path = self.path.join("metrics.jsonl");
        if first_step > 0 {
            let text = fs::read_to_string(&path).map_err(|error| self.io(&path, error))?;
            let kept = text.lines().filter(|line| {
                // A line that was cut in the writing does not parse and goes too.
                serde_json::from_str::<MetricRecord>(line)
                    .is_ok_and(|record| record.step <= first_step)
            });
            let kept: String = kept.flat_map(|line| [line, "\n"]).collect();
            self.write("metrics.jsonl", kept.as_bytes())?;
        }
        let mut options = fs::OpenOptions::new();
        options
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|error| self.io(&path, error))
    }

    fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), LabError> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| LabError::internal(error.to_string()))?;
        self.write(name, format!("{text}\n").as_bytes())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), LabError> {
        let path = self.path.join(name);
        let beside = self.path.join(format!("{name}.part"));
        let write = || {
            fs::create_dir_all(path.parent().unwrap_or(&self.path))?;
            let mut file = fs::File::create(&beside)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&beside, &path)
        };
        write().map_err(|error| {
            // The half that was written helps nobody; that it may not go either changes nothing.
            let _ = fs::remove_file(&beside);
            self.io(&path, error)
        })
    }

    pub fn io(&self, path: &Path, error: std::io::Error) -> LabError {
        LabError::new(
            ErrorCode::Io,
            format!("{} cannot be written: {error}", path.display()),
            "Make sure that the folder may be written to and that the disk has room.",
        )
        .at("out")
    }
}
