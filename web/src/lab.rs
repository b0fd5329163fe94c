//! The page's controller: its state, and the wishes of the user that go straight to the client. Files above it add
//! methods, none of which it calls: `start` runs strategies, `opening` replaces the experiment, `ask` and `collect`
//! question models, `recipe` decides which results are outdated. `changes` turns the client's reports into signals.

use crate::data::DataState;
use crate::experiment::{ExperimentForm, StrategyForm};
use crate::platform;
use crate::runs::Phase;
use crate::store::Store;
use lab_client::{Client, Options};
use lab_orchestrator::scheduler::Offer;
use lab_protocol::{GenerateRequest, LabError};
use leptos::prelude::*;
use std::time::Duration;

/// The page's controller, with all its state. Copy: everything in it lives as long as the page.
#[derive(Clone, Copy)]
pub struct Lab {
    pub store: Store,
    pub form: ExperimentForm,
    pub data: DataState,
    client: StoredValue<Client, LocalStorage>,
    pub(crate) inner: StoredValue<Inner, LocalStorage>,
}

/// State that no view reads.
#[derive(Default)]
pub(crate) struct Inner {
    /// The stored name of the experiment as it was opened.
    pub experiment: String,
    /// Number of questions to finished models, which gives each an id of its own.
    pub questions: usize,
}

/// The controller, for any component.
pub fn use_lab() -> Lab {
    expect_context::<Lab>()
}

impl Lab {
    pub fn new() -> Self {
        let form = ExperimentForm::new();
        let modules = platform::modules();
        form.outside.set(!modules.is_empty());
        let options = Options {
            // Framed pages share the processors with each other, and do not know how many they are.
            parallel: platform::is_framed().then_some(1),
            ..Options::script("worker/worker.js", modules)
        };
        let client = Client::new(options);
        Self {
            store: Store::new(),
            form,
            data: DataState::new(form),
            client: StoredValue::new_local(client),
            inner: StoredValue::new_local(Inner::default()),
        }
    }

    /// Runs experiments in workers.
    pub fn client(&self) -> Client {
        self.client.get_value()
    }

    /// Shows an error of the input and moves to the field that it names.
    pub fn refuse(&self, error: LabError) {
        let field = error.field.clone();
        self.store.fail_with(error);
        if let Some(field) = field {
            // Only when the form has been drawn again: while a run is active its fields take no focus.
            set_timeout(move || platform::focus(&field_id(&field)), Duration::ZERO);
        }
    }

    /// Takes up an offer that an error came with.
    pub fn accept(&self, offer: Offer) {
        self.store.problem.set(None);
        self.client().accept(offer);
    }

    /// Pauses the current runs, or resumes them.
    pub fn pause_or_resume(&self) {
        match self.store.phase.get_untracked() {
            Phase::Running => self.client().pause(),
            Phase::Paused => self.client().resume(),
            _ => {}
        }
    }

    /// Makes one step of a paused run.
    pub fn step(&self) {
        if self.store.phase.get_untracked() == Phase::Paused {
            self.client().step();
        }
    }

    /// Ends the current runs, and cancels waiting ones.
    pub fn stop(&self) {
        self.client().stop();
    }

    /// Asks the model of the run that is looked at to continue `request.prompt`.
    pub fn write(&self, request: GenerateRequest) {
        let Some(form) = untrack(|| self.shown()).filter(|form| form.run.writes()) else {
            return;
        };
        self.store.answer.set(None);
        self.store
            .asked
            .set(Some((form.key, request.prompt.clone())));
        self.client().generate(form.key, request);
    }

    /// The strategy that the user looks at: the chosen one, or the one that is being run, or the first.
    pub fn shown(&self) -> Option<StrategyForm> {
        let chosen = self.store.chosen.get().or(self.store.current.get());
        self.form.strategies.with(|strategies| {
            let found = strategies.iter().find(|form| Some(form.key) == chosen);
            found.or(strategies.first()).cloned()
        })
    }

    /// Whether a strategy has a model that others can start from and that can be asked.
    pub fn has_model(&self, form: &StrategyForm) -> bool {
        form.run.phase.get() == Phase::Finished && !self.client().files(form.key).is_empty()
    }
}

/// The id of the element at which a field of the experiment is edited.
pub fn field_id(path: &str) -> String {
    let plain: String = path
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' {
                c
            } else {
                '-'
            }
        })
        .collect();
    format!("field-{plain}")
}
