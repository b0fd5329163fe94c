//! The consequences of the state: strategies to skip, strategies to start, executors to close.

use super::machine::{Scheduler, Strategy};
use super::{Action, ExecutorId, Key, Phase};

impl Scheduler {
    /// Skips strategies that wait for a model that will never exist.
    pub(super) fn skip(&mut self) {
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

    /// Gives executors strategies that can start.
    pub(super) fn assign(&mut self) {
        let is_idle = !self.phases().any(|(_, phase)| phase.is_active());
        // Nothing is left that could be resumed.
        self.is_paused &= !is_idle;
        if self.is_paused {
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

    pub(super) fn start(&mut self, executor: ExecutorId, key: Key) {
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

    pub(super) fn close_idle(&mut self) {
        let idle = self.pool.take_idle().into_iter();
        self.work
            .extend(idle.map(|executor| Action::Close { executor }));
    }

    /// Finds the experiment's phase.
    pub(super) fn settle(&mut self) {
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
