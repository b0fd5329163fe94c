//! The state of the page that belongs to no single run, as signals that views read.

use crate::questions::{Asked, Vote};
use crate::runs::{Phase, Sample};
use lab_orchestrator::scheduler::Offer;
use lab_protocol::{BackendChoice, DeviceInfo, LabError};
use leptos::prelude::*;

/// An error, and what the page can do about it.
#[derive(Clone, PartialEq)]
pub struct Problem {
    pub error: LabError,
    pub offers: Vec<Offer>,
}

/// Copy: the signals live as long as the page.
#[derive(Clone, Copy)]
pub struct Store {
    /// What the user chose.
    pub backend: RwSignal<BackendChoice>,
    /// Whether there is a first worker, ready or about to be.
    pub alive: RwSignal<bool>,
    /// What the worker got; none while it starts.
    pub device: RwSignal<Option<DeviceInfo>>,
    /// Where the experiment stands: the phase of what is being run, or how it ended.
    pub phase: RwSignal<Phase>,
    /// Key of the strategy whose progress is told: of those under way the last that was started, or the last of all.
    pub current: RwSignal<Option<usize>>,
    /// Key of the strategy that the user looks at; none follows the one that is being run.
    pub chosen: RwSignal<Option<usize>>,
    /// What the chart shows; none is what matters most to the strategy that is looked at.
    pub topic: RwSignal<Option<String>>,
    pub problem: RwSignal<Option<Problem>>,
    /// A warning of the worker.
    pub notice: RwSignal<Option<String>>,
    /// Counts changes of what is kept for later.
    pub kept: RwSignal<u32>,
    /// The answer to the last prompt of the user.
    pub answer: RwSignal<Option<Sample>>,
    /// A prompt of the user that waits for its answer, and the key of the strategy that is to give it.
    pub asked: RwSignal<Option<(usize, String)>>,
    /// For endpoints, as it was typed: it lives as long as the page, and is written nowhere.
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
