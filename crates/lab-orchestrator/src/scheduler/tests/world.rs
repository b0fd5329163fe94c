//! Executors in a test's memory. They perform the scheduler's actions, check its promises, and send the reports that
//! the test wants.

use crate::scheduler::{
    Action, ExecutorId, Input, Key, Offer, Phase, Planned, Report, RunCommand, RunNumber, Scheduler,
};
use lab_protocol::{BackendChoice, ErrorCode, LabError};
use std::collections::{BTreeMap, BTreeSet};

pub fn error(code: ErrorCode) -> LabError {
    LabError::new(code, "message", "hint")
}

/// Plans of strategies by their keys 0, 1, … with their bases.
pub fn plan(bases: &[Option<Key>]) -> Vec<Planned> {
    let planned = |(key, base): (Key, &Option<Key>)| Planned { key, base: *base };
    bases.iter().enumerate().map(planned).collect()
}

#[derive(Clone, Copy, Debug)]
pub struct Running {
    pub strategy: Key,
    pub run: RunNumber,
    pub is_started: bool,
}

#[derive(Clone, Debug)]
pub struct Executor {
    pub backend: BackendChoice,
    pub is_main: bool,
    pub is_ready: bool,
    pub running: Option<Running>,
}

pub struct World {
    pub scheduler: Scheduler,
    pub executors: BTreeMap<ExecutorId, Executor>,
    /// The phases of the strategies, as they were shown.
    pub phases: BTreeMap<Key, Phase>,
    pub phase: Phase,
    pub models: BTreeSet<Key>,
    pub bases: BTreeMap<Key, Option<Key>>,
    /// Starts, in their order: strategy, run, checkpoint.
    pub starts: Vec<(Key, RunNumber, Option<usize>)>,
    pub commands: Vec<(Key, RunCommand)>,
    pub offers: Vec<Offer>,
    pub errors: Vec<(Option<Key>, ErrorCode)>,
    /// Strategies at a time, as every main executor says.
    pub limit: usize,
}

impl World {
    pub fn new(limit: usize) -> Self {
        let mut world = Self {
            scheduler: Scheduler::default(),
            executors: BTreeMap::new(),
            phases: BTreeMap::new(),
            phase: Phase::Idle,
            models: BTreeSet::new(),
            bases: BTreeMap::new(),
            starts: Vec::new(),
            commands: Vec::new(),
            offers: Vec::new(),
            errors: Vec::new(),
            limit,
        };
        world.tell(Input::UseBackend(BackendChoice::Auto));
        world
    }

    pub fn tell(&mut self, input: Input) {
        if let Input::Run(planned) = &input
            && !self.phase.is_active()
        {
            for Planned { key, base } in planned {
                self.bases.insert(*key, *base);
                self.models.remove(key);
            }
        }
        if input == Input::Forget {
            self.phases.clear();
        }
        for action in self.scheduler.handle(input) {
            self.perform(action);
        }
        assert_eq!(self.phase, self.scheduler.phase());
        for (key, phase) in &self.phases {
            assert_eq!(*phase, self.scheduler.phase_of(*key), "{key} was not shown");
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Changed { strategy, phase } => {
                assert_ne!(self.phases.insert(strategy, phase), Some(phase));
            }
            Action::ExperimentChanged(phase) => self.phase = phase,
            Action::MainLost => {}
            Action::Problem {
                strategy,
                error,
                offers,
            } => {
                self.errors.push((strategy, error.code));
                self.offers = offers;
            }
            Action::Open {
                executor,
                backend,
                main,
            } => {
                let another = self.executors.values().any(|executor| executor.is_main);
                assert!(!(main && another), "two main executors");
                let opened = Executor {
                    backend,
                    is_main: main,
                    is_ready: false,
                    running: None,
                };
                assert!(self.executors.insert(executor, opened).is_none());
            }
            Action::Close { executor } => {
                assert!(self.executors.remove(&executor).is_some(), "closed twice");
            }
            Action::Start {
                executor,
                strategy,
                run,
                base,
                checkpoint,
            } => {
                assert_eq!(base, self.bases[&strategy]);
                assert!(
                    base.is_none_or(|base| self.models.contains(&base)),
                    "before its base"
                );
                let place = self.executors.get_mut(&executor).expect("a dead executor");
                assert!(place.is_ready && place.running.is_none());
                place.running = Some(Running {
                    strategy,
                    run,
                    is_started: false,
                });
                self.starts.push((strategy, run, checkpoint));
                let running = self.executors.values().filter(|e| e.running.is_some());
                assert!(running.count() <= self.limit, "too many at a time");
            }
            Action::Send {
                executor,
                run,
                command,
            } => {
                let place = self.executors.get(&executor).expect("a dead executor");
                let running = place.running.expect("a command to nothing");
                assert_eq!(running.run, run);
                self.commands.push((running.strategy, command));
            }
        }
    }

    /// An executor gets its device: the CPU, if it may choose.
    pub fn ready(&mut self, executor: ExecutorId) {
        let place = self.executors.get_mut(&executor).unwrap();
        place.is_ready = true;
        let backend = match place.backend {
            BackendChoice::Auto => BackendChoice::Cpu,
            chosen => chosen,
        };
        let limit = self.limit;
        self.tell(Input::Ready {
            executor,
            backend,
            limit,
        });
    }

    pub fn lose(&mut self, executor: ExecutorId, code: ErrorCode) {
        self.executors.remove(&executor);
        let error = error(code);
        self.tell(Input::Lost { executor, error });
    }

    /// Reports of a strategy that has been started.
    pub fn report(&mut self, strategy: Key, report: Report) {
        let (id, running) = self.of(strategy).expect("it does not run");
        let place = self.executors.get_mut(&id).unwrap();
        match report {
            Report::Finished { .. } | Report::Failed(_) => place.running = None,
            Report::Started => place.running.as_mut().unwrap().is_started = true,
            _ => {}
        }
        if let Report::Finished { has_model: true } = report {
            self.models.insert(strategy);
        }
        self.tell(Input::Report {
            executor: id,
            run: running.run,
            report,
        });
    }

    pub fn finish(&mut self, strategy: Key) {
        self.report(strategy, Report::Finished { has_model: true });
    }

    pub fn fail(&mut self, strategy: Key, code: ErrorCode) {
        self.report(strategy, Report::Failed(error(code)));
    }

    pub fn of(&self, strategy: Key) -> Option<(ExecutorId, Running)> {
        let mut executors = self.executors.iter();
        executors.find_map(|(id, executor)| {
            let running = executor.running.filter(|one| one.strategy == strategy)?;
            Some((*id, running))
        })
    }

    pub fn running(&self) -> Vec<Key> {
        let running = self.executors.values().filter_map(|e| e.running);
        running.map(|running| running.strategy).collect()
    }

    pub fn main(&self) -> ExecutorId {
        let mut executors = self.executors.iter();
        *executors.find(|(_, executor)| executor.is_main).unwrap().0
    }

    /// Every executor that was opened gets its device.
    pub fn all_ready(&mut self) {
        while let Some(id) = self.first(|executor| !executor.is_ready) {
            self.ready(id);
        }
    }

    fn first(&self, of: impl Fn(&Executor) -> bool) -> Option<ExecutorId> {
        let mut executors = self.executors.iter();
        Some(*executors.find(|(_, executor)| of(executor))?.0)
    }

    pub fn phases_of(&self, strategies: impl IntoIterator<Item = Key>) -> Vec<Phase> {
        let phase = |key: Key| self.phases.get(&key).copied().unwrap_or_default();
        strategies.into_iter().map(phase).collect()
    }
}
