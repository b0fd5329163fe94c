//! The state of the page that belongs to no single run, as signals that views read.

use crate::questions::{Asked, Vote};
use crate::runs::{Phase, Sample};
use lab_orchestrator::scheduler::Offer;
use lab_protocol::{BackendChoice, DeviceInfo, LabError};
use leptos::prelude::*;

/// An error, and the page's offers to fix it.
#[derive(Clone, PartialEq)]
pub struct Problem {
    pub error: LabError,
    pub offers: Vec<Offer>,
}

/// Copy: the signals live as long as the page.
#[derive(Clone, Copy)]
pub struct Store {
    /// The user's choice.
    pub backend: RwSignal<BackendChoice>,
    /// Whether there is a main worker, ready or about to be.
    pub alive: RwSignal<bool>,
    /// The worker's device; `None` while it starts.
    pub device: RwSignal<Option<DeviceInfo>>,
    /// The phase of the experiment: of the current runs, or the way in which it ended.
    pub phase: RwSignal<Phase>,
    /// Key of the strategy whose progress is shown: the last started of the running ones, or the last of all.
    pub current: RwSignal<Option<usize>>,
    /// Key of the strategy that the user looks at; none follows the one that is being run.
    pub chosen: RwSignal<Option<usize>>,
    /// The topic of the chart; `None` is the most important one of the displayed strategy.
    pub topic: RwSignal<Option<String>>,
    pub problem: RwSignal<Option<Problem>>,
    /// A warning of the worker.
    pub notice: RwSignal<Option<String>>,
    /// Counts changes of the stored runs.
    pub kept: RwSignal<u32>,
    /// The answer to the last prompt of the user.
    pub answer: RwSignal<Option<Sample>>,
    /// A prompt of the user that waits for its answer, and the key of the strategy that is to give it.
    pub asked: RwSignal<Option<(usize, String)>>,
    /// For endpoints, as it was typed: it lives as long as the page, and is stored nowhere.
    pub endpoint_key: RwSignal<String>,
    /// The last prompt to all models, and their answers.
    pub asked_all: RwSignal<Option<Asked>>,
    /// Two answers that are compared.
    pub vote: RwSignal<Option<Vote>>,
}

impl Store {
    pub fn new() -> Self {
        Self {
            backend: RwSignal::new(BackendChoice::Auto),
            alive: RwSignal::new(true),
            device: RwSignal::new(None),
            phase: RwSignal::new(Phase::Idle),
            current: RwSignal::new(None),
            chosen: RwSignal::new(None),
            topic: RwSignal::new(None),
            problem: RwSignal::new(None),
            notice: RwSignal::new(None),
            kept: RwSignal::new(0),
            answer: RwSignal::new(None),
            asked: RwSignal::new(None),
            endpoint_key: RwSignal::new(String::new()),
            asked_all: RwSignal::new(None),
            vote: RwSignal::new(None),
        }
    }

    /// Removes an error of the input, because there is other input now. Errors of the worker stay in sight.
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
