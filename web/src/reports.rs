//! What the workers report, turned into state.

use crate::ask::Reply;
use crate::experiment::StrategyForm;
use crate::history;
use crate::lab::Lab;
use crate::platform;
use crate::runs::{Phase, Sample, Saved};
use crate::store::{Offer, Problem};
use crate::worker::{Files, Message};
use lab_protocol::{
    BackendChoice, Command, ErrorCode, Event, LabError, LogLevel, Progress, RunResult,
};
use leptos::prelude::*;
use leptos::task::spawn_local;
use std::collections::HashMap;
use std::time::Duration;

/// Events are shown at most this often, so that a fast run does not keep the page busy drawing.
const SHOW_EVERY: Duration = Duration::from_millis(250);

/// What has come and is not shown yet.
#[derive(Default)]
pub(crate) struct Unseen {
    scheduled: bool,
    /// By the strategies' keys.
    runs: HashMap<usize, UnseenOfRun>,
}

#[derive(Default)]
struct UnseenOfRun {
    progress: Option<Progress>,
    samples: Vec<Sample>,
    records: bool,
}

impl Lab {
    pub(crate) fn receive(&self, worker: usize, message: Message) {
        match message {
            Message::Broken(error) => self.worker_broke(worker, error),
            Message::Checkpoint { run, step, state } => {
                if let Some(form) = self.of(&run) {
                    form.run.checkpoint.set_value(Some(Saved { step, state }));
                }
            }
            Message::Finished { run, result, files } => {
                if let Some(form) = self.of(&run) {
                    self.finished(form, result, files);
                }
            }
            Message::Event(event) => self.handle(worker, event),
        }
    }

    /// The strategy whose run has this id.
    fn of(&self, id: &str) -> Option<StrategyForm> {
        let mut forms = self.form.strategies.get_untracked().into_iter();
        forms.find(|form| {
            let run = form.run.run;
            run.with_untracked(|run| run.as_ref().is_some_and(|run| run.id == id))
        })
    }

