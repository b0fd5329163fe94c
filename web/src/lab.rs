//! What the page does: starts the worker, turns the user's wishes into commands and the worker's events
//! into state.

use crate::data::DataState;
use crate::experiment::ExperimentForm;
use crate::platform;
use crate::store::{Offer, Phase, Problem, Run, Sample, Store};
use crate::worker::{Connection, Message};
use js_sys::Uint8Array;
use lab_protocol::{
    BackendChoice, Command, DeviceInfo, ErrorCode, Event, GenerateRequest, LabError, LogLevel,
    Progress,
};
use leptos::prelude::*;
use leptos::task::spawn_local;
use std::time::Duration;

/// Events are shown at most this often, so that a fast run does not keep the page busy drawing.
const SHOW_EVERY: Duration = Duration::from_millis(250);

/// The page's controller, with all its state. Copy: everything in it lives as long as the page.
#[derive(Clone, Copy)]
pub struct Lab {
    pub store: Store,
    pub form: ExperimentForm,
    pub data: DataState,
    inner: StoredValue<Inner, LocalStorage>,
}

#[derive(Default)]
struct Inner {
    connection: Option<Connection>,
    /// Counts workers, so that a message of one that was ended is not taken for its successor's.
    generation: usize,
    checkpoint: Option<Saved>,
    /// A start that waits for the worker to be ready.
    waiting: Option<(Command, Option<Uint8Array>)>,
    runs: usize,
    samples: usize,
    /// What has come since it was last shown.
    unseen: Unseen,
}

#[derive(Clone)]
struct Saved {
    step: usize,
    state: Uint8Array,
}

