//! `LabOrchestrator`: experiments whose strategies start from each other.

use crate::export::{ExportFormat, ExportedRun, export};
use async_trait::async_trait;
use lab_protocol::{
    Comparison, ExperimentConfig, ExperimentResult, LabError, MetricRecord, ModelFile, Outcome,
    RunResult, StopReason,
};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// Makes one run, wherever it likes: on a thread, in a worker, right here.
#[async_trait(?Send)]
pub trait Executor {
    /// Runs `strategy` of the experiment, from the files of the run it starts from. An executor that
    /// keeps results gives back one that is there, and continues a run that was cut short.
    async fn execute(
        &self,
        experiment: &ExperimentConfig,
        strategy: &str,
        base: Vec<ModelFile>,
    ) -> Result<RunResult, LabError>;

    /// Checks a whole experiment before any of it is run: strategies, settings, data.
    fn check(&self, experiment: &ExperimentConfig) -> Result<(), LabError> {
        experiment.validate()
    }

    /// Everything that a run of `strategy` recorded, step by step.
    fn metrics(
        &self,
        experiment: &ExperimentConfig,
        strategy: &str,
    ) -> Result<Vec<MetricRecord>, LabError>;
}

/// Keeps experiments, runs them and compares what came out.
pub struct LabOrchestrator<E> {
    executor: E,
    parallel: usize,
    experiments: BTreeMap<String, (ExperimentConfig, Option<ExperimentResult>)>,
}

impl<E: Executor> LabOrchestrator<E> {
    /// Runs at most `parallel` strategies at a time.
    pub fn new(executor: E, parallel: usize) -> Self {
        Self {
            executor,
            parallel: parallel.max(1),
            experiments: BTreeMap::new(),
        }
    }

    /// Takes an experiment under its name, which must be new. All that can be known to be wrong with it is
    /// found here, before anything runs.
    pub fn create_experiment(&mut self, experiment: ExperimentConfig) -> Result<(), LabError> {
        self.executor.check(&experiment)?;
        if self.experiments.contains_key(&experiment.name) {
            return Err(LabError::config(
                "name",
                format!("there is an experiment \"{}\" already", experiment.name),
                "Give it another name.",
            ));
        }
        self.experiments
            .insert(experiment.name.clone(), (experiment, None));
        Ok(())
    }

    /// Runs every strategy of an experiment: each as soon as the one it starts from is done, as many at
    /// a time as allowed. A failure stops what depends on it and nothing else. The order in which runs
    /// end changes no result.
    pub async fn run_experiment(&mut self, name: &str) -> Result<&ExperimentResult, LabError> {
        let Some((experiment, slot)) = self.experiments.get_mut(name) else {
            return Err(no_such_experiment(name));
        };
        let result = run(&self.executor, self.parallel, experiment).await;
        Ok(slot.insert(result))
    }

    /// The strategies of an experiment that was run, beside each other.
    pub fn compare_strategies(&self, name: &str) -> Result<Comparison, LabError> {
        let result = self.get_experiment_results(name)?;
        Ok(Comparison::of(
            result.outcomes.iter().filter_map(Outcome::result),
        ))
    }

    /// The results of an experiment that was run, in another program's format.
    pub fn export_results(
        &self,
        name: &str,
        format: ExportFormat,
    ) -> Result<Vec<ModelFile>, LabError> {
        let results = self.get_experiment_results(name)?;
        let Some((experiment, _)) = self.experiments.get(name) else {
            return Err(no_such_experiment(name));
        };
        let run = |result: &RunResult| {
            Ok(ExportedRun {
                name: result.strategy.clone(),
                result: Some(result.clone()),
                records: self.executor.metrics(experiment, &result.strategy)?,
            })
        };
        let results = results.outcomes.iter().filter_map(Outcome::result);
        let runs = results.map(run).collect::<Result<Vec<_>, LabError>>()?;
        export(name, &runs, format)
    }

    /// What came out of an experiment.
    pub fn get_experiment_results(&self, name: &str) -> Result<&ExperimentResult, LabError> {
        self.experiments
            .get(name)
            .and_then(|(_, result)| result.as_ref())
            .ok_or_else(|| no_such_experiment(name))
    }

