//! Which strategies are run, and in which order: each after the one it starts from, several at a time where
//! there are workers for them. A failure stops what starts from it and nothing else.

use crate::experiment::StrategyForm;
use crate::kinds::ENDPOINT;
use crate::lab::Lab;
use crate::platform;
use crate::runs::{Phase, Run};
use crate::worker::{Cargo, Files};
use lab_protocol::{Command, ExperimentConfig, Secret};
use leptos::prelude::*;
use leptos::task::spawn_local;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// A strategy whose turn is still to come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub key: usize,
    /// Goes on from its last checkpoint instead of beginning anew.
    pub resumes: bool,
}

/// What the strategies of the queue share: the experiment as it was when Run was pressed.
#[derive(Clone)]
pub(crate) struct Session {
    pub experiment: ExperimentConfig,
    pub text: Arc<str>,
    /// Keys of the strategies, in the order in which they are run.
    pub order: Vec<usize>,
    pub failed: bool,
}

impl Lab {
    /// Runs what is not done yet; when everything is, all of it again.
    pub fn run(&self) {
        let outdated = untrack(|| self.outdated());
        let all = outdated.is_empty();
        self.run_these(|form| all || outdated.contains(&form.key));
    }

    /// Runs this strategy again, and what starts from it.
    pub fn run_from(&self, key: usize) {
        let outdated = untrack(|| self.outdated());
        let strategies = self.form.strategies.get_untracked();
        let mut after = BTreeSet::from([key]);
        loop {
            let found: Vec<_> = strategies
                .iter()
                .filter(|form| {
                    let from = form.from.get_untracked();
                    from.is_some_and(|from| after.contains(&from)) && !after.contains(&form.key)
                })
                .map(|form| form.key)
                .collect();
            if found.is_empty() {
                break;
            }
            after.extend(found);
        }
        // What it starts from must be there too.
        let mut before = self.form.base_of(key);
        while let Some(base) = before {
            if !outdated.contains(&base) || !after.insert(base) {
                break;
            }
            before = self.form.base_of(base);
        }
        self.run_these(|form| after.contains(&form.key));
    }

    fn run_these(&self, wanted: impl Fn(&StrategyForm) -> bool) {
        let store = self.store;
        if store.phase.get_untracked().is_active() {
            return;
        }
        store.problem.set(None);
        store.notice.set(None);
        let experiment = untrack(|| self.form.build(store.backend.get_untracked()));
        let ready = experiment.and_then(|experiment| {
            let order = experiment.order()?;
            Ok((experiment, order, self.data.ready()?))
        });
        let (experiment, order, text) = match ready {
            Ok(ready) => ready,
            Err(error) => return self.refuse(error),
        };
        let strategies = self.form.strategies.get_untracked();
        let queue: Vec<_> = order
            .into_iter()
            .filter_map(|index| strategies.get(index))
            .filter(|form| form.kind.runs && wanted(form))
            .collect();
        for form in &queue {
            form.run.clear();
            form.run.phase.set(Phase::Waiting);
        }
        let entries = queue.iter().map(|form| Entry {
            key: form.key,
            resumes: false,
        });
        self.inner.update_value(|inner| {
            inner.held = false;
            inner.queue = entries.collect();
            inner.session = Some(Session {
                experiment,
                text,
                order: queue.iter().map(|form| form.key).collect(),
                failed: false,
            });
        });
        store.chosen.set(None);
        store.current.set(None);
        store.phase.set(Phase::Starting);
        // In a task of its own: the page has enough to do with folding its cards.
        let lab = *self;
        set_timeout(move || lab.next(), Duration::ZERO);
    }

    /// Goes on with a run that broke off, from its last checkpoint, and with what was skipped for it.
    pub(crate) fn resume(&self, key: usize) {
        let order = self.inner.try_update_value(|inner| {
            inner.queue.push_front(Entry { key, resumes: true });
            let session = inner.session.as_mut()?;
            session.failed = false;
            Some(session.order.clone())
        });
        for form in order.flatten().unwrap_or_default() {
            let Some(form) = self.form.strategy(form) else {
                continue;
            };
            let phase = form.run.phase;
            if form.key == key {
                phase.set(Phase::Waiting);
            } else if phase.get_untracked() == Phase::Skipped {
                phase.set(Phase::Waiting);
                let entry = Entry {
                    key: form.key,
                    resumes: false,
                };
                self.inner
                    .update_value(|inner| inner.queue.push_back(entry));
            }
        }
        self.next();
    }

    /// Starts what can be started of the queue, or ends the session.
    pub(crate) fn next(&self) {
        let idle = self.active().is_empty();
        let held = self.inner.try_update_value(|inner| {
            // Nothing is left that could be resumed.
            inner.held &= !idle;
            inner.held
        });
        if held == Some(false)
            && let Some((entry, form, base)) = self.take_ready()
        {
            if let Some(worker) = self.free_worker() {
                self.store.current.set(Some(entry.key));
                self.start(worker, &form, entry.resumes, base);
                // One in a task, so that none of them is long.
                let lab = *self;
                return set_timeout(move || lab.next(), Duration::ZERO);
            }
            // Where there is no worker at all, nothing waits for it.
            if self.store.alive.get_untracked() {
                self.inner
                    .update_value(|inner| inner.queue.push_front(entry));
            }
        }
        self.end_idle_workers();
        let left = self.inner.with_value(|inner| inner.queue.len());
        match self.active().first() {
            Some(form) => {
                let current = self.current().map(|form| form.run.phase.get_untracked());
                if !current.is_some_and(Phase::is_active) {
                    self.store.current.set(Some(form.key));
                }
            }
            // Not where a stop came before anything had begun.
            None if left == 0 && self.store.phase.get_untracked().is_active() => self.end(),
            None => {}
        }
    }

