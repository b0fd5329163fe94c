//! `LabOrchestrator`: experiments whose strategies start from each other.

use crate::export::{ExportFormat, ExportedRun, export};
use crate::scheduler::{Action, Input, Phase, Planned, Report, Scheduler};
use crate::store::RunStore;
use async_trait::async_trait;
use futures_util::stream::{FuturesUnordered, StreamExt};
use lab_protocol::{
    Comparison, ExperimentConfig, ExperimentResult, LabError, ModelFile, Outcome, RunResult,
    StopReason, text,
};
use std::collections::{BTreeMap, VecDeque};

/// Makes one run, wherever it likes: on a thread, in the task that asks for it.
#[async_trait(?Send)]
pub trait Executor {
    /// Runs `strategy` of the experiment, from the files of the run that it starts from, and from a checkpoint of its
    /// own if it was interrupted.
    async fn execute(
        &self,
        experiment: &ExperimentConfig,
        strategy: &str,
        base: Vec<ModelFile>,
        checkpoint: Option<Vec<u8>>,
    ) -> Result<RunResult, LabError>;

    /// Checks a whole experiment before any of it is run: strategies, settings, data.
    fn check(&self, experiment: &ExperimentConfig) -> Result<(), LabError> {
        experiment.validate()
    }
}

/// Keeps experiments, runs them and compares their results.
pub struct LabOrchestrator<E> {
    executor: E,
    parallel: usize,
    experiments: BTreeMap<String, (ExperimentConfig, Option<ExperimentResult>)>,
}

impl<E: Executor + RunStore> LabOrchestrator<E> {
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
                text!(
                    "there is an experiment \"{name}\" already",
                    name = experiment.name
                ),
                "Give it another name.",
            ));
        }
        self.experiments
            .insert(experiment.name.clone(), (experiment, None));
        Ok(())
    }

    /// Runs every strategy of an experiment: each as soon as the one that it starts from is done, at most as many at
    /// a time as allowed. A failure stops only the strategies that depend on it. The order in which runs end changes
    /// no result.
    pub async fn run_experiment(&mut self, name: &str) -> Result<&ExperimentResult, LabError> {
        let Some((experiment, slot)) = self.experiments.get_mut(name) else {
            return Err(no_such_experiment(name));
        };
        let result = run(&self.executor, self.parallel, experiment).await?;
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

    /// The result of an experiment.
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
        text!("no experiment \"{name}\" was run", name),
        "Create it and run it first.",
    )
}

/// Performs the scheduler's decisions until nothing is left to do.
async fn run<E: Executor + RunStore>(
    executor: &E,
    parallel: usize,
    experiment: &ExperimentConfig,
) -> Result<ExperimentResult, LabError> {
    let strategies = &experiment.strategies;
    let place = |name: &str| strategies.iter().position(|other| other.name == name);
    let plan = experiment.order()?.into_iter().map(|key| Planned {
        key,
        base: strategies[key].from.as_deref().and_then(place),
    });
    let mut inputs = VecDeque::from([
        Input::UseBackend(experiment.backend),
        Input::Run(plan.collect()),
    ]);
    let mut scheduler = Scheduler::default();
    let mut outcomes: Vec<Option<Outcome>> = vec![None; strategies.len()];
    let mut running = FuturesUnordered::new();
    loop {
        while let Some(input) = inputs.pop_front() {
            for action in scheduler.handle(input) {
                match action {
                    Action::Open {
                        executor, backend, ..
                    } => inputs.push_back(Input::Ready {
                        executor,
                        backend,
                        limit: parallel,
                    }),
                    Action::Start {
                        executor: id,
                        strategy: key,
                        run,
                        base,
                        ..
                    } => {
                        let base = base.and_then(|base| outcomes[base].as_ref()?.result());
                        let base = base.map_or(Vec::new(), |result| result.files.clone());
                        let name = &strategies[key].name;
                        running.push(async move {
                            let outcome = one(executor, experiment, name, base).await;
                            (id, run, key, outcome)
                        });
                    }
                    // The outcomes contain the rest. Runs here hear only commands of their own host.
                    _ => {}
                }
            }
        }
        let Some((id, run, key, outcome)) = running.next().await else {
            break;
        };
        let report = match &outcome {
            Ok(result) => {
                // A user who stops a run stops the experiment.
                if result.stop_reason == StopReason::Stopped {
                    inputs.push_back(Input::Stop);
                }
                Report::Finished {
                    has_model: !result.files.is_empty(),
                }
            }
            Err(error) => Report::Failed(error.clone()),
        };
        inputs.push_back(Input::Report {
            executor: id,
            run,
            report,
        });
        let strategy = strategies[key].name.clone();
        outcomes[key] = Some(match outcome {
            Ok(result) => Outcome::Finished(result),
            Err(error) => Outcome::Failed { strategy, error },
        });
    }
    let outcomes = outcomes.into_iter().zip(strategies).enumerate();
    let outcomes = outcomes.map(|(key, (outcome, strategy))| {
        let because = || match (&strategy.from, scheduler.phase_of(key)) {
            (Some(from), Phase::Skipped) => format!("\"{from}\" has no model"),
            _ => "the experiment was stopped".to_owned(),
        };
        outcome.unwrap_or_else(|| Outcome::Skipped {
            strategy: strategy.name.clone(),
            because: because(),
        })
    });
    Ok(ExperimentResult {
        experiment: experiment.name.clone(),
        outcomes: outcomes.collect(),
    })
}

