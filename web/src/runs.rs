//! A strategy's run as the page keeps it.

use crate::run_log::RunLog;
use lab_orchestrator::plan::Recipe;
pub use lab_orchestrator::scheduler::Phase;
use lab_protocol::{
    DeviceInfo, ExperimentConfig, Grounds, LabError, Progress, RunInfo, RunResult, SCHEMA_VERSION,
    VectorMap,
};
use leptos::prelude::*;
use std::collections::VecDeque;
use std::sync::Arc;

/// The page's data of a run before the worker reports anything.
#[derive(Clone, PartialEq)]
pub struct Run {
    pub id: String,
    pub experiment: ExperimentConfig,
    pub strategy: String,
    pub text: Arc<str>,
    /// SHA-256 of the text in hexadecimal, once it is known.
    pub data_hash: Option<String>,
    /// The device of the run.
    pub device: Option<DeviceInfo>,
    /// The inputs that decide its outcome.
    pub recipe: Recipe,
}

/// A text that the model wrote.
#[derive(Clone, PartialEq)]
pub struct Sample {
    /// Tells samples apart, also two of the same step.
    pub key: usize,
    pub step: usize,
    pub prompt: String,
    pub text: String,
    /// The passages of an answer from documents.
    pub grounds: Option<Grounds>,
}

/// Samples that are kept; older ones go.
const SAMPLES: usize = 50;

/// All that is known of one strategy's run. Copy: the signals live as long as the page.
#[derive(Clone, Copy)]
pub struct RunState {
    pub phase: RwSignal<Phase>,
    pub run: RwSignal<Option<Run>>,
    pub info: RwSignal<Option<RunInfo>>,
    pub progress: RwSignal<Option<Progress>>,
    /// Read it after `revision`, which says when it has changed, a few times a second at most.
    pub log: StoredValue<RunLog>,
    pub revision: RwSignal<u32>,
    /// Latest first.
    pub samples: RwSignal<VecDeque<Sample>>,
    /// The index that it has made, in two dimensions.
    pub map: RwSignal<Option<VectorMap>>,
    /// An answer that is not whole yet.
    pub writing: RwSignal<Option<Sample>>,
    /// Without its files, which the client has.
    pub result: RwSignal<Option<RunResult>>,
    /// Why it failed.
    pub error: RwSignal<Option<LabError>>,
}

impl RunState {
    pub fn new() -> Self {
        Self {
            phase: RwSignal::new(Phase::Idle),
            run: RwSignal::new(None),
            info: RwSignal::new(None),
            progress: RwSignal::new(None),
            log: StoredValue::new(RunLog::default()),
            revision: RwSignal::new(0),
            samples: RwSignal::new(VecDeque::new()),
            writing: RwSignal::new(None),
            map: RwSignal::new(None),
            result: RwSignal::new(None),
            error: RwSignal::new(None),
        }
    }

    /// Clears the previous run, for a new one.
    pub fn clear(&self) {
        self.run.set(None);
        self.info.set(None);
        self.progress.set(None);
        self.log.update_value(RunLog::clear);
        self.samples.update(VecDeque::clear);
        self.writing.set(None);
        self.map.set(None);
        self.result.set(None);
        self.error.set(None);
        self.revision.update(|revision| *revision += 1);
    }

    pub fn add_samples(&self, new: Vec<Sample>) {
        self.writing.set(None);
        self.samples.update(|samples| {
            for sample in new {
                samples.push_front(sample);
            }
            samples.truncate(SAMPLES);
        });
    }

    /// Whether its run is in progress and its model can be asked to write.
    pub fn writes(&self) -> bool {
        let phase = self.phase.get();
        phase.is_active() && phase != Phase::Starting
    }

    /// `run.json`: everything that is needed to make the run again, as the terminal program writes it.
    pub fn record(&self) -> Result<Vec<u8>, LabError> {
        let run = self
            .run
            .get_untracked()
            .ok_or_else(|| LabError::internal("there is no run"))?;
        let config = self
            .info
            .with_untracked(|info| info.as_ref().map(|info| info.config.clone()));
        let ran_on = run.device.as_ref();
        let record = serde_json::json!({
            "schema": SCHEMA_VERSION,
            "version": ran_on.map(|device| &device.version),
            "run": run.id,
            "strategy": run.strategy,
            "experiment": run.experiment,
            "backend": ran_on.map(|device| device.backend),
            "config": config,
            "data_hash": run.data_hash,
            "seed": run.experiment.seed,
        });
        serde_json::to_vec_pretty(&record).map_err(|error| LabError::internal(error.to_string()))
    }
}
