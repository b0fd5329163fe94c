//! The state of the run, as signals that views read.

use crate::run_log::RunLog;
use lab_protocol::{
    BackendChoice, DeviceInfo, ExperimentConfig, LabError, Progress, RunInfo, RunResult,
};
use leptos::prelude::*;
use std::collections::VecDeque;

/// Where the run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing has been run.
    Idle,
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
}

impl Phase {
    /// Whether a run is under way, so that another cannot start.
    pub fn is_active(self) -> bool {
        !matches!(self, Phase::Idle | Phase::Finished | Phase::Failed)
    }
}

/// What the page knows of its run before the worker says anything.
#[derive(Clone, PartialEq)]
pub struct Run {
    pub id: String,
    pub experiment: ExperimentConfig,
    pub strategy: String,
    pub text: std::sync::Arc<str>,
    /// SHA-256 of the text in hexadecimal, once it is known.
    pub data_hash: Option<String>,
    /// What it runs on, or ran on.
    pub device: Option<DeviceInfo>,
}

/// A text that the model wrote.
#[derive(Clone, PartialEq)]
pub struct Sample {
    /// Tells samples apart, also two of the same step.
    pub key: usize,
    pub step: usize,
    pub prompt: String,
    pub text: String,
}

/// Samples that are kept; older ones go.
const SAMPLES: usize = 50;

/// An error, and what the page can do about it.
#[derive(Clone, PartialEq)]
pub struct Problem {
    pub error: LabError,
    pub offers: Vec<Offer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// Go on after the last checkpoint, at this step.
    Continue { step: usize, backend: BackendChoice },
    /// Start the worker again, with this choice.
    Restart { backend: BackendChoice },
}

/// All state of the run. Copy: the signals live as long as the page.
#[derive(Clone, Copy)]
pub struct Store {
    /// What the user chose.
    pub backend: RwSignal<BackendChoice>,
    /// Whether there is a worker, ready or about to be.
    pub alive: RwSignal<bool>,
    /// What the worker got; none while it starts.
    pub device: RwSignal<Option<DeviceInfo>>,
    pub phase: RwSignal<Phase>,
    pub run: RwSignal<Option<Run>>,
    pub info: RwSignal<Option<RunInfo>>,
    pub progress: RwSignal<Option<Progress>>,
    /// Read it after `revision`, which says when it has changed, a few times a second at most.
    pub log: StoredValue<RunLog>,
    pub revision: RwSignal<u32>,
    /// Latest first.
    pub samples: RwSignal<VecDeque<Sample>>,
    pub result: RwSignal<Option<RunResult>>,
    pub problem: RwSignal<Option<Problem>>,
    /// A warning of the worker.
    pub notice: RwSignal<Option<String>>,
    /// Whether the worker has a model that can write.
    pub can_write: RwSignal<bool>,
    /// The answer to the last prompt of the user.
    pub answer: RwSignal<Option<Sample>>,
    /// A prompt of the user that waits for its answer.
    pub asked: RwSignal<Option<String>>,
}

impl Store {
    pub fn new() -> Self {
        Self {
            backend: RwSignal::new(BackendChoice::Auto),
            alive: RwSignal::new(true),
            device: RwSignal::new(None),
            phase: RwSignal::new(Phase::Idle),
            run: RwSignal::new(None),
            info: RwSignal::new(None),
            progress: RwSignal::new(None),
            log: StoredValue::new(RunLog::default()),
            revision: RwSignal::new(0),
            samples: RwSignal::new(VecDeque::new()),
            result: RwSignal::new(None),
            problem: RwSignal::new(None),
            notice: RwSignal::new(None),
            can_write: RwSignal::new(false),
            answer: RwSignal::new(None),
            asked: RwSignal::new(None),
        }
    }

    /// Forgets the last run, for a new one.
    pub fn clear_run(&self) {
        self.info.set(None);
        self.progress.set(None);
        self.log.update_value(RunLog::clear);
        self.revision.update(|revision| *revision += 1);
        self.samples.update(VecDeque::clear);
        self.result.set(None);
        self.notice.set(None);
        self.answer.set(None);
        self.asked.set(None);
    }

    pub fn add_samples(&self, new: Vec<Sample>) {
        self.samples.update(|samples| {
            for sample in new {
                samples.push_front(sample);
            }
            samples.truncate(SAMPLES);
        });
    }

    /// Takes away an error of the input, now that there is other input. What is wrong with the worker
    /// stays in sight.
    pub fn input_changed(&self) {
        let of_input = |problem: &Problem| problem.offers.is_empty();
        if self
            .problem
            .with_untracked(|problem| problem.as_ref().is_some_and(of_input))
        {
            self.problem.set(None);
        }
    }

    /// An error that the user can mend at the field it names.
    pub fn fail_with(&self, error: LabError) {
        self.problem.set(Some(Problem {
            error,
            offers: Vec::new(),
        }));
    }
}
