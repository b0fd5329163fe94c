//! What the user wants: the worker started, an experiment run, a run paused and stopped. What the worker
//! reports is in `reports`, which strategy comes next in `queue`.

use crate::data::DataState;
use crate::experiment::{ExperimentForm, StrategyForm};
use crate::platform;
use crate::queue::{Entry, Session};
use crate::reports::Unseen;
use crate::runs::Phase;
use crate::store::{Offer, Store};
use crate::worker::{Cargo, Connection};
use lab_protocol::{BackendChoice, Command, GenerateRequest, LabError};
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
    pub connection: Option<Connection>,
    /// Counts workers, so that a message of one that was ended is not taken for its successor's.
    generation: usize,
    /// A command that waits for the worker to be ready.
    pub waiting: Option<(Command, Cargo)>,
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

    /// Ends the worker, if there is one, and starts another on `backend`.
    pub fn start_worker(&self, backend: BackendChoice) {
        let store = self.store;
        store.backend.set(backend);
        store.alive.set(true);
        store.device.set(None);
        store.can_write.set(false);
        store.asked.set(None);
        let mut generation = 0;
        self.inner.update_value(|inner| {
            inner.generation += 1;
            inner.connection = None;
            generation = inner.generation;
        });
        let lab = *self;
        let receive = move |message| {
            if lab.inner.with_value(|inner| inner.generation) == generation {
                lab.receive(message);
            }
        };
        match Connection::open(backend, receive) {
            Ok(connection) => self
                .inner
                .update_value(|inner| inner.connection = Some(connection)),
            Err(error) => self.worker_broke(error),
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
        self.inner.update_value(|inner| {
            inner.session = None;
            inner.book = platform::new_id();
        });
    }

    /// Pauses a running run, resumes a paused one.
    pub fn pause_or_resume(&self) {
        match self.store.phase.get_untracked() {
            Phase::Running => {
                self.set_phase(Phase::Pausing);
                self.command(|run| Command::Pause { run });
            }
            Phase::Paused => self.command(|run| Command::Resume { run }),
            _ => {}
        }
    }

    /// One step of a paused run.
    pub fn step(&self) {
        if self.store.phase.get_untracked() == Phase::Paused {
            self.command(|run| Command::Step { run });
        }
    }

    /// Ends the run under way, and lets those that wait go.
    pub fn stop(&self) {
        self.empty_queue();
        let waiting = self
            .inner
            .try_update_value(|inner| inner.waiting.take())
            .flatten();
        let phase = self.store.phase.get_untracked();
        if waiting.is_some() {
            self.set_phase(Phase::Idle);
        } else if phase.is_active() && phase != Phase::Stopping {
            self.set_phase(Phase::Stopping);
            self.command(|run| Command::Stop { run });
        }
    }

    /// Asks the run's model to continue `request.prompt`.
    pub fn write(&self, request: GenerateRequest) {
        self.store.answer.set(None);
        self.store.asked.set(Some(request.prompt.clone()));
        self.command(|run| Command::Generate { run, request });
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

    /// The phase of the run under way, which is also the experiment's.
    pub(crate) fn set_phase(&self, phase: Phase) {
        self.store.phase.set(phase);
        if let Some(current) = self.current() {
            current.run.phase.set(phase);
        }
    }

    fn command(&self, command: impl FnOnce(String) -> Command) {
        let run = self.current().and_then(|form| {
            let run = form.run.run;
            run.with_untracked(|run| run.as_ref().map(|run| run.id.clone()))
        });
        if let Some(run) = run {
            self.send(&command(run), &Cargo::default());
        }
    }

    pub(crate) fn send(&self, command: &Command, cargo: &Cargo) {
        let sent = self.inner.with_value(|inner| {
            inner
                .connection
                .as_ref()
                .map(|worker| worker.send(command, cargo))
        });
        if let Some(Err(error)) = sent {
            self.worker_broke(error);
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
