use super::pool::Pool;
use super::{Action, ExecutorId, Input, Key, Offer, Phase, Planned, Report, RunCommand, RunNumber};
use lab_protocol::{BackendChoice, ErrorCode, LabError};
use std::collections::BTreeMap;

/// The state of an experiment and of the executors that run it.
#[derive(Clone, Debug, Default)]
pub struct Scheduler {
    strategies: BTreeMap<Key, Strategy>,
    /// Keys of the strategies that were last run, each after its base.
    order: Vec<Key>,
    pool: Pool,
    phase: Phase,
    /// A pause holds: nothing starts, and what has just started is paused.
    is_held: bool,
    runs: RunNumber,
    problems: Vec<Action>,
    /// What executors have to do.
    work: Vec<Action>,
}

#[derive(Clone, Debug, Default)]
struct Strategy {
    phase: Phase,
    base: Option<Key>,
    has_model: bool,
    run: Option<RunNumber>,
    /// Step of the last checkpoint.
    checkpoint: Option<usize>,
    /// It goes on with its run instead of beginning another.
    continues: bool,
}

impl Scheduler {
    /// Takes one input and gives what has to be done.
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

    /// Where the experiment stands.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    pub fn phase_of(&self, strategy: Key) -> Phase {
        self.strategies
            .get(&strategy)
            .map_or(Phase::Idle, |strategy| strategy.phase)
    }

    /// The executor that stands by, for questions to models that are done.
    pub fn main_executor(&self) -> Option<ExecutorId> {
        self.pool.main
    }

    /// The executor and the number of a strategy's run, while it is active.
    pub fn active_run(&self, strategy: Key) -> Option<(ExecutorId, RunNumber)> {
        let executor = self.pool.of(strategy).filter(|e| e.is_ready)?;
        Some((executor.id, self.strategies.get(&strategy)?.run?))
    }

    fn phases(&self) -> impl Iterator<Item = (Key, Phase)> {
        let strategies = self.strategies.iter();
        strategies.map(|(key, strategy)| (*key, strategy.phase))
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::UseBackend(backend) => self.use_backend(backend),
            Input::Run(planned) => self.run(planned),
            Input::Continue { strategy, backend } => self.go_on(strategy, backend),
            Input::Pause => {
                self.is_held = true;
                self.send_to(&[Phase::Running], Some(Phase::Pausing), RunCommand::Pause);
            }
            Input::Resume => {
                self.is_held = false;
                let held = [Phase::Paused, Phase::Pausing];
                self.send_to(&held, None, RunCommand::Resume);
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

    fn open_main(&mut self) -> ExecutorId {
        let executor = self.pool.add();
        self.pool.main = Some(executor);
        self.work.push(Action::Open {
            executor,
            backend: self.pool.backend,
            main: true,
        });
        executor
    }

    fn ready(&mut self, id: ExecutorId, backend: BackendChoice, limit: usize) {
        let Some(executor) = self.pool.get(id) else {
            return;
        };
        executor.is_ready = true;
        let strategy = executor.strategy;
        if self.pool.main == Some(id) {
            self.pool.device = Some(backend);
            self.pool.limit = limit.max(1);
        }
        if let Some(key) = strategy {
            self.start(id, key);
        }
    }

    fn report(&mut self, executor: ExecutorId, run: RunNumber, report: Report) {
        let known = self.pool.get(executor).filter(|e| e.is_ready);
        let Some(key) = known.and_then(|executor| executor.strategy) else {
            return;
        };
        let is_held = self.is_held;
        let Some(strategy) = self.strategies.get_mut(&key) else {
            return;
        };
        if strategy.run != Some(run) {
            return;
        }
        // Whoever stops a run hears nothing else of it but its end.
        let stops = strategy.phase == Phase::Stopping;
        match report {
            Report::Started | Report::Resumed if stops => {}
            Report::Started | Report::Resumed if is_held => {
                strategy.phase = Phase::Pausing;
                let command = RunCommand::Pause;
                self.work.push(Action::Send {
                    executor,
                    run,
                    command,
                });
            }
            Report::Started | Report::Resumed => strategy.phase = Phase::Running,
            Report::Paused if stops => {}
            Report::Paused => strategy.phase = Phase::Paused,
            Report::Checkpoint { step } => strategy.checkpoint = Some(step),
            Report::Finished { has_model } => {
                strategy.phase = Phase::Finished;
                strategy.has_model = has_model;
                strategy.checkpoint = None;
                self.pool.release(key);
            }
            // The device under the executor is of no use any more.
            Report::Failed(error)
                if matches!(error.code, ErrorCode::DeviceLost | ErrorCode::OutOfMemory) =>
            {
                self.work.push(Action::Close { executor });
                self.lost(executor, error);
            }
            Report::Failed(error) => {
                strategy.phase = Phase::Failed;
                self.pool.release(key);
                self.problems.push(Action::Problem {
                    strategy: Some(key),
                    error,
                    offers: Vec::new(),
                });
            }
        }
    }

    /// An executor is lost. Its run may go on from its last checkpoint. If it was the main one, another takes its
    /// place, unless it never was ready: that would only fail again, and is left to the user.
    fn lost(&mut self, id: ExecutorId, error: LabError) {
        let was_main = self.pool.main == Some(id);
        let device = self.pool.device;
        let Some(executor) = self.pool.remove(id) else {
            return;
        };
        let mut step = None;
        if let Some(strategy) = executor
            .strategy
            .and_then(|key| self.strategies.get_mut(&key))
        {
            strategy.phase = Phase::Failed;
            step = strategy.checkpoint;
        }
        let continued = |backend| {
            let (strategy, step) = executor.strategy.zip(step)?;
            Some(Offer::Continue {
                strategy,
                step,
                backend,
            })
        };
        let chosen = self.pool.backend;
        let mut offers = Vec::new();
        if !was_main {
            offers.extend(continued(chosen));
        } else {
            if device.is_some() {
                offers.extend(continued(chosen));
                self.open_main();
            } else {
                offers.push(continued(chosen).unwrap_or(Offer::Restart { backend: chosen }));
                for strategy in self.strategies.values_mut() {
                    if strategy.phase == Phase::Waiting {
                        strategy.phase = Phase::Idle;
                    }
                }
            }
            let backend = BackendChoice::Cpu;
            if device.unwrap_or(chosen) != backend {
                offers.push(continued(backend).unwrap_or(Offer::Restart { backend }));
            }
        }
        self.problems.push(Action::Problem {
            strategy: executor.strategy,
            error,
            offers,
        });
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

    /// Skips what waits for a model that will not come.
    fn skip(&mut self) {
        loop {
            let hopeless = |strategy: &Strategy| {
                let base = strategy.base.map(|base| self.strategies.get(&base));
                strategy.phase == Phase::Waiting
                    && base.is_some_and(|base| {
                        base.is_none_or(|base| !base.has_model && !base.phase.is_to_come())
                    })
            };
            let strategies = self.strategies.iter();
            let found: Vec<Key> = strategies
                .filter(|(_, strategy)| hopeless(strategy))
                .map(|(key, _)| *key)
                .collect();
            if found.is_empty() {
                return;
            }
            self.set_phases(&found, Phase::Skipped);
        }
    }

    fn set_phases(&mut self, keys: &[Key], phase: Phase) {
        for key in keys {
            if let Some(strategy) = self.strategies.get_mut(key) {
                strategy.phase = phase;
            }
        }
    }

    /// Gives executors what can be started.
    fn assign(&mut self) {
        let is_idle = !self.phases().any(|(_, phase)| phase.is_active());
        // Nothing is left that could be resumed.
        self.is_held &= !is_idle;
        if self.is_held {
            return;
        }
        for key in self.order.clone() {
            if !self.can_start(key) || !self.pool.has_room() {
                continue;
            }
            let executor = self.free_executor();
            let Some(strategy) = self.strategies.get_mut(&key) else {
                continue;
            };
            strategy.phase = Phase::Starting;
            if !strategy.continues || strategy.run.is_none() {
                self.runs += 1;
                strategy.run = Some(self.runs);
                strategy.checkpoint = None;
            }
            let Some(executor) = self.pool.get(executor) else {
                continue;
            };
            executor.strategy = Some(key);
            if executor.is_ready {
                let id = executor.id;
                self.start(id, key);
            }
        }
        // Strategies that start from each other in a circle would wait for ever.
        if !self.phases().any(|(_, phase)| phase.is_active()) {
            let waiting = self.phases().filter(|(_, phase)| *phase == Phase::Waiting);
            let waiting: Vec<Key> = waiting.map(|(key, _)| key).collect();
            self.set_phases(&waiting, Phase::Skipped);
        }
    }

    fn can_start(&self, key: Key) -> bool {
        let is_there = |base: &Key| {
            let base = self.strategies.get(base);
            base.is_some_and(|base| base.phase == Phase::Finished && base.has_model)
        };
        self.strategies.get(&key).is_some_and(|strategy| {
            strategy.phase == Phase::Waiting && strategy.base.as_ref().is_none_or(is_there)
        })
    }

    /// An executor without a strategy, a new one if need be.
    fn free_executor(&mut self) -> ExecutorId {
        if self.pool.main.is_none() {
            return self.open_main();
        }
        if let Some(free) = self.pool.free() {
            return free;
        }
        let executor = self.pool.add();
        self.work.push(Action::Open {
            executor,
            backend: self.pool.device.unwrap_or(self.pool.backend),
            main: false,
        });
        executor
    }

    fn start(&mut self, executor: ExecutorId, key: Key) {
        let Some(strategy) = self.strategies.get(&key) else {
            return;
        };
        self.work.extend(strategy.run.map(|run| Action::Start {
            executor,
            strategy: key,
            run,
            base: strategy.base,
            checkpoint: strategy.checkpoint,
        }));
    }

    fn close_idle(&mut self) {
        let idle = self.pool.take_idle().into_iter();
        self.work
            .extend(idle.map(|executor| Action::Close { executor }));
    }

    /// Finds the experiment's phase.
    fn settle(&mut self) {
        let has = |phase: Phase| self.phases().any(|(_, other)| other == phase);
        if let Some(phase) = Phase::ACTIVE.into_iter().find(|phase| has(*phase)) {
            self.phase = phase;
        } else if self.phase.is_active() {
            let ran = |phase: Phase| self.order.iter().any(|key| self.phase_of(*key) == phase);
            let ended = [Phase::Failed, Phase::Finished].into_iter();
            self.phase = ended.clone().find(|phase| ran(*phase)).unwrap_or_default();
        }
    }
}
