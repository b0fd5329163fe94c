//! A strategy and metrics from outside the crates: run, compared and exported like the lab's own.

mod bigrams;
mod counts;

use async_trait::async_trait;
use bigrams::Bigrams;
use lab_orchestrator::LabOrchestrator;
use lab_orchestrator::export::{ExportFormat, from_csv, from_jsonl};
use lab_protocol::{
    BackendChoice, Command, Direction, ErrorCode, Event, ExperimentConfig, GenerateRequest,
    LabError, MetricInfo, MetricRecord, ModelFile, Outcome, RunInfo, RunResult, Standing,
    StopReason, StrategyConfig, from_value,
};
use lab_strategies::{
    Answers, Finished, Learned, Learner, Metric, Platform, Prompt, Registry, RunContext, RunFiles,
    Sample, Snapshot, Step, StopSignal, Strategy, TrainingData, device, prepare, read_config,
};
use lab_tests::{LocalExecutor, TestHost};
use serde_json::json;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The number of different characters of the text, divided by the run's perplexity.
struct Sharpness;

#[async_trait(?Send)]
impl Metric for Sharpness {
    fn name(&self) -> &str {
        "sharpness_score"
    }

    fn info(&self) -> MetricInfo {
        MetricInfo {
            direction: Direction::More,
            help: "letters of the text for each that it hesitates between".into(),
            ..MetricInfo::named(self.name())
        }
    }

    async fn measure(&self, run: &Finished) -> Result<Option<f64>, LabError> {
        let loss = run.result.metrics.get("validation_loss");
        Ok(loss.map(|loss| letters(&run.data.text) / loss.exp()))
    }
}

/// Number of different characters in a text.
fn letters(text: &str) -> f64 {
    text.chars()
        .collect::<std::collections::BTreeSet<_>>()
        .len() as f64
}

/// A metric with a mistake.
struct Broken;

#[async_trait(?Send)]
impl Metric for Broken {
    fn name(&self) -> &str {
        "broken"
    }

    async fn measure(&self, _run: &Finished) -> Result<Option<f64>, LabError> {
        Ok(Some(f64::NAN))
    }
}

fn registry() -> Registry {
    let mut registry = Registry::default();
    let create = |config: &StrategyConfig| -> Result<Box<dyn Strategy>, LabError> {
        let config = read_config(config)?;
        Ok(Box::new(Bigrams(config)))
    };
    registry.add_strategy("bigrams", create).unwrap();
    registry.add_metric(Rc::new(Sharpness)).unwrap();
    registry
}

fn experiment(bigrams: serde_json::Value) -> ExperimentConfig {
    from_value(json!({
        "name": "counting", "seed": 7, "data": {"source": "built_in", "name": "first-names"},
        "strategies": [
            {"name": "count", "strategy": "bigrams", "config": bigrams},
            {"name": "learn", "strategy": "pretraining", "config": {
                "model": {"layers": 1, "heads": 2, "width": 8, "context": 8},
                "training": {"steps": 3, "batch_size": 2, "evaluation_interval": 0,
                    "final_evaluation_windows": 8, "sample_tokens": 0, "checkpoint_interval": 0}}}
        ]
    }))
    .unwrap()
}

fn platform(host: Rc<TestHost>) -> Platform {
    let device = pollster::block_on(device::open(BackendChoice::Cpu)).unwrap();
    Platform::offline(device, host)
}

fn orchestrator(registry: Registry, host: Rc<TestHost>) -> LabOrchestrator<LocalExecutor> {
    let text = lab_village::text("first-names").unwrap().to_owned();
    LabOrchestrator::new(LocalExecutor::new(registry, text, platform(host)), 2)
}

