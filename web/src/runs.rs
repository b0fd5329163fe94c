//! A strategy's run as the page keeps it.

use crate::run_log::RunLog;
use crate::worker::Files;
use js_sys::Uint8Array;
use lab_protocol::{
    DeviceInfo, ExperimentConfig, Grounds, LabError, Progress, RunInfo, RunResult, VectorMap,
};
use leptos::prelude::*;
use std::collections::VecDeque;
use std::sync::Arc;

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It has not been run.
    Idle,
    /// Its turn comes when others are done.
    Waiting,
    /// Asked for; the worker has not answered yet.
    Starting,
    Running,
    /// A pause was asked for; the step under way is being finished.
    Pausing,
    Paused,
    /// A stop was asked for; the step under way and the last evaluation are being finished.
    Stopping,
    Finished,
    Failed,
    /// What it starts from failed.
    Skipped,
}

impl Phase {
    /// Whether the worker is busy with it.
    pub fn is_active(self) -> bool {
        matches!(
            self,
            Phase::Starting | Phase::Running | Phase::Pausing | Phase::Paused | Phase::Stopping
        )
    }

    /// Whether a result may still come of it.
    pub fn is_to_come(self) -> bool {
        self == Phase::Waiting || self.is_active()
    }
}

/// What the page knows of a run before the worker says anything.
#[derive(Clone, PartialEq)]
pub struct Run {
    pub id: String,
    pub experiment: ExperimentConfig,
    pub strategy: String,
    pub text: Arc<str>,
    /// SHA-256 of the text in hexadecimal, once it is known.
    pub data_hash: Option<String>,
    /// What it runs on, or ran on.
    pub device: Option<DeviceInfo>,
    /// What decides its outcome, in one string; see `Lab::recipe`.
    pub recipe: String,
}

/// A text that the model wrote.
#[derive(Clone, PartialEq)]
pub struct Sample {
    /// Tells samples apart, also two of the same step.
    pub key: usize,
    pub step: usize,
    pub prompt: String,
    pub text: String,
    /// What an answer from documents rests on.
    pub grounds: Option<Grounds>,
}

/// Samples that are kept; older ones go.
const SAMPLES: usize = 50;

/// The state of the last checkpoint.
#[derive(Clone)]
pub struct Saved {
    pub step: usize,
    pub state: Uint8Array,
}

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
    /// Without its files, which are in `files`.
    pub result: RwSignal<Option<RunResult>>,
    /// What the run made. The bytes stay in JavaScript's memory, as WebAssembly's never shrinks again.
    pub files: StoredValue<Files, LocalStorage>,
    /// Why it failed.
    pub error: RwSignal<Option<LabError>>,
    pub checkpoint: StoredValue<Option<Saved>, LocalStorage>,
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
            files: StoredValue::new_local(Files::default()),
            error: RwSignal::new(None),
            checkpoint: StoredValue::new_local(None),
        }
    }

    /// Forgets what was, for a new run.
    pub fn clear(&self) {
        self.run.set(None);
        self.info.set(None);
        self.progress.set(None);
        self.log.update_value(RunLog::clear);
        self.samples.update(VecDeque::clear);
        self.writing.set(None);
        self.map.set(None);
        self.result.set(None);
        self.files.set_value(Files::default());
        self.error.set(None);
        self.checkpoint.set_value(None);
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

    /// Whether its model is under way and can be asked to write.
    pub fn writes(&self) -> bool {
        let phase = self.phase.get();
        phase.is_active() && phase != Phase::Starting
    }

    /// Whether it has a model that others can start from and that can be asked.
    pub fn has_model(&self) -> bool {
        self.phase.get() == Phase::Finished && !self.files.with_value(Files::is_empty)
    }
}
