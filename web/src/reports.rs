//! What the worker reports, turned into state.

use crate::ask::Reply;
use crate::experiment::StrategyForm;
use crate::history;
use crate::lab::Lab;
use crate::platform;
use crate::runs::{Phase, RunState, Sample, Saved};
use crate::store::{Offer, Problem};
use crate::worker::{Files, Message};
use lab_protocol::{
    BackendChoice, DeviceInfo, ErrorCode, Event, LabError, LogLevel, Progress, RunResult,
};
use leptos::prelude::*;
use leptos::task::spawn_local;
use std::time::Duration;

/// Events are shown at most this often, so that a fast run does not keep the page busy drawing.
const SHOW_EVERY: Duration = Duration::from_millis(250);

/// What has come and is not shown yet.
#[derive(Default)]
pub(crate) struct Unseen {
    scheduled: bool,
    progress: Option<Progress>,
    samples: Vec<Sample>,
    records: bool,
}

impl Lab {
    pub(crate) fn receive(&self, message: Message) {
        match message {
            Message::Broken(error) => self.worker_broke(error),
            Message::Checkpoint { run, step, state } => {
                if let Some(current) = self.of(&run) {
                    current.checkpoint.set_value(Some(Saved { step, state }));
                }
            }
            Message::Finished { run, result, files } => {
                if let Some(current) = self.of(&run) {
                    self.finished(current, result, files);
                }
            }
            Message::Event(event) => self.handle(event),
        }
    }

    /// The run under way, if it has this id.
    fn of(&self, id: &str) -> Option<RunState> {
        let run = self.current()?.run;
        let same =
            |known: &Option<crate::runs::Run>| known.as_ref().is_some_and(|run| run.id == id);
        run.run.with_untracked(same).then_some(run)
    }

    fn handle(&self, event: Event) {
        match event {
            Event::Ready(device) => self.ready(device),
            Event::Failed { run: None, error } => self.worker_broke(error),
            Event::Failed {
                run: Some(run),
                error,
            } if self.is_asked(&run) => self.reply(Reply::Failed(error)),
            Event::Answer { run, text } => {
                if self.is_asked(&run) {
                    self.reply(text.map_or(Reply::Nothing, Reply::Text));
                }
            }
            Event::Log {
                level: LogLevel::Warning,
                message,
            } => {
                // A prompt that the model cannot read is answered by a warning.
                self.store.asked.set(None);
                self.store.notice.set(Some(message));
            }
            Event::Log {
                level: LogLevel::Info,
                message,
            } => leptos::logging::log!("{message}"),
            other => {
                if let Some(run) = event_run(&other).and_then(|id| self.of(id)) {
                    self.handle_of(run, other);
                }
            }
        }
    }

    /// An event of the run under way.
    fn handle_of(&self, run: RunState, event: Event) {
        let store = self.store;
        match event {
            Event::Started { info, .. } => {
                run.log.update_value(|log| {
                    log.begin(info.tokens_per_step, info.first_step, platform::now())
                });
                run.samples
                    .update(|samples| samples.retain(|sample| sample.step <= info.first_step));
                run.info.set(Some(info));
                store.can_write.set(true);
                run.run.update(|run| {
                    if let Some(run) = run {
                        run.device = store.device.get_untracked();
                    }
                });
                // A stop may have been asked for in the meantime.
                if store.phase.get_untracked() == Phase::Starting {
                    self.set_phase(Phase::Running);
                }
            }
            Event::Metrics { records, .. } => {
                run.log
                    .update_value(|log| records.iter().for_each(|record| log.push(record)));
                self.show_soon(|unseen| unseen.records = true);
            }
            Event::Progress { progress, .. } => {
                self.show_soon(|unseen| unseen.progress = Some(progress))
            }
            Event::Sample {
                step,
                prompt,
                text,
                grounds,
                ..
            } => self.sample(Sample {
                key: 0,
                step,
                prompt,
                text,
                grounds,
            }),
            Event::Map { map, .. } => run.map.set(Some(map)),
            Event::Writing { prompt, text, .. } => run.writing.set(Some(Sample {
                key: 0,
                step: 0,
                prompt,
                text,
                grounds: None,
            })),
            Event::Paused { .. } => {
                run.log.update_value(|log| log.pause(platform::now()));
                if store.phase.get_untracked() != Phase::Stopping {
                    self.set_phase(Phase::Paused);
                }
                self.show();
            }
            Event::Resumed { .. } => {
                run.log.update_value(|log| log.resume(platform::now()));
                if store.phase.get_untracked() != Phase::Stopping {
                    self.set_phase(Phase::Running);
                }
            }
            Event::Failed { error, .. } => self.run_failed(run, error),
            // Checkpoints and results come with their bytes apart, as messages of their own; the rest
            // belongs to no run.
            Event::Checkpoint { .. }
            | Event::Finished { .. }
            | Event::Answer { .. }
            | Event::Ready(_)
            | Event::Log { .. } => {}
        }
    }

    fn finished(&self, run: RunState, result: RunResult, files: Files) {
        self.show();
        run.result.set(Some(result));
        run.files.set_value(files);
        run.checkpoint.set_value(None);
        run.phase.set(Phase::Finished);
        self.model_gone();
        if let Some(form) = self.current() {
            spawn_local(history::keep(*self, form));
        }
        self.next();
    }