    pub fn get_all_experiments(&self) -> impl Iterator<Item = &ExperimentConfig> {
        self.experiments.values().map(|(experiment, _)| experiment)
    }
}

fn no_such_experiment(name: &str) -> LabError {
    LabError::config(
        "experiment",
        format!("no experiment \"{name}\" was run"),
        "Create it and run it first.",
    )
}

async fn run<E: Executor>(
    executor: &E,
    parallel: usize,
    experiment: &ExperimentConfig,
) -> ExperimentResult {
    let strategies = &experiment.strategies;
    let mut outcomes: Vec<Option<Outcome>> = strategies.iter().map(|_| None).collect();
    let mut started = vec![false; strategies.len()];
    let mut stopped = false;
    let mut running = Vec::new();
    loop {
        for (index, strategy) in strategies.iter().enumerate() {
            if started[index] || running.len() >= parallel {
                continue;
            }
            let source = strategy.from.as_deref().map(|from| {
                let place = strategies.iter().position(|other| other.name == from);
                place.and_then(|place| outcomes[place].as_ref())
            });
            let base = match source {
                // What it starts from is not done yet.
                Some(None) => continue,
                _ if stopped => Err("the experiment was stopped".to_owned()),
                None => Ok(Vec::new()),
                Some(Some(Outcome::Finished(result))) => Ok(result.files.clone()),
                Some(Some(other)) => Err(format!("\"{}\" has no model", other.strategy())),
            };
            started[index] = true;
            match base {
                Ok(base) => running.push(Box::pin(async move {
                    let outcome = executor.execute(experiment, &strategy.name, base).await;
                    (index, outcome)
                })),
                Err(because) => {
                    outcomes[index] = Some(Outcome::Skipped {
                        strategy: strategy.name.clone(),
                        because,
                    });
                }
            }
        }
        let Some((index, outcome)) = first_done(&mut running).await else {
            // Skipping one may have let the next one start, or be skipped too.
            if started.iter().all(|started| *started) {
                break;
            }
            continue;
        };
        let strategy = strategies[index].name.clone();
        outcomes[index] = Some(match outcome {
            Ok(result) => {
                stopped |= result.stop_reason == StopReason::Stopped;
                Outcome::Finished(result)
            }
            Err(error) => Outcome::Failed { strategy, error },
        });
    }
    ExperimentResult {
        experiment: experiment.name.clone(),
        outcomes: outcomes.into_iter().flatten().collect(),
    }
}

