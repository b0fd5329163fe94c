//! What the user wants: an experiment run, its runs paused and stopped. Who runs them is in `workers`, what
//! is reported in `reports`, which strategy comes next in `queue`.

use crate::data::DataState;
use crate::experiment::{ExperimentForm, StrategyForm};
use crate::platform;
use crate::queue::{Entry, Session};
use crate::reports::Unseen;
use crate::runs::Phase;
use crate::store::{Offer, Store};
use crate::worker::Cargo;
use crate::workers::Workers;
use lab_protocol::{Command, GenerateRequest, LabError};
use leptos::prelude::*;
use std::collections::VecDeque;
use std::time::Duration;

/// The page's controller, with all its state. Copy: everything in it lives as long as the page.
#[derive(Clone, Copy)]
pub struct Lab {
    pub store: Store,
    pub form: ExperimentForm,
    pub data: DataState,
    pub(crate) inner: StoredValue<Inner, LocalStorage>,
}

/// What no view reads.
#[derive(Default)]
pub(crate) struct Inner {
    pub workers: Workers,
    /// Runs are paused as soon as they have begun, and no other begins.
    pub held: bool,
    /// The strategies whose turn is still to come.
    pub queue: VecDeque<Entry>,
    pub session: Option<Session>,
    pub runs: usize,
    /// Names the experiment as it was opened, in what is kept.
    pub book: String,
    pub samples: usize,
    /// Questions to models that are done, so that each has an id of its own.
    pub questions: usize,
    /// What has come since it was last shown.
    pub unseen: Unseen,
}

impl Lab {
    pub fn new() -> Self {
        let form = ExperimentForm::new();
        form.outside.set(!platform::modules().is_empty());
        Self {
            store: Store::new(),
            form,
            data: DataState::new(form),
            inner: StoredValue::new_local(Inner::default()),
        }
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
        match offer {
            Offer::Restart { backend } => self.start_worker(backend),
            Offer::Continue { key, backend, .. } => {
                if backend != self.store.backend.get_untracked() {
                    self.start_worker(backend);
                }
                self.resume(key);
            }
        }
    }

    /// Lets go of what was run: the form holds another experiment now.
    pub fn forget(&self) {
        let store = self.store;
        store.phase.set(Phase::Idle);
        store.current.set(None);
        store.chosen.set(None);
        store.topic.set(None);
        store.notice.set(None);
        self.stop_asking();
        store.asked_all.set(None);
        store.vote.set(None);
        self.inner.update_value(|inner| {
            inner.session = None;
            inner.book = platform::new_id();
        });
    }

    /// Pauses the runs under way, or resumes them.
    pub fn pause_or_resume(&self) {
        match self.store.phase.get_untracked() {
            Phase::Running => {
                self.inner.update_value(|inner| inner.held = true);
                self.command(Phase::Running, Some(Phase::Pausing), |run| Command::Pause {
                    run,
                });
            }
            Phase::Paused => {
                self.inner.update_value(|inner| inner.held = false);
                self.command(Phase::Paused, None, |run| Command::Resume { run });
                self.next();
            }
            _ => {}
        }
    }

    /// One step of what is paused.
    pub fn step(&self) {
        if self.store.phase.get_untracked() == Phase::Paused {
            self.command(Phase::Paused, None, |run| Command::Step { run });
        }
    }

    /// Ends the runs under way, and lets those that wait go.
    pub fn stop(&self) {
        self.empty_queue();
        for key in self.take_back() {
            if let Some(form) = self.form.strategy(key) {
                form.run.phase.set(Phase::Idle);
            }
        }
        for phase in [
            Phase::Starting,
            Phase::Running,
            Phase::Pausing,
            Phase::Paused,
        ] {
            self.command(phase, Some(Phase::Stopping), |run| Command::Stop { run });
        }
        if self.active().is_empty() {
            self.end_idle_workers();
            self.store.phase.set(Phase::Idle);
        }
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
        self.command_to(&form, |run| Command::Generate { run, request });
    }

    /// The strategy that is being run, or was last.
    pub fn current(&self) -> Option<StrategyForm> {
        let key = self.store.current.get_untracked()?;
        self.form.strategy(key)
    }

    /// The strategy that the user looks at: the chosen one, or the one that is being run, or the first.
    pub fn shown(&self) -> Option<StrategyForm> {
        let chosen = self.store.chosen.get().or(self.store.current.get());
        self.form.strategies.with(|strategies| {
            let found = strategies.iter().find(|form| Some(form.key) == chosen);
            found.or(strategies.first()).cloned()
        })
    }

    /// The strategies that workers are at.
    pub(crate) fn active(&self) -> Vec<StrategyForm> {
        let mut forms = self.form.strategies.get_untracked();
        forms.retain(|form| form.run.phase.get_untracked().is_active());
        forms
    }

    /// The phase of a run under way, and with it the experiment's: what most asks for patience.
    pub(crate) fn set_phase(&self, form: &StrategyForm, phase: Phase) {
        form.run.phase.set(phase);
        let active = self.active();
        let order = [
            Phase::Stopping,
            Phase::Pausing,
            Phase::Running,
            Phase::Starting,
            Phase::Paused,
        ];
        let found = |phase: &Phase| {
            active
                .iter()
                .any(|form| form.run.phase.get_untracked() == *phase)
        };
        if let Some(phase) = order.into_iter().find(found) {
            self.store.phase.set(phase);
        }
    }

    /// Sends a command to the runs of a phase, which are in another from then on.
    fn command(&self, of: Phase, then: Option<Phase>, command: impl Fn(String) -> Command) {
        for form in self.active() {
            if form.run.phase.get_untracked() == of {
                if let Some(then) = then {
                    self.set_phase(&form, then);
                }
                self.command_to(&form, &command);
            }
        }
    }

    /// Sends a command to a run under way.
    pub(crate) fn command_to(&self, form: &StrategyForm, command: impl FnOnce(String) -> Command) {
        let run = form.run.run;
        let id = run.with_untracked(|run| run.as_ref().map(|run| run.id.clone()));
        if let (Some(id), Some(worker)) = (id, self.worker_of(form.key)) {
            self.send_to(worker, &command(id), &Cargo::default());
        }
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