#[test]
fn a_strategy_and_a_metric_from_outside_are_run_compared_and_exported() {
    let mut registry = registry();
    registry.add_metric(Rc::new(Broken)).unwrap();
    let host = Rc::new(TestHost::default());
    let mut orchestrator = orchestrator(registry, host.clone());
    orchestrator
        .create_experiment(experiment(json!({"parts": 5})))
        .unwrap();
    let result = pollster::block_on(orchestrator.run_experiment("counting")).unwrap();
    let results: Vec<RunResult> = result
        .outcomes
        .iter()
        .filter_map(Outcome::result)
        .cloned()
        .collect();
    assert_eq!(results.len(), 2);
    let score = |run: usize| results[run].metrics["sharpness_score"];
    let loss = |run: usize| results[run].metrics["validation_loss"];
    let letters = letters(lab_village::text("first-names").unwrap());
    assert!((score(0) - letters / loss(0).exp()).abs() < 1e-9);
    assert!((score(1) - letters / loss(1).exp()).abs() < 1e-9);
    assert!(
        score(0) > score(1),
        "three steps of training beat counting?"
    );
    assert!(!results[0].metrics.contains_key("broken"));

    let comparison = orchestrator.compare_strategies("counting").unwrap();
    assert!(comparison.metric_names().contains(&"sharpness_score"));
    assert_eq!(
        comparison.standings("sharpness_score"),
        [Standing::Best, Standing::Behind]
    );
    // Declared by the run itself.
    assert_eq!(comparison.info("pairs_seen").direction, Direction::More);

    let export = |format| orchestrator.export_results("counting", format).unwrap();
    let text = |format| String::from_utf8(export(format)[0].bytes.clone()).unwrap();
    let jsonl = from_jsonl(&text(ExportFormat::Jsonl)).unwrap();
    assert_eq!(by_run(jsonl.clone()), by_run(host.metrics()));
    let counted = jsonl.iter().filter(|record| record.strategy == "count");
    let losses = counted.filter_map(|record| record.values.get("validation_loss"));
    assert_eq!(losses.count(), 5);
    let last = |record: &&MetricRecord| record.values.contains_key("sharpness_score");
    assert_eq!(jsonl.iter().filter(last).count(), 2);
    assert_eq!(
        by_run(from_csv(&text(ExportFormat::Csv)).unwrap()),
        by_run(jsonl),
    );
    let report = text(ExportFormat::Report);
    assert!(report.contains("| sharpness_score | **"), "{report}");
    let events = export(ExportFormat::Tensorboard);
    assert!(events[0].path.starts_with("count/"));
    let name = b"sharpness_score";
    assert!(events[0].bytes.windows(name.len()).any(|part| part == name));
}

/// Two runs at a time mix their records in an order of no meaning.
fn by_run(records: Vec<MetricRecord>) -> BTreeMap<String, Vec<MetricRecord>> {
    let mut runs: BTreeMap<String, Vec<MetricRecord>> = BTreeMap::new();
    for record in records {
        runs.entry(record.run.clone()).or_default().push(record);
    }
    runs
}

#[test]
fn what_is_wrong_with_it_is_told_before_anything_runs() {
    let host = Rc::new(TestHost::default());
    let mut orchestrator = orchestrator(registry(), host.clone());
    let mut refused = |config| {
        let error = orchestrator.create_experiment(experiment(config));
        let error = error.unwrap_err();
        (error.code, error.field.unwrap_or_default())
    };
    assert_eq!(
        refused(json!({"smoothing": -1.0})),
        (
            ErrorCode::InvalidConfig,
            "strategies[0].config.smoothing".into()
        )
    );
    assert_eq!(
        refused(json!({"smooth": 1.0})),
        (ErrorCode::UnknownKey, "strategies[0].config.smooth".into())
    );
    assert!(host.events.borrow().is_empty());

    let error = orchestrator_without().create_experiment(experiment(json!({})));
    let error = error.unwrap_err();
    assert_eq!(error.field.as_deref(), Some("strategies[0].strategy"));
    assert!(error.hint.contains("pretraining"), "{error}");

    let mut registry = registry();
    let again = registry.add_strategy("rag", |_| Err(LabError::internal("never")));
    assert_eq!(again.unwrap_err().field.as_deref(), Some("strategy"));
    let again = registry.add_metric(Rc::new(Sharpness));
    assert_eq!(again.unwrap_err().field.as_deref(), Some("metric"));
}