/// The output of the first of some futures to end, which is taken out; none if there are none.
async fn first_done<F: Future>(running: &mut Vec<Pin<Box<F>>>) -> Option<F::Output> {
    if running.is_empty() {
        return None;
    }
    poll_fn(|context| {
        for place in 0..running.len() {
            if let Poll::Ready(output) = running[place].as_mut().poll(context) {
                drop(running.swap_remove(place));
                return Poll::Ready(Some(output));
            }
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use lab_protocol::ErrorCode;
    use std::cell::{Cell, RefCell};
    use std::collections::VecDeque;

    /// Ends runs in an order of its own and remembers what it was asked.
    #[derive(Default)]
    struct Fake {
        log: RefCell<Vec<String>>,
        running: Cell<usize>,
        most: Cell<usize>,
        fails: Vec<&'static str>,
        stops: Vec<&'static str>,
        /// How often each run gives way to others before it ends.
        turns: RefCell<VecDeque<usize>>,
    }

    #[async_trait(?Send)]
    impl Executor for Fake {
        async fn execute(
            &self,
            _experiment: &ExperimentConfig,
            strategy: &str,
            base: Vec<ModelFile>,
        ) -> Result<RunResult, LabError> {
            self.running.set(self.running.get() + 1);
            self.most.set(self.most.get().max(self.running.get()));
            let turns = self.turns.borrow_mut().pop_front().unwrap_or(0);
            for _ in 0..turns {
                let mut waited = false;
                std::future::poll_fn(|context| {
                    if std::mem::replace(&mut waited, true) {
                        return std::task::Poll::Ready(());
                    }
                    context.waker().wake_by_ref();
                    std::task::Poll::Pending
                })
                .await;
            }
            self.running.set(self.running.get() - 1);
            let from: Vec<_> = base.iter().map(|file| file.path.as_str()).collect();
            self.log
                .borrow_mut()
                .push(format!("{strategy}<{}", from.join("")));
            if self.fails.contains(&strategy) {
                return Err(LabError::new(ErrorCode::NonFinite, "m", "h"));
            }
            let stopped = self.stops.contains(&strategy);
            Ok(RunResult {
                declared: Vec::new(),
                strategy: strategy.to_owned(),
                stop_reason: if stopped {
                    StopReason::Stopped
                } else {
                    StopReason::Completed
                },
                steps: 1,
                best_step: 1,
                seconds: 1.0,
                metrics: BTreeMap::new(),
                files: vec![ModelFile {
                    path: strategy.to_owned(),
                    bytes: Vec::new(),
                }],
            })
        }

        fn metrics(
            &self,
            _experiment: &ExperimentConfig,
            _strategy: &str,
        ) -> Result<Vec<MetricRecord>, LabError> {
            Ok(Vec::new())
        }
    }

    /// b and c start from a, d from b; e stands alone.
    fn graph() -> ExperimentConfig {
        lab_protocol::from_value(serde_json::json!({
            "name": "graph", "data": {"source": "user"}, "strategies": [
                {"name": "d", "strategy": "s", "from": "b"}, {"name": "a", "strategy": "s"},
                {"name": "b", "strategy": "s", "from": "a"}, {"name": "c", "strategy": "s", "from": "a"},
                {"name": "e", "strategy": "s"}
            ]
        }))
        .unwrap()
    }

    fn outcomes(fake: Fake, parallel: usize) -> (ExperimentResult, Fake) {
        let mut orchestrator = LabOrchestrator::new(fake, parallel);
        orchestrator.create_experiment(graph()).unwrap();
        let again = orchestrator.create_experiment(graph()).unwrap_err();
        assert_eq!(again.field.as_deref(), Some("name"));
        assert!(orchestrator.compare_strategies("graph").is_err());
        let result = pollster::block_on(orchestrator.run_experiment("graph")).unwrap();
        (result.clone(), orchestrator.executor)
    }

    #[test]
    fn each_strategy_gets_the_files_of_the_one_it_starts_from() {
        let (one_by_one, fake) = outcomes(Fake::default(), 1);
        assert_eq!(fake.most.get(), 1);
        let mut log = fake.log.into_inner();
        log.sort();
        assert_eq!(log, ["a<", "b<a", "c<a", "d<b", "e<"]);
        for turns in [vec![0, 9, 1, 5], vec![7, 0, 3], vec![2, 2, 2, 2, 2]] {
            let fake = Fake {
                turns: RefCell::new(turns.into()),
                ..Fake::default()
            };
            let (parallel, fake) = outcomes(fake, 2);
            assert_eq!(parallel, one_by_one);
            assert_eq!(fake.most.get(), 2);
        }
    }

    #[test]
    fn a_failure_stops_what_depends_on_it_and_nothing_else() {
        let fake = Fake {
            fails: vec!["b"],
            ..Fake::default()
        };
        let (result, _) = outcomes(fake, 2);
        let states: Vec<&str> = result
            .outcomes
            .iter()
            .map(|outcome| match outcome {
                Outcome::Finished(_) => "finished",
                Outcome::Failed { .. } => "failed",
                Outcome::Skipped { .. } => "skipped",
            })
            .collect();
        assert_eq!(
            states,
            ["skipped", "finished", "failed", "finished", "finished"]
        );
    }

    #[test]
    fn who_stops_a_run_stops_the_experiment() {
        let fake = Fake {
            stops: vec!["a"],
            ..Fake::default()
        };
        let (result, fake) = outcomes(fake, 1);
        assert_eq!(fake.log.into_inner(), ["a<"]);
        let skipped = |outcome: &&Outcome| matches!(outcome, Outcome::Skipped { .. });
        assert_eq!(result.outcomes.iter().filter(skipped).count(), 4);
    }
}
