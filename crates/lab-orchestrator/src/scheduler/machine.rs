use super::pool::Pool;
use super::{Action, ExecutorId, Input, Key, Phase, Planned, RunCommand, RunNumber};
use lab_protocol::BackendChoice;
use std::collections::BTreeMap;

/// The state of an experiment and of the executors that run it.
#[derive(Clone, Debug, Default)]
pub struct Scheduler {
    pub(super) strategies: BTreeMap<Key, Strategy>,
    /// Keys of the strategies that were last run, each after its base.
    pub(super) order: Vec<Key>,
    pub(super) pool: Pool,
    pub(super) phase: Phase,
    /// A pause was requested: nothing starts, and a run that has just started is paused.
    pub(super) is_paused: bool,
    pub(super) runs: RunNumber,
    pub(super) problems: Vec<Action>,
    /// Actions for executors.
    pub(super) work: Vec<Action>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Strategy {
    pub(super) phase: Phase,
    pub(super) base: Option<Key>,
    pub(super) has_model: bool,
    pub(super) run: Option<RunNumber>,
    /// Step of the last checkpoint.
    pub(super) checkpoint: Option<usize>,
    /// It continues its run instead of starting a new one.
    pub(super) continues: bool,
}

impl Scheduler {
    /// Takes one input and returns the actions to perform.
    pub fn handle(&mut self, input: Input) -> Vec<Action> {
        let before: BTreeMap<Key, Phase> = self.phases().collect();
        let phase = self.phase;
        self.take(input);
        self.skip();
        self.assign();
        self.close_idle();
        self.settle();

        let changed = |(strategy, phase): (Key, Phase)| {
            let known = before.get(&strategy).copied().unwrap_or_default();
            (known != phase).then_some(Action::Changed { strategy, phase })
        };
        let mut actions: Vec<Action> = self.phases().filter_map(changed).collect();
        if self.phase != phase {
            actions.push(Action::ExperimentChanged(self.phase));
        }
        actions.append(&mut self.problems);
        actions.append(&mut self.work);
        actions
    }

    /// The phase of the experiment.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    pub fn phase_of(&self, strategy: Key) -> Phase {
        self.strategies
            .get(&strategy)
            .map_or(Phase::Idle, |strategy| strategy.phase)
    }

    /// The main executor, which stays ready for questions to finished models.
    pub fn main_executor(&self) -> Option<ExecutorId> {
        self.pool.main
    }

    /// The executor and the number of a strategy's run, while it is active.
    pub fn active_run(&self, strategy: Key) -> Option<(ExecutorId, RunNumber)> {
        let executor = self.pool.of(strategy).filter(|e| e.is_ready)?;
        Some((executor.id, self.strategies.get(&strategy)?.run?))
    }

    /// The strategy whose run an executor executes.
    pub fn strategy_of(&self, executor: ExecutorId, run: RunNumber) -> Option<Key> {
        let mut executors = self.pool.executors.iter();
        let executor = executors.find(|other| other.id == executor && other.is_ready)?;
        let key = executor.strategy?;
        (self.strategies.get(&key)?.run == Some(run)).then_some(key)
    }

