//! What the client reports, turned into signals.

use crate::experiment::StrategyForm;
use crate::history;
use crate::lab::Lab;
use crate::platform;
use crate::questions::Reply;
use crate::runs::{Phase, Run, Sample};
use crate::store::Problem;
use lab_client::{Change, MainWorker};
use lab_orchestrator::scheduler::Key;
use lab_protocol::{Event, LogLevel, Progress, RunResult};
use leptos::prelude::*;
use leptos::task::spawn_local;
use std::collections::HashMap;
use std::time::Duration;

/// Events are shown at most this often, so that a fast run does not keep the page busy drawing.
const SHOW_EVERY: Duration = Duration::from_millis(250);

/// Changes that are not shown yet.
#[derive(Default)]
pub(crate) struct Unseen {
    is_scheduled: bool,
    runs: HashMap<Key, UnseenOfRun>,
}

#[derive(Default)]
struct UnseenOfRun {
    progress: Option<Progress>,
    samples: Vec<Sample>,
    records: bool,
}

impl Lab {
    pub(crate) fn changed(&self, change: Change) {
        match change {
            Change::MainWorker(worker) => self.main_worker_changed(worker),
            Change::Strategy { strategy, phase } => self.phase_changed(strategy, phase),
            Change::Experiment(phase) => self.store.phase.set(phase),
            Change::Begun {
                strategy,
                run,
                continues,
            } => self.begun(strategy, run, continues),
            Change::Run { strategy, event } => {
                if let Some(form) = self.form.strategy(strategy) {
                    self.event_of(form, event);
                }
            }
            Change::Finished { strategy, result } => self.finished(strategy, result),
            Change::Other(event) => self.other(event),
            Change::Problem {
                strategy,
                error,
                offers,
            } => {
                self.show();
                if let Some(form) = strategy.and_then(|key| self.form.strategy(key)) {
                    form.run.error.set(Some(error.clone()));
                }
                if offers.is_empty() && !self.store.phase.get_untracked().is_active() {
                    self.refuse(error);
                } else {
                    self.store.problem.set(Some(Problem { error, offers }));
                }
            }
        }
    }

    fn main_worker_changed(&self, worker: MainWorker) {
        let store = self.store;
        match worker {
            MainWorker::Opening(backend) => {
                store.backend.set(backend);
                store.alive.set(true);
                store.device.set(None);
                store.asked.set(None);
            }
            MainWorker::Ready(device) => store.device.set(Some(device)),
            MainWorker::Lost => {
                self.show();
                self.stop_asking();
                self.end_vote();
                store.alive.set(false);
                store.device.set(None);
            }
        }
    }

    fn phase_changed(&self, key: Key, phase: Phase) {
        let Some(form) = self.form.strategy(key) else {
            return;
        };
        form.run.phase.set(phase);
        let current = self.store.current;
        if phase.is_active() {
            if phase == Phase::Starting {
                current.set(Some(key));
            }
            return;
        }
        // Its worker keeps no model beyond the run: none can be asked to write.
        let asked = self.store.asked;
        if asked.with_untracked(|asked| asked.as_ref().is_some_and(|(other, _)| *other == key)) {
            asked.set(None);
        }
        form.run.writing.set(None);
        if current.get_untracked() == Some(key) {
            let forms = self.form.strategies.get_untracked();
            let active = |form: &&StrategyForm| form.run.phase.get_untracked().is_active();
            if let Some(other) = forms.iter().find(active) {
                current.set(Some(other.key));
            }
        }
    }

    /// Notes what is run, and from what.
    fn begun(&self, key: Key, id: String, continues: bool) {
        let (Some(form), Some(experiment)) = (self.form.strategy(key), self.client().experiment())
        else {
            return;
        };
        form.run.error.set(None);
        if continues {
            return;
        }
        form.run.clear();
        let text = experiment.text;
        form.run.run.set(Some(Run {
            id,
            experiment: experiment.config,
            strategy: form.name.get_untracked(),
            text: text.clone(),
            data_hash: None,
            device: None,
            recipe: untrack(|| self.recipe(&form)),
        }));
        let noted = form.run.run;
        spawn_local(async move {
            let hash = platform::sha256(&text).await;
            noted.update(|run| {
                if let Some(run) = run.as_mut().filter(|run| run.text == text) {
                    run.data_hash = hash;
                }
            });
        });
    }

    /// An event of a strategy's run.
    fn event_of(&self, form: StrategyForm, event: Event) {
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
                self.show();
            }
            Event::Resumed { .. } => run.log.update_value(|log| log.resume(platform::now())),
            // The client keeps checkpoints, and tells of ends by themselves; the rest belongs to no run.
            Event::Checkpoint { .. }
            | Event::Finished { .. }
            | Event::Failed { .. }
            | Event::Answer { .. }
            | Event::Vote { .. }
            | Event::Ready(_)
            | Event::Log { .. } => {}
        }
    }

    /// An event of no strategy's run.
    fn other(&self, event: Event) {
        match event {
            Event::Failed {
                run: Some(run),
                error,
            } => {
                if self.is_asked(&run) {
                    self.reply(Reply::Failed(error));
                } else if self.is_vote(&run) {
                    self.answers_came(Err(error));
                } else {
                    // A prompt crossed with the end of the run.
                    self.store.asked.set(None);
                }
            }
            Event::Vote {
                run,
                prompt,
                answers,
            } if self.is_vote(&run) => self.answers_came(Ok((prompt, answers))),
            Event::Answer { run, text } if self.is_asked(&run) => {
                self.reply(text.map_or(Reply::Nothing, Reply::Text));
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
            _ => {}
        }
    }

    /// Takes a result. It gives much to draw, which is spread over several tasks of the page's thread.
    fn finished(&self, key: Key, result: RunResult) {
        let Some(form) = self.form.strategy(key) else {
            return;
        };
        self.show();
        let lab = *self;
        let is_shown = move || {
            form.run.result.set(Some(result));
            set_timeout(
                move || spawn_local(history::keep(lab, form)),
                Duration::ZERO,
            );
        };
        set_timeout(is_shown, Duration::ZERO);
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
        let is_asked = |(key, prompt): &(Key, String)| *key == form.key && *prompt == sample.prompt;
        if asked.with_untracked(|asked| asked.as_ref().is_some_and(is_asked)) {
            asked.set(None);
            form.run.writing.set(None);
            self.store.answer.set(Some(sample));
        } else {
            self.show_soon(form.key, |unseen| unseen.samples.push(sample));
        }
    }

    /// Notes what has come and shows it within [`SHOW_EVERY`].
    fn show_soon(&self, key: Key, note: impl FnOnce(&mut UnseenOfRun)) {
        let mut schedule = false;
        self.inner.update_value(|inner| {
            note(inner.unseen.runs.entry(key).or_default());
            schedule = !std::mem::replace(&mut inner.unseen.is_scheduled, true);
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
}