fn orchestrator_without() -> LabOrchestrator<LocalExecutor> {
    orchestrator(Registry::default(), Rc::new(TestHost::default()))
}

/// One run of the strategy from outside.
fn count(host: &Rc<TestHost>, checkpoint: Option<Vec<u8>>) -> RunResult {
    let text = lab_village::text("first-names").unwrap().to_owned();
    let experiment = experiment(json!({"parts": 6}));
    let prepared = prepare(&registry(), &experiment, "count", text, Vec::new()).unwrap();
    let run = prepared.execute("run".into(), platform(host.clone()), checkpoint);
    pollster::block_on(run).unwrap()
}

#[test]
fn it_pauses_steps_writes_and_resumes_like_the_built_in_ones() {
    let whole: Rc<TestHost> = Rc::default();
    let expected = count(&whole, None);
    let id = || "run".to_owned();
    let request = GenerateRequest {
        prompt: "J".into(),
        max_tokens: 3,
        ..Default::default()
    };
    let first: Rc<TestHost> = Rc::default();
    first.commands.borrow_mut().extend([
        (2, Command::Pause { run: id() }),
        (2, Command::Step { run: id() }),
        (3, Command::Generate { run: id(), request }),
        (3, Command::Checkpoint { run: id() }),
        (3, Command::Resume { run: id() }),
        (4, Command::Stop { run: id() }),
    ]);
    let stopped = count(&first, None);
    assert_eq!(
        (stopped.steps, stopped.stop_reason),
        (4, StopReason::Stopped)
    );
    let events = first.events.borrow();
    let paused = events.iter().filter_map(|event| match event {
        Event::Paused { step, .. } => Some(*step),
        _ => None,
    });
    assert_eq!(paused.collect::<Vec<_>>(), [2, 3]);
    let kept = events.iter().filter_map(|event| match event {
        Event::Checkpoint { step, state, .. } => Some((*step, state.clone())),
        _ => None,
    });
    let kept: Vec<(usize, Vec<u8>)> = kept.collect();
    assert_eq!(
        kept.iter().map(|(step, _)| *step).collect::<Vec<_>>(),
        [3, 4]
    );
    let written = events.iter().find_map(|event| match event {
        Event::Sample { step: 3, text, .. } => Some(text.clone()),
        _ => None,
    });
    assert_eq!(written.map(|text| text.chars().count()), Some(3));

    let losses = |host: &TestHost| lab_tests::series(&host.metrics(), "validation_loss");
    for (step, state) in kept {
        let second: Rc<TestHost> = Rc::default();
        let resumed = count(&second, Some(state));
        assert_eq!(
            (&resumed.metrics, &resumed.files),
            (&expected.metrics, &expected.files)
        );
        assert_eq!(losses(&second), losses(&whole)[step..]);
    }
}

/// Answers "I do not know" to everything: a baseline that learns nothing and leaves no model.
struct Modest;

#[async_trait(?Send)]
impl Strategy for Modest {
    fn kind(&self) -> &str {
        "modest"
    }

    fn validate(&self, _data: &TrainingData) -> Result<(), LabError> {
        Ok(())
    }

    async fn begin(&self, _run: &RunContext) -> Result<Box<dyn Learner>, LabError> {
        Ok(Box::new(Self))
    }

    async fn open(&self, files: &RunFiles<'_>) -> Result<Option<Box<dyn Answers>>, LabError> {
        let answer = String::from_utf8_lossy(files.bytes("words/answer.txt")?).into_owned();
        Ok(Some(Box::new(Always(answer))))
    }
}