    pub(super) fn phases(&self) -> impl Iterator<Item = (Key, Phase)> {
        let strategies = self.strategies.iter();
        strategies.map(|(key, strategy)| (*key, strategy.phase))
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::UseBackend(backend) => self.use_backend(backend),
            Input::Run(planned) => self.run(planned),
            Input::Continue { strategy, backend } => self.go_on(strategy, backend),
            Input::Pause => {
                self.is_paused = true;
                self.send_to(&[Phase::Running], Some(Phase::Pausing), RunCommand::Pause);
            }
            Input::Resume => {
                self.is_paused = false;
                let paused = [Phase::Paused, Phase::Pausing];
                self.send_to(&paused, None, RunCommand::Resume);
            }
            Input::Step => self.send_to(&[Phase::Paused], None, RunCommand::Step),
            Input::Stop => {
                for key in self.order.clone() {
                    self.stop(key);
                }
            }
            Input::Cancel(key) => self.stop(key),
            Input::Loaded {
                strategy,
                run,
                has_model,
            } => self.loaded(strategy, run, has_model),
            Input::Unloaded(key) => {
                if !self.phase_of(key).is_to_come() {
                    self.strategies.insert(key, Strategy::default());
                }
            }
            Input::Forget => {
                if !self.phase.is_active() {
                    self.strategies.clear();
                    self.order.clear();
                    self.phase = Phase::Idle;
                }
            }
            Input::Ready {
                executor,
                backend,
                limit,
            } => self.ready(executor, backend, limit),
            Input::Lost { executor, error } => self.lost(executor, error),
            Input::Report {
                executor,
                run,
                report,
            } => self.report(executor, run, report),
        }
    }

    fn run(&mut self, planned: Vec<Planned>) {
        if self.phase.is_active() {
            return;
        }
        self.order = planned.iter().map(|planned| planned.key).collect();
        for Planned { key, base } in planned {
            let strategy = Strategy {
                phase: Phase::Waiting,
                base,
                ..Strategy::default()
            };
            self.strategies.insert(key, strategy);
        }
    }

    /// Continues a failed run, and runs the strategies that were skipped because of it.
    fn go_on(&mut self, key: Key, backend: BackendChoice) {
        if self.phase_of(key) != Phase::Failed || !self.order.contains(&key) {
            return;
        }
        if backend != self.pool.backend {
            self.use_backend(backend);
        }
        for (other, strategy) in &mut self.strategies {
            let skipped = strategy.phase == Phase::Skipped && self.order.contains(other);
            if *other == key || skipped {
                strategy.phase = Phase::Waiting;
                strategy.continues = *other == key;
            }
        }
    }

    fn loaded(&mut self, key: Key, run: Option<RunNumber>, has_model: bool) {
        if self.phase_of(key).is_to_come() {
            return;
        }
        let strategy = Strategy {
            phase: Phase::Finished,
            has_model,
            run,
            ..Strategy::default()
        };
        self.strategies.insert(key, strategy);
        // Later runs get other numbers.
        self.runs = self.runs.max(run.unwrap_or_default());
        if run.is_some() && !self.phase.is_active() {
            self.phase = Phase::Finished;
        }
    }

    fn stop(&mut self, key: Key) {
        let sent = self.active_run(key);
        let Some(strategy) = self.strategies.get_mut(&key) else {
            return;
        };
        match (strategy.phase, sent) {
            (Phase::Stopping, _) => {}
            (phase, Some((executor, run))) if phase.is_active() => {
                strategy.phase = Phase::Stopping;
                let command = RunCommand::Stop;
                self.work.push(Action::Send {
                    executor,
                    run,
                    command,
                });
            }
            // Nothing was sent yet that would have to be stopped.
            (phase, _) if phase.is_to_come() => {
                strategy.phase = Phase::Idle;
                self.pool.release(key);
            }
            _ => {}
        }
    }

    fn use_backend(&mut self, backend: BackendChoice) {
        if let Some(main) = self.pool.main
            && let Some(executor) = self.pool.remove(main)
        {
            self.work.push(Action::Close { executor: main });
            let strategy = executor
                .strategy
                .and_then(|key| self.strategies.get_mut(&key));
            if let Some(strategy) = strategy {
                strategy.phase = match strategy.phase {
                    Phase::Stopping => Phase::Idle,
                    _ => Phase::Waiting,
                };
                strategy.continues = true;
            }
        }
        self.pool.backend = backend;
        self.pool.limit = 1;
        self.open_main();
    }

    pub(super) fn open_main(&mut self) -> ExecutorId {
        let executor = self.pool.add();
        self.pool.main = Some(executor);
        self.work.push(Action::Open {
            executor,
            backend: self.pool.backend,
            main: true,
        });
        executor
    }

    /// Sends a command to the runs that are in one of these phases, and puts them into another.
    fn send_to(&mut self, phases: &[Phase], then: Option<Phase>, command: RunCommand) {
        for executor in self.pool.executors.iter().filter(|e| e.is_ready) {
            let strategy = executor
                .strategy
                .and_then(|key| self.strategies.get_mut(&key));
            let Some(strategy) = strategy.filter(|one| phases.contains(&one.phase)) else {
                continue;
            };
            strategy.phase = then.unwrap_or(strategy.phase);
            self.work.extend(strategy.run.map(|run| Action::Send {
                executor: executor.id,
                run,
                command,
            }));
        }
    }
}