    /// Takes the first strategy of the queue whose base is there. Those whose base will not come are skipped.
    fn take_ready(&self) -> Option<(Entry, StrategyForm, Files)> {
        let mut place = 0;
        loop {
            let entry = self
                .inner
                .with_value(|inner| inner.queue.get(place).copied())?;
            let form = self.form.strategy(entry.key);
            let base = form
                .as_ref()
                .and_then(|form| form.from.get_untracked())
                .map(|key| self.form.strategy(key));
            let base = match base {
                None => Some(Files::default()),
                Some(Some(base)) if untrack(|| base.run.has_model()) => {
                    Some(base.run.files.get_value())
                }
                Some(Some(base)) if base.run.phase.get_untracked().is_to_come() => {
                    place += 1;
                    continue;
                }
                Some(_) => None,
            };
            self.inner.update_value(|inner| {
                inner.queue.remove(place);
            });
            match (form, base) {
                (Some(form), Some(base)) => return Some((entry, form, base)),
                (Some(form), None) => form.run.phase.set(Phase::Skipped),
                (None, _) => {}
            }
        }
    }

    /// Nothing is left to run.
    fn end(&self) {
        let failed = self
            .inner
            .with_value(|inner| inner.session.as_ref().is_some_and(|session| session.failed));
        self.store.phase.set(if failed {
            Phase::Failed
        } else {
            Phase::Finished
        });
    }

    /// Those that wait are not run.
    pub(crate) fn empty_queue(&self) {
        self.inner.update_value(|inner| inner.queue.clear());
        for form in self.form.strategies.get_untracked() {
            if form.run.phase.get_untracked() == Phase::Waiting {
                form.run.phase.set(Phase::Idle);
            }
        }
    }

    /// Has a worker start a strategy.
    fn start(&self, worker: usize, form: &StrategyForm, resumes: bool, base: Files) {
        let Some(session) = self.inner.with_value(|inner| inner.session.clone()) else {
            return;
        };
        let run = match form.run.run.get_untracked().filter(|_| resumes) {
            Some(run) => run,
            None => self.begin(form, &session),
        };
        form.run.error.set(None);
        self.set_phase(form, Phase::Starting);
        let command = Command::Start {
            run: run.id,
            experiment: run.experiment,
            strategy: run.strategy,
            text: run.text.to_string(),
            base: Vec::new(),
            checkpoint: None,
            key: self.endpoint_key(form),
        };
        let saved = form.run.checkpoint.get_value().filter(|_| resumes);
        let cargo = Cargo {
            checkpoint: saved.map(|saved| saved.state),
            base,
        };
        self.employ(worker, form.key, command, cargo);
    }

    /// What the user has typed for the endpoint, where the strategy asks one.
    fn endpoint_key(&self, form: &StrategyForm) -> Option<Secret> {
        let asks = form.value_at(ENDPOINT)?.get_untracked() == "true";
        let key = self.store.endpoint_key.get_untracked();
        let key = key.trim();
        (asks && !key.is_empty()).then(|| Secret(key.to_owned()))
    }

    /// Notes what is run, and from what.
    fn begin(&self, form: &StrategyForm, session: &Session) -> Run {
        let id = self.inner.try_update_value(|inner| {
            inner.runs += 1;
            format!("run-{}", inner.runs)
        });
        form.run.clear();
        let run = Run {
            id: id.unwrap_or_default(),
            experiment: session.experiment.clone(),
            strategy: form.name.get_untracked(),
            text: session.text.clone(),
            data_hash: None,
            device: None,
            recipe: untrack(|| self.recipe(form)),
        };
        form.run.run.set(Some(run.clone()));
        let (noted, text) = (form.run.run, run.text.clone());
        spawn_local(async move {
            let hash = platform::sha256(&text).await;
            noted.update(|run| {
                if let Some(run) = run.as_mut().filter(|run| run.text == text) {
                    run.data_hash = hash;
                }
            });
        });
        run
    }

    /// What decides a run's outcome: data, seed, settings, and the run it starts from. Two runs of the
    /// same recipe are the same run.
    pub fn recipe(&self, form: &StrategyForm) -> String {
        let base = form.from.get().and_then(|key| self.form.strategy(key));
        let base = base.map(|base| {
            base.run.revision.track();
            let run = base
                .run
                .run
                .with(|run| run.as_ref().map(|run| run.id.clone()));
            // A model from outside has no run: its files tell it apart.
            run.unwrap_or_else(|| base.run.files.with_value(Files::mark))
        });
        let text = self.data.mark.get();
        let data = self.form.data_value();
        let seed = self.form.seed.get();
        format!("{data} {text} {seed} {} {base:?}", form.config())
    }

    /// The strategies that have no result, or one of other settings than those shown.
    pub fn outdated(&self) -> BTreeSet<usize> {
        let mut outdated = BTreeSet::new();
        let strategies = self.form.strategies.get();
        // Each pass finds what starts from what the one before has found.
        for _ in 0..=strategies.len() {
            for form in strategies.iter().filter(|form| form.kind.runs) {
                let base = form.from.get();
                if !self.is_done(form) || base.is_some_and(|base| outdated.contains(&base)) {
                    outdated.insert(form.key);
                }
            }
        }
        outdated
    }

    fn is_done(&self, form: &StrategyForm) -> bool {
        form.run.phase.get() == Phase::Finished && self.is_unchanged(form)
    }

    /// Whether a strategy's run is of the settings that are shown.
    pub fn is_unchanged(&self, form: &StrategyForm) -> bool {
        let recipe = self.recipe(form);
        form.run
            .run
            .with(|run| run.as_ref().is_none_or(|run| run.recipe == recipe))
    }
}