    fn ready(&self, device: DeviceInfo) {
        self.store.device.set(Some(device));
        if let Some((command, cargo)) = self
            .inner
            .try_update_value(|inner| inner.waiting.take())
            .flatten()
        {
            self.send(&command, &cargo);
        }
    }

    /// Takes a sample, which gets a key of its own.
    fn sample(&self, sample: Sample) {
        let key = self
            .inner
            .try_update_value(|inner| {
                inner.samples += 1;
                inner.samples
            })
            .unwrap_or_default();
        let sample = Sample { key, ..sample };
        if self
            .store
            .asked
            .with_untracked(|asked| asked.as_ref() == Some(&sample.prompt))
        {
            self.store.asked.set(None);
            if let Some(form) = self.current() {
                form.run.writing.set(None);
            }
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
        let Some(run) = self.current().map(|form| form.run) else {
            return;
        };
        if let Some(progress) = unseen.progress {
            run.progress.set(Some(progress));
        }
        if !unseen.samples.is_empty() {
            run.add_samples(unseen.samples);
        }
        if unseen.records {
            run.revision.update(|revision| *revision += 1);
        }
    }

    /// An error of a run in a worker that lives on, or of the device under it.
    fn run_failed(&self, run: RunState, error: LabError) {
        if matches!(error.code, ErrorCode::DeviceLost | ErrorCode::OutOfMemory) {
            return self.worker_broke(error);
        }
        if error.code == ErrorCode::InvalidCommand && !self.store.phase.get_untracked().is_active()
        {
            // A command crossed with the end of the run.
            return self.store.asked.set(None);
        }
        self.show();
        self.note_failure(run, &error);
        self.model_gone();
        self.next();
        if self.store.phase.get_untracked().is_active() {
            self.store.fail_with(error);
        } else {
            self.refuse(error);
        }
    }

    fn note_failure(&self, run: RunState, error: &LabError) {
        run.writing.set(None);
        run.error.set(Some(error.clone()));
        run.phase.set(Phase::Failed);
        self.inner.update_value(|inner| {
            if let Some(session) = &mut inner.session {
                session.failed = true;
            }
        });
    }

    /// The worker keeps no model beyond its run: none can be asked to write.
    fn model_gone(&self) {
        self.store.can_write.set(false);
        self.store.asked.set(None);
    }

    /// The worker is lost. What it has reported stays; a new one takes its place, and may go on from the
    /// last checkpoint.
    pub(crate) fn worker_broke(&self, error: LabError) {
        self.show();
        let store = self.store;
        let chosen = store.backend.get_untracked();
        let device = store.device.get_untracked();
        let active = store.phase.get_untracked().is_active();
        let current = self.current();
        if let Some(form) = current.as_ref().filter(|_| active) {
            store.phase.set(Phase::Failed);
            self.note_failure(form.run, &error);
        }
        self.inner.update_value(|inner| {
            inner.waiting = None;
            inner.connection = None;
        });
        self.stop_asking();
        let saved = current.as_ref().and_then(|form| {
            let step = form.run.checkpoint.get_value()?.step;
            Some((form.key, step))
        });
        let on_cpu = device.as_ref().map_or(chosen, |device| device.backend) == BackendChoice::Cpu;
        let failed = |form: &StrategyForm| form.run.phase.get_untracked() == Phase::Failed;
        let continues = saved.filter(|_| current.as_ref().is_some_and(failed));
        // A worker that never was ready would only fail again: starting it is left to the user.
        let restarts = device.is_some();
        let mut offers = Vec::new();
        if let Some((key, step)) = continues {
            offers.push(Offer::Continue {
                key,
                step,
                backend: chosen,
            });
        }
        if !restarts && continues.is_none() {
            offers.push(Offer::Restart { backend: chosen });
        }
        if !on_cpu {
            offers.push(match continues {
                Some((key, step)) => Offer::Continue {
                    key,
                    step,
                    backend: BackendChoice::Cpu,
                },
                None => Offer::Restart {
                    backend: BackendChoice::Cpu,
                },
            });
        }
        store.alive.set(false);
        store.device.set(None);
        store.can_write.set(false);
        if restarts {
            self.start_worker(chosen);
            // What does not start from the run that broke is run all the same.
            if active {
                self.next();
            }
        } else {
            self.empty_queue();
        }
        store.problem.set(Some(Problem { error, offers }));
    }
}

fn event_run(event: &Event) -> Option<&str> {
    match event {
        Event::Ready(_) | Event::Log { .. } => None,
        Event::Failed { run, .. } => run.as_deref(),
        Event::Started { run, .. }
        | Event::Metrics { run, .. }
        | Event::Sample { run, .. }
        | Event::Writing { run, .. }
        | Event::Map { run, .. }
        | Event::Answer { run, .. }
        | Event::Progress { run, .. }
        | Event::Checkpoint { run, .. }
        | Event::Paused { run, .. }
        | Event::Resumed { run, .. }
        | Event::Finished { run, .. } => Some(run),
    }
}
