//! What the worker reports, turned into state.

use crate::lab::{Lab, Saved};
use crate::platform;
use crate::store::{Offer, Phase, Problem, Sample};
use crate::worker::Message;
use lab_protocol::{BackendChoice, DeviceInfo, ErrorCode, Event, LabError, LogLevel, Progress};
use leptos::prelude::*;
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
                self.model_gone();
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
        if error.code == ErrorCode::InvalidCommand && !self.store.phase.get_untracked().is_active()
        {
            // A command crossed with the end of the run.
            return self.store.asked.set(None);
        }
        self.show();
        self.store.phase.set(Phase::Failed);
        self.model_gone();
        self.refuse(error);
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
        store.alive.set(false);
        store.device.set(None);
        store.can_write.set(false);
        if restarts {
            self.start_worker(chosen);
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
        | Event::Progress { run, .. }
        | Event::Checkpoint { run, .. }
        | Event::Paused { run, .. }
        | Event::Resumed { run, .. }
        | Event::Finished { run, .. } => Some(run),
    }
}