    fn handle(&self, worker: usize, event: Event) {
        match event {
            Event::Ready(device) => self.ready(worker, device),
            Event::Failed { run: None, error } => self.worker_broke(worker, error),
            Event::Failed {
                run: Some(run),
                error,
            } if self.is_asked(&run) => self.reply(Reply::Failed(error)),
            Event::Failed {
                run: Some(run),
                error,
            } if self.is_vote(&run) => self.answers_came(Err(error)),
            Event::Vote {
                run,
                prompt,
                answers,
            } => {
                if self.is_vote(&run) {
                    self.answers_came(Ok((prompt, answers)));
                }
            }
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
                if let Some(form) = event_run(&other).and_then(|id| self.of(id)) {
                    self.handle_of(worker, form, other);
                }
            }
        }
    }

    /// An event of a strategy's run.
    fn handle_of(&self, worker: usize, form: StrategyForm, event: Event) {
        let (store, run, key) = (self.store, form.run, form.key);
        match event {
            Event::Started { info, .. } => {
                run.log.update_value(|log| {
                    log.begin(info.tokens_per_step, info.first_step, platform::now())
                });
                run.samples
                    .update(|samples| samples.retain(|sample| sample.step <= info.first_step));
                run.info.set(Some(info));
                run.run.update(|run| {
                    if let Some(run) = run {
                        run.device = store.device.get_untracked();
                    }
                });
                // A stop may have been asked for in the meantime, or a pause.
                if run.phase.get_untracked() == Phase::Starting {
                    self.set_phase(&form, Phase::Running);
                    if self.inner.with_value(|inner| inner.held) {
                        self.set_phase(&form, Phase::Pausing);
                        self.command_to(&form, |run| Command::Pause { run });
                    }
                }
            }
            Event::Metrics { records, .. } => {
                run.log
                    .update_value(|log| records.iter().for_each(|record| log.push(record)));
                self.show_soon(key, |unseen| unseen.records = true);
            }
            Event::Progress { progress, .. } => {
                self.show_soon(key, |unseen| unseen.progress = Some(progress))
            }
            Event::Sample {
                step,
                prompt,
                text,
                grounds,
                ..
            } => self.sample(
                form,
                Sample {
                    key: 0,
                    step,
                    prompt,
                    text,
                    grounds,
                },
            ),
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
                if run.phase.get_untracked() != Phase::Stopping {
                    self.set_phase(&form, Phase::Paused);
                }
                self.show();
            }
            Event::Resumed { .. } => {
                run.log.update_value(|log| log.resume(platform::now()));
                if run.phase.get_untracked() != Phase::Stopping {
                    self.set_phase(&form, Phase::Running);
                }
            }
            Event::Failed { error, .. } => self.run_failed(worker, form, error),
            // Checkpoints and results come with their bytes apart, as messages of their own; the rest
            // belongs to no run.
            Event::Checkpoint { .. }
            | Event::Finished { .. }
            | Event::Answer { .. }
            | Event::Vote { .. }
            | Event::Ready(_)
            | Event::Log { .. } => {}
        }
    }

    /// Takes a result. It gives much to draw, which is spread over several tasks of the page's thread.
    fn finished(&self, form: StrategyForm, result: RunResult, files: Files) {
        let run = form.run;
        self.show();
        run.files.set_value(files);
        run.checkpoint.set_value(None);
        let lab = *self;
        let goes_on = move |form: StrategyForm| {
            spawn_local(history::keep(lab, form));
            lab.next();
        };
        let is_shown = move || {
            run.result.set(Some(result));
            lab.ended(&form, Phase::Finished);
            set_timeout(move || goes_on(form), Duration::ZERO);
        };
        set_timeout(is_shown, Duration::ZERO);
    }

    /// A run is over. Its worker keeps no model beyond it: none can be asked to write.
    fn ended(&self, form: &StrategyForm, phase: Phase) {
        self.set_free(form.key);
        let asked = self.store.asked;
        if asked.with_untracked(|asked| asked.as_ref().is_some_and(|(key, _)| *key == form.key)) {
            asked.set(None);
        }
        self.set_phase(form, phase);
    }

    /// Takes a sample, which gets a key of its own.
    fn sample(&self, form: StrategyForm, sample: Sample) {
        let key = self
            .inner
            .try_update_value(|inner| {
                inner.samples += 1;
                inner.samples
            })
            .unwrap_or_default();
        let sample = Sample { key, ..sample };
        let asked = self.store.asked;
        let is_asked =
            |(key, prompt): &(usize, String)| *key == form.key && *prompt == sample.prompt;
        if asked.with_untracked(|asked| asked.as_ref().is_some_and(is_asked)) {
            asked.set(None);
            form.run.writing.set(None);
            self.store.answer.set(Some(sample));
        } else {
            self.show_soon(form.key, |unseen| unseen.samples.push(sample));
        }
    }

    /// Notes what has come and shows it within [`SHOW_EVERY`].
    fn show_soon(&self, key: usize, note: impl FnOnce(&mut UnseenOfRun)) {
        let mut schedule = false;
        self.inner.update_value(|inner| {
            note(inner.unseen.runs.entry(key).or_default());
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
        for (key, unseen) in unseen.runs {
            let Some(run) = self.form.strategy(key).map(|form| form.run) else {
                continue;
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
    }

    /// An error of a run in a worker that lives on, or of the device under it.
    fn run_failed(&self, worker: usize, form: StrategyForm, error: LabError) {
        if matches!(error.code, ErrorCode::DeviceLost | ErrorCode::OutOfMemory) {
            return self.worker_broke(worker, error);
        }
        if error.code == ErrorCode::InvalidCommand && !form.run.phase.get_untracked().is_active() {
            // A command crossed with the end of the run.
            return self.store.asked.set(None);
        }
        self.show();
        self.note_failure(&form, &error);
        self.next();
        if self.store.phase.get_untracked().is_active() {
            self.store.fail_with(error);
        } else {
            self.refuse(error);
        }
    }

    fn note_failure(&self, form: &StrategyForm, error: &LabError) {
        form.run.writing.set(None);
        form.run.error.set(Some(error.clone()));
        self.ended(form, Phase::Failed);
        self.fail_session();
    }

    fn fail_session(&self) {
        self.inner.update_value(|inner| {
            if let Some(session) = &mut inner.session {
                session.failed = true;
            }
        });
    }

    /// A worker is lost. What it has reported stays, and its run may go on from the last checkpoint. If it was
    /// the first, another takes its place.
    pub(crate) fn worker_broke(&self, worker: usize, error: LabError) {
        self.show();
        let (key, first) = self.lose_worker(worker);
        let broken = key.and_then(|key| self.form.strategy(key));
        let broken = broken.filter(|form| form.run.phase.get_untracked().is_active());
        if let Some(form) = &broken {
            self.note_failure(form, &error);
        }
        let continues = |backend| {
            let form = broken.as_ref()?;
            let step = form.run.checkpoint.get_value()?.step;
            Some(Offer::Continue {
                key: form.key,
                step,
                backend,
            })
        };
        let offers = if first {
            self.first_worker_broke(continues)
        } else {
            continues(BackendChoice::Cpu).into_iter().collect()
        };
        // What does not start from the run that broke is run all the same.
        if broken.is_some() {
            self.next();
        }
        self.store.problem.set(Some(Problem { error, offers }));
    }

    /// Starts another, unless the one that is lost never was ready: that would only fail again, and is left to
    /// the user. Gives what can be done.
    fn first_worker_broke(&self, continues: impl Fn(BackendChoice) -> Option<Offer>) -> Vec<Offer> {
        let store = self.store;
        let chosen = store.backend.get_untracked();
        let device = store.device.get_untracked();
        let on_cpu = device.as_ref().map_or(chosen, |device| device.backend) == BackendChoice::Cpu;
        self.stop_asking();
        self.end_vote();
        store.alive.set(false);
        store.device.set(None);
        let mut offers = Vec::new();
        if device.is_some() {
            offers.extend(continues(chosen));
            self.start_worker(chosen);
        } else {
            self.empty_queue();
            self.fail_session();
            offers.push(continues(chosen).unwrap_or(Offer::Restart { backend: chosen }));
        }
        if !on_cpu {
            let backend = BackendChoice::Cpu;
            offers.push(continues(backend).unwrap_or(Offer::Restart { backend }));
        }
        offers
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
        | Event::Vote { run, .. }
        | Event::Progress { run, .. }
        | Event::Checkpoint { run, .. }
        | Event::Paused { run, .. }
        | Event::Resumed { run, .. }
        | Event::Finished { run, .. } => Some(run),
    }
}
