//! What the user wants: the worker started, an experiment run, a run paused and stopped. What the worker
//! reports is in `reports`.

use crate::data::DataState;
use crate::experiment::ExperimentForm;
use crate::platform;
use crate::reports::Unseen;
use crate::store::{Offer, Phase, Run, Store};
use crate::worker::Connection;
use js_sys::Uint8Array;
use lab_protocol::{BackendChoice, Command, GenerateRequest, LabError};
use leptos::prelude::*;
use leptos::task::spawn_local;
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
    pub checkpoint: Option<Saved>,
    /// A start that waits for the worker to be ready.
    pub waiting: Option<(Command, Option<Uint8Array>)>,
    runs: usize,
    pub samples: usize,
    /// What has come since it was last shown.
    pub unseen: Unseen,
}

/// The state of the last checkpoint.
#[derive(Clone)]
pub(crate) struct Saved {
    pub step: usize,
    pub state: Uint8Array,
}

impl Lab {
    pub fn new() -> Self {
        let form = ExperimentForm::new();
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

    /// Runs the experiment of the form.
    pub fn run(&self) {
        let store = self.store;
        if store.phase.get_untracked().is_active() {
            return;
        }
        store.problem.set(None);
        let experiment = untrack(|| self.form.build(store.backend.get_untracked()));
        let (experiment, text) =
            match experiment.and_then(|experiment| Ok((experiment, self.data.ready()?))) {
                Ok(ready) => ready,
                Err(error) => return self.refuse(error),
            };
        let Some(strategy) = experiment
            .strategies
            .first()
            .map(|strategy| strategy.name.clone())
        else {
            return;
        };
        let mut id = String::new();
        self.inner.update_value(|inner| {
            inner.runs += 1;
            inner.checkpoint = None;
            id = format!("run-{}", inner.runs);
        });
        store.clear_run();
        store.can_write.set(false);
        store.run.set(Some(Run {
            id,
            experiment,
            strategy,
            text: text.clone(),
            data_hash: None,
            device: None,
        }));
        self.start(None);
        spawn_local(async move {
            let hash = platform::sha256(&text).await;
            store.run.update(|run| {
                if let Some(run) = run.as_mut().filter(|run| run.text == text) {
                    run.data_hash = hash;
                }
            });
        });
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
            Offer::Continue { backend, .. } => {
                if backend != self.store.backend.get_untracked() {
                    self.start_worker(backend);
                }
                let saved = self.inner.with_value(|inner| inner.checkpoint.clone());
                self.start(saved);
            }
        }
    }

    /// Sends the start of the current run, or keeps it until the worker is ready.
    fn start(&self, saved: Option<Saved>) {
        let store = self.store;
        let Some(run) = store.run.get_untracked() else {
            return;
        };
        // The last worker may be gone, and its error dismissed.
        if !store.alive.get_untracked() {
            self.start_worker(store.backend.get_untracked());
        }
        store.phase.set(Phase::Starting);
        let command = Command::Start {
            run: run.id,
            experiment: run.experiment,
            strategy: run.strategy,
            text: run.text.to_string(),
            base: Vec::new(),
            checkpoint: None,
        };
        let state = saved.map(|saved| saved.state);
        if store.device.with_untracked(Option::is_some) {
            self.send(&command, state.as_ref());
        } else {
            self.inner
                .update_value(|inner| inner.waiting = Some((command, state)));
        }
    }

    /// Pauses a running run, resumes a paused one.
    pub fn pause_or_resume(&self) {
        match self.store.phase.get_untracked() {
            Phase::Running => {
                self.store.phase.set(Phase::Pausing);
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

    pub fn stop(&self) {
        let phase = self.store.phase;
        let waiting = self
            .inner
            .try_update_value(|inner| inner.waiting.take())
            .flatten();
        if waiting.is_some() {
            phase.set(Phase::Idle);
        } else if phase.get_untracked().is_active() && phase.get_untracked() != Phase::Stopping {
            phase.set(Phase::Stopping);
            self.command(|run| Command::Stop { run });
        }
    }

    /// Asks the run's model to continue `request.prompt`.
    pub fn write(&self, request: GenerateRequest) {
        self.store.answer.set(None);
        self.store.asked.set(Some(request.prompt.clone()));
        self.command(|run| Command::Generate { run, request });
    }

    fn command(&self, command: impl FnOnce(String) -> Command) {
        if let Some(run) = self
            .store
            .run
            .with_untracked(|run| run.as_ref().map(|run| run.id.clone()))
        {
            self.send(&command(run), None);
        }
    }

    pub(crate) fn send(&self, command: &Command, checkpoint: Option<&Uint8Array>) {
        let sent = self.inner.with_value(|inner| {
            inner
                .connection
                .as_ref()
                .map(|worker| worker.send(command, checkpoint))
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