#[async_trait(?Send)]
impl Learner for Modest {
    fn info(&self) -> RunInfo {
        RunInfo::default()
    }

    async fn step(&mut self, _step: usize, _run: &RunContext) -> Result<Step, LabError> {
        Err(LabError::internal("there is no step to be made"))
    }

    async fn save(&self) -> Result<Snapshot, LabError> {
        Ok(Snapshot::default())
    }

    async fn restore(&mut self, _: Snapshot, _run: &RunContext) -> Result<(), LabError> {
        Ok(())
    }

    async fn generate(
        &self,
        request: &GenerateRequest,
        _run: &RunContext,
    ) -> Result<Option<Sample>, LabError> {
        Ok(Some(Sample::new(
            &request.prompt,
            lab_village::I_DO_NOT_KNOW,
        )))
    }

    async fn finish(&mut self, _: StopReason, _run: &RunContext) -> Result<Learned, LabError> {
        Ok(Learned {
            files: vec![ModelFile {
                path: "words/answer.txt".to_owned(),
                bytes: lab_village::I_DO_NOT_KNOW.into(),
            }],
            ..Learned::default()
        })
    }
}

struct Always(String);

#[async_trait(?Send)]
impl Answers for Always {
    async fn answer(
        &self,
        prompts: &[Prompt],
        _stop: &StopSignal,
    ) -> Result<Option<Vec<String>>, LabError> {
        Ok(Some(vec![self.0.clone(); prompts.len()]))
    }
}

/// Words of an answer, on the average.
struct Words;

#[async_trait(?Send)]
impl Metric for Words {
    fn name(&self) -> &str {
        "held_out/words"
    }

    async fn measure(&self, run: &Finished) -> Result<Option<f64>, LabError> {
        let answers = run.answers.iter();
        let words: usize = answers.map(|a| a.answer.split(' ').count()).sum();
        let count = run.answers.len();
        Ok((count > 0).then(|| words as f64 / count as f64))
    }
}

#[test]
fn one_that_leaves_no_model_is_judged_on_the_held_out_questions_all_the_same() {
    let mut registry = Registry::default();
    registry
        .add_strategy("modest", |_| Ok(Box::new(Modest)))
        .unwrap();
    registry.add_metric(Rc::new(Words)).unwrap();
    let experiment: ExperimentConfig = from_value(json!({
        "name": "modesty", "data": {"source": "village", "name": "hamlet",
            "village": {"documents": 100, "reading_pairs": 10, "unknown_share": 0.5}},
        "strategies": [{"name": "modest", "strategy": "modest"}]
    }))
    .unwrap();
    let mut orchestrator = orchestrator(registry, Rc::new(TestHost::default()));
    orchestrator.create_experiment(experiment).unwrap();
    let result = pollster::block_on(orchestrator.run_experiment("modesty")).unwrap();
    let metrics = &result.outcomes[0].result().unwrap().metrics;
    assert_eq!(metrics["held_out/words"], 4.0);
    assert_eq!(metrics["held_out/unseen_questions"], 0.0);
    assert!((metrics["held_out/reading"] - 0.5).abs() < 0.1);
    assert!(!metrics.contains_key("held_out/perplexity"));
}

/// The size of a strategy, here and in JavaScript: lines that are neither empty nor comments.
#[test]
fn a_strategy_from_outside_takes_at_most_fifty_lines() {
    let lines = |source: &str| {
        let lines = source.lines().map(str::trim);
        lines
            .filter(|line| !line.is_empty() && !line.starts_with("//"))
            .count()
    };
    let module = include_str!("../browser/bigrams.js");
    let (strategy, _metric_and_reward) = module.split_once("lab.addMetric").unwrap();
    for source in [include_str!("bigrams.rs"), strategy] {
        assert!(lines(source) <= 50, "{} lines", lines(source));
    }
}
