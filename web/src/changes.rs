//! Turns the client's reports into signals.

use crate::experiment::StrategyForm;
use crate::history;
use crate::lab::Lab;
use crate::metrics;
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

/// Minimum time between two displays of events, so a fast run does not keep the page busy drawing.
const SHOW_EVERY: Duration = Duration::from_millis(250);

/// Changes that are not shown yet.
#[derive(Default)]
struct Unseen {
    is_scheduled: bool,
    runs: HashMap<Key, UnseenOfRun>,
}

#[derive(Default)]
struct UnseenOfRun {
    progress: Option<Progress>,
    samples: Vec<Sample>,
    records: bool,
}

/// Hears the client. Copy: everything in it lives as long as the page.
#[derive(Clone, Copy)]
struct Listener {
    lab: Lab,
    unseen: StoredValue<Unseen, LocalStorage>,
    /// Number of samples so far, which gives each a key of its own.
    samples: StoredValue<usize>,
}

/// Shows every change that the client reports from now on; `also` hears each one first.
pub fn listen(lab: Lab, also: impl Fn(&Change) + 'static) {
    let listener = Listener {
        lab,
        unseen: StoredValue::new_local(Unseen::default()),
        samples: StoredValue::new(0),
    };
    lab.client().on_change(move |change| {
        also(&change);
        listener.changed(change);
    });
}

impl Listener {
    fn changed(&self, change: Change) {
        match change {
            Change::MainWorker(worker) => self.main_worker_changed(worker),
            Change::Strategy { strategy, phase } => self.phase_changed(strategy, phase),
            Change::Experiment(phase) => self.lab.store.phase.set(phase),
            Change::Begun {
                strategy,
                run,
                continues,
            } => self.begun(strategy, run, continues),
            Change::Run { strategy, event } => {
                if let Some(form) = self.lab.form.strategy(strategy) {
                    self.event_of(form, event);
                }
            }
            // The page offers to continue where a problem says so.
            Change::Checkpoint { .. } => {}
            Change::Finished { strategy, result } => self.finished(strategy, result),
            Change::Other(event) => self.other(event),
            Change::Problem {
                strategy,
                error,
                offers,
            } => {
                self.show();
                if let Some(form) = strategy.and_then(|key| self.lab.form.strategy(key)) {
                    form.run.error.set(Some(error.clone()));
                }
                if offers.is_empty() && !self.lab.store.phase.get_untracked().is_active() {
                    self.lab.refuse(error);
                } else {
                    self.lab.store.problem.set(Some(Problem { error, offers }));
                }
            }
        }
    }

    fn main_worker_changed(&self, worker: MainWorker) {
        let store = self.lab.store;
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
                self.lab.stop_asking();
                self.lab.end_vote();
                store.alive.set(false);
                store.device.set(None);
            }
        }
    }

    fn phase_changed(&self, key: Key, phase: Phase) {
        let Some(form) = self.lab.form.strategy(key) else {
            return;
        };
        form.run.phase.set(phase);
        let current = self.lab.store.current;
        if phase.is_active() {
            if phase == Phase::Starting {
                current.set(Some(key));
            }
            return;
        }
        // Its worker keeps no model beyond the run: none can be asked to write.
        let asked = self.lab.store.asked;
        if asked.with_untracked(|asked| asked.as_ref().is_some_and(|(other, _)| *other == key)) {
            asked.set(None);
        }
        form.run.writing.set(None);
        if current.get_untracked() == Some(key) {
            let forms = self.lab.form.strategies.get_untracked();
            let active = |form: &&StrategyForm| form.run.phase.get_untracked().is_active();
            if let Some(other) = forms.iter().find(active) {
                current.set(Some(other.key));
            }
        }
    }

    /// Notes the start of a run, and its base.
    fn begun(&self, key: Key, id: String, continues: bool) {
        let (Some(form), Some(experiment)) =
            (self.lab.form.strategy(key), self.lab.client().experiment())
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
            recipe: untrack(|| self.lab.recipe(&form)),
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
        let (store, run, key) = (self.lab.store, form.run, form.key);
        match event {
            Event::Started { info, .. } => {
                run.log.update_value(|log| {
                    log.begin(info.tokens_per_step, info.first_step, platform::now())
                });
                run.samples
                    .update(|samples| samples.retain(|sample| sample.step <= info.first_step));
                metrics::declare(&info.metrics);
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
            | Event::Passages { .. }
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
                if self.lab.is_asked(&run) {
                    self.lab.reply(Reply::Failed(error));
                } else if self.lab.is_vote(&run) {
                    self.lab.answers_came(Err(error));
                } else {
                    // A prompt crossed with the end of the run.
                    self.lab.store.asked.set(None);
                }
            }
            Event::Vote {
                run,
                prompt,
                answers,
            } if self.lab.is_vote(&run) => self.lab.answers_came(Ok((prompt, answers))),
            Event::Answer { run, text } if self.lab.is_asked(&run) => {
                self.lab.reply(text.map_or(Reply::Nothing, Reply::Text));
            }
            Event::Log {
                level: LogLevel::Warning,
                message,
            } => {
                // A prompt that the model cannot read is answered by a warning.
                self.lab.store.asked.set(None);
                self.lab.store.notice.set(Some(message));
            }
            Event::Log {
                level: LogLevel::Info,
                message,
            } => leptos::logging::log!("{message}"),
            _ => {}
        }
    }

    /// Takes a result. Its drawing takes long and is spread over several tasks of the page's thread.
    fn finished(&self, key: Key, result: RunResult) {
        let Some(form) = self.lab.form.strategy(key) else {
            return;
        };
        self.show();
        let lab = self.lab;
        metrics::declare(&result.declared);
        let is_shown = move || {
            form.run.result.set(Some(result));
            set_timeout(
                move || spawn_local(history::keep(lab, form)),
                Duration::ZERO,
            );
        };
        set_timeout(is_shown, Duration::ZERO);
    }

    /// Takes a sample and gives it a key.
    fn sample(&self, form: StrategyForm, sample: Sample) {
        let key = self
            .samples
            .try_update_value(|samples| {
                *samples += 1;
                *samples
            })
            .unwrap_or_default();
        let sample = Sample { key, ..sample };
        let asked = self.lab.store.asked;
        let is_asked = |(key, prompt): &(Key, String)| *key == form.key && *prompt == sample.prompt;
        if asked.with_untracked(|asked| asked.as_ref().is_some_and(is_asked)) {
            asked.set(None);
            form.run.writing.set(None);
            self.lab.store.answer.set(Some(sample));
        } else {
            self.show_soon(form.key, |unseen| unseen.samples.push(sample));
        }
    }

    /// Notes a change and shows it within [`SHOW_EVERY`].
    fn show_soon(&self, key: Key, note: impl FnOnce(&mut UnseenOfRun)) {
        let mut schedule = false;
        self.unseen.update_value(|unseen| {
            note(unseen.runs.entry(key).or_default());
            schedule = !std::mem::replace(&mut unseen.is_scheduled, true);
        });
        if schedule {
            let listener = *self;
            set_timeout(move || listener.show(), SHOW_EVERY);
        }
    }

    fn show(&self) {
        let unseen = self
            .unseen
            .try_update_value(std::mem::take)
            .unwrap_or_default();
        for (key, unseen) in unseen.runs {
            let Some(run) = self.lab.form.strategy(key).map(|form| form.run) else {
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