#[derive(Default)]
struct Unseen {
    scheduled: bool,
    progress: Option<Progress>,
    samples: Vec<Sample>,
    records: bool,
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
                let alive = self.inner.with_value(|inner| inner.connection.is_some());
                if !alive || backend != self.store.backend.get_untracked() {
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
        store.phase.set(Phase::Starting);
        let command = Command::Start {
            run: run.id,
            experiment: run.experiment,
            strategy: run.strategy,
            text: run.text.to_string(),
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

    fn send(&self, command: &Command, checkpoint: Option<&Uint8Array>) {
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

    fn receive(&self, message: Message) {
        match message {
            Message::Broken(error) => self.worker_broke(error),
            Message::Checkpoint { run, step, state } if self.is_current(&run) => {
                self.inner
                    .update_value(|inner| inner.checkpoint = Some(Saved { step, state }));
            }
            Message::Checkpoint { .. } => {}
            Message::Event(event) => self.handle(event),
        }
    }

    fn is_current(&self, id: &str) -> bool {
        self.store
            .run
            .with_untracked(|run| run.as_ref().is_some_and(|run| run.id == id))
    }

    fn handle(&self, event: Event) {
        let store = self.store;
        if let Some(run) = event_run(&event)
            && !self.is_current(run)
        {
            return;
        }
        match event {
            Event::Ready(device) => self.ready(device),
            Event::Started { info, .. } => {
                store.log.update_value(|log| {
                    log.begin(info.tokens_per_step, info.first_step, platform::now())
                });
                store
                    .samples
                    .update(|samples| samples.retain(|sample| sample.step <= info.first_step));
                store.info.set(Some(info));
                store.can_write.set(true);
                store.run.update(|run| {
                    if let Some(run) = run {
                        run.device = store.device.get_untracked();
                    }
                });
                // A stop may have been asked for in the meantime.
                if store.phase.get_untracked() == Phase::Starting {
                    store.phase.set(Phase::Running);
                }
            }
            Event::Metrics { records, .. } => {
                store
                    .log
                    .update_value(|log| records.iter().for_each(|record| log.push(record)));
                self.show_soon(|unseen| unseen.records = true);
            }
            Event::Progress { progress, .. } => {
                self.show_soon(|unseen| unseen.progress = Some(progress))
            }
            Event::Sample {
                step, prompt, text, ..
            } => self.sample(step, prompt, text),
            // The worker's checkpoints come as `Message::Checkpoint`.
            Event::Checkpoint { .. } => {}
            Event::Paused { .. } => {
                store.log.update_value(|log| log.pause(platform::now()));
                if store.phase.get_untracked() != Phase::Stopping {
                    store.phase.set(Phase::Paused);
                }
                self.show();
            }
            Event::Resumed { .. } => {
                store.log.update_value(|log| log.resume(platform::now()));
                if store.phase.get_untracked() != Phase::Stopping {
                    store.phase.set(Phase::Running);
                }
            }
            Event::Finished { result, .. } => {
                self.show();
                store.result.set(Some(result));
                store.phase.set(Phase::Finished);
            }
            Event::Failed { run: None, error } => self.worker_broke(error),
            Event::Failed { error, .. } => self.run_failed(error),
            Event::Log {
                level: LogLevel::Warning,
                message,
            } => {
                // A prompt that the model cannot read is answered by a warning.
                store.asked.set(None);
                store.notice.set(Some(message));
            }
            Event::Log {
                level: LogLevel::Info,
                message,
            } => leptos::logging::log!("{message}"),
        }
    }

    fn ready(&self, device: DeviceInfo) {
        self.store.device.set(Some(device));
        if let Some((command, state)) = self
            .inner
            .try_update_value(|inner| inner.waiting.take())
            .flatten()
        {
            self.send(&command, state.as_ref());
        }
    }

    fn sample(&self, step: usize, prompt: String, text: String) {
        let key = self
            .inner
            .try_update_value(|inner| {
                inner.samples += 1;
                inner.samples
            })
            .unwrap_or_default();
        let sample = Sample {
            key,
            step,
            prompt,
            text,
        };
        if self
            .store
            .asked
            .with_untracked(|asked| asked.as_ref() == Some(&sample.prompt))
        {
            self.store.asked.set(None);
            self.store.answer.set(Some(sample));
        } else {
            self.show_soon(|unseen| unseen.samples.push(sample));
        }
    }

    /// Notes what has come and shows it within [`SHOW_EVERY`].
    fn show_soon(&self, note: impl FnOnce(&mut Unseen)) {
        let mut schedule = false;
        self.inner.update_value(|inner| {
            note(&mut inner.unseen);
            schedule = !std::mem::replace(&mut inner.unseen.scheduled, true);
        });
        if schedule {
            let lab = *self;
            set_timeout(move || lab.show(), SHOW_EVERY);
        }
    }

    fn show(&self) {
        let unseen = self
            .inner
            .try_update_value(|inner| std::mem::take(&mut inner.unseen))
            .unwrap_or_default();
        if let Some(progress) = unseen.progress {
            self.store.progress.set(Some(progress));
        }
        if !unseen.samples.is_empty() {
            self.store.add_samples(unseen.samples);
        }
        if unseen.records {
            self.store.revision.update(|revision| *revision += 1);
        }
    }

    /// An error of a run in a worker that lives on, or of the device under it.
    fn run_failed(&self, error: LabError) {
        if matches!(error.code, ErrorCode::DeviceLost | ErrorCode::OutOfMemory) {
            return self.worker_broke(error);
        }
        if self.store.asked.get_untracked().is_some() && error.code == ErrorCode::InvalidCommand {
            // The prompt was refused, the run goes on.
            self.store.asked.set(None);
            return self.store.fail_with(error);
        }
        self.show();
        self.store.phase.set(Phase::Failed);
        self.refuse(error);
    }

    /// The worker is lost. What it has reported stays; a new one takes its place, and may go on from the
    /// last checkpoint.
    fn worker_broke(&self, error: LabError) {
        self.show();
        let store = self.store;
        let chosen = store.backend.get_untracked();
        let device = store.device.get_untracked();
        if store.phase.get_untracked().is_active() {
            store.phase.set(Phase::Failed);
        }
        let saved = self.inner.try_update_value(|inner| {
            inner.waiting = None;
            inner.connection = None;
            inner.checkpoint.as_ref().map(|saved| saved.step)
        });
        let on_cpu = device.as_ref().map_or(chosen, |device| device.backend) == BackendChoice::Cpu;
        let continues = saved
            .flatten()
            .filter(|_| store.result.with_untracked(Option::is_none));
        // A worker that never was ready would only fail again: starting it is left to the user.
        let restarts = device.is_some();
        let mut offers = Vec::new();
        if let Some(step) = continues {
            offers.push(Offer::Continue {
                step,
                backend: chosen,
            });
        }
        if !restarts && continues.is_none() {
            offers.push(Offer::Restart { backend: chosen });
        }
        if !on_cpu {
            offers.push(match continues {
                Some(step) => Offer::Continue {
                    step,
                    backend: BackendChoice::Cpu,
                },
                None => Offer::Restart {
                    backend: BackendChoice::Cpu,
                },
            });
        }
        store.device.set(None);
        store.can_write.set(false);
        if restarts {
            self.start_worker(chosen);
        }
        store.problem.set(Some(Problem { error, offers }));
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

fn event_run(event: &Event) -> Option<&str> {
    match event {
        Event::Ready(_) | Event::Log { .. } => None,
        Event::Failed { run, .. } => run.as_deref(),
        Event::Started { run, .. }
        | Event::Metrics { run, .. }
        | Event::Sample { run, .. }
        | Event::Progress { run, .. }
        | Event::Checkpoint { run, .. }
        | Event::Paused { run, .. }
        | Event::Resumed { run, .. }
        | Event::Finished { run, .. } => Some(run),
    }
}