/// The result of one run: the stored result, the result of its continuation, or the result of a new run.
async fn one<E: Executor + RunStore>(
    executor: &E,
    experiment: &ExperimentConfig,
    strategy: &str,
    base: Vec<ModelFile>,
) -> Result<RunResult, LabError> {
    let stored = executor.find(experiment, strategy)?;
    match stored.result {
        Some(result) => Ok(result),
        None => {
            let checkpoint = stored.checkpoint;
            executor
                .execute(experiment, strategy, base, checkpoint)
                .await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoredRun;
    use lab_protocol::{ErrorCode, MetricRecord};
    use std::cell::{Cell, RefCell};
    use std::collections::VecDeque;

    /// Ends runs in a given order and remembers the requests.
    #[derive(Default)]
    struct Fake {
        log: RefCell<Vec<String>>,
        running: Cell<usize>,
        max_running: Cell<usize>,
        /// Strategies that have stored results.
        kept: Vec<&'static str>,
        fails: Vec<&'static str>,
        stops: Vec<&'static str>,
        /// Number of times that each run yields to others before it ends.
        turns: RefCell<VecDeque<usize>>,
    }

    #[async_trait(?Send)]
    impl Executor for Fake {
        async fn execute(
            &self,
            _experiment: &ExperimentConfig,
            strategy: &str,
            base: Vec<ModelFile>,
            _checkpoint: Option<Vec<u8>>,
        ) -> Result<RunResult, LabError> {
            self.running.set(self.running.get() + 1);
            let max = self.max_running.get().max(self.running.get());
            self.max_running.set(max);
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
            Ok(result(strategy, self.stops.contains(&strategy)))
        }
    }

    impl RunStore for Fake {
        fn find(
            &self,
            _experiment: &ExperimentConfig,
            strategy: &str,
        ) -> Result<StoredRun, LabError> {
            let result = self
                .kept
                .contains(&strategy)
                .then(|| result(strategy, false));
            Ok(StoredRun {
                result,
                checkpoint: None,
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

    fn result(strategy: &str, stopped: bool) -> RunResult {
        RunResult {
            declared: Vec::new(),
            strategy: strategy.to_owned(),
            stop_reason: match stopped {
                true => StopReason::Stopped,
                false => StopReason::Completed,
            },
            steps: 1,
            best_step: 1,
            seconds: 1.0,
            metrics: BTreeMap::new(),
            files: vec![ModelFile {
                path: strategy.to_owned(),
                bytes: Vec::new(),
            }],
        }
    }

    /// b and c start from a, d from b; e starts from nothing.
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
        assert_eq!(fake.max_running.get(), 1);
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
            assert_eq!(fake.max_running.get(), 2);
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

    #[test]
    fn a_result_that_is_kept_is_not_made_again() {
        let fake = Fake {
            kept: vec!["a", "b"],
            ..Fake::default()
        };
        let (result, fake) = outcomes(fake, 1);
        let mut log = fake.log.into_inner();
        log.sort();
        assert_eq!(log, ["c<a", "d<b", "e<"]);
        let finished = |outcome: &&Outcome| outcome.result().is_some();
        assert_eq!(result.outcomes.iter().filter(finished).count(), 5);
    }
}
