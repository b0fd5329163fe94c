//! The reports of executors.

use super::machine::Scheduler;
use super::{Action, ExecutorId, Offer, Phase, Report, RunCommand, RunNumber};
use lab_protocol::{BackendChoice, ErrorCode, LabError};

impl Scheduler {
    pub(super) fn ready(&mut self, id: ExecutorId, backend: BackendChoice, limit: usize) {
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

    pub(super) fn report(&mut self, executor: ExecutorId, run: RunNumber, report: Report) {
        let is_paused = self.is_paused;
        let Some(key) = self.strategy_of(executor, run) else {
            return;
        };
        let Some(strategy) = self.strategies.get_mut(&key) else {
            return;
        };
        // While a run stops, its reports are ignored until it ends.
        let stops = strategy.phase == Phase::Stopping;
        match report {
            Report::Started | Report::Resumed if stops => {}
            Report::Started | Report::Resumed if is_paused => {
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

    /// An executor is lost. Its run may continue from its last checkpoint. If it was the main one, another takes its
    /// place, unless it never was ready: that would only fail again, and is left to the user.
    pub(super) fn lost(&mut self, id: ExecutorId, error: LabError) {
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
            self.problems.push(Action::MainLost);
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
}
