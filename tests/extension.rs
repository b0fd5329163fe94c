//! A strategy and metrics from outside the crates: run, compared and exported like the lab's own.

use async_trait::async_trait;
use lab_orchestrator::export::{ExportFormat, from_csv, from_jsonl};
use lab_orchestrator::{LabOrchestrator, LocalExecutor};
use lab_protocol::{
    BackendChoice, Direction, ErrorCode, ExperimentConfig, LabError, MetricInfo, MetricRecord,
    ModelFile, Outcome, RunInfo, RunResult, Standing, StopReason, StrategyConfig, from_value,
};
use lab_strategies::{
    Control, Finished, Metric, Registry, RunContext, Strategy, TrainingData, device, read_config,
};
use lab_tests::TestHost;
use serde_json::json;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Counts which character follows which, and predicts from that: the simplest language model.
struct Bigrams {
    config: BigramConfig,
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
struct BigramConfig {
    /// Added to every count.
    smoothing: f64,
    /// Parts in which the text is counted; a step each.
    parts: usize,
}

impl Default for BigramConfig {
    fn default() -> Self {
        Self {
            smoothing: 1.0,
            parts: 4,
        }
    }
}

/// The text as numbers of its alphabet, what is held out apart.
struct Counted {
    training: Vec<usize>,
    held_out: Vec<usize>,
    size: usize,
}

impl Counted {
    fn new(data: &TrainingData) -> Self {
        let mut alphabet: Vec<char> = data.text.chars().collect();
        alphabet.sort_unstable();
        alphabet.dedup();
        let ids = data.text.chars().flat_map(|c| alphabet.binary_search(&c));
        let mut training: Vec<usize> = ids.collect();
        let kept = training.len() as f64 * (1.0 - data.validation_fraction);
        let held_out = training.split_off(kept as usize);
        Self {
            training,
            held_out,
            size: alphabet.len(),
        }
    }
}

#[async_trait(?Send)]
impl Strategy for Bigrams {
    fn name(&self) -> &str {
        "bigrams"
    }

    fn validate(&self, data: &TrainingData) -> Result<(), LabError> {
        if self.config.smoothing.is_nan() || self.config.smoothing <= 0.0 {
            return Err(LabError::config(
                "config.smoothing",
                format!("smoothing is {}", self.config.smoothing),
                "Use a number above 0.",
            ));
        }
        if data.text.chars().count() < 100 {
            let message = "the text is too short to count";
            let hint = "Give at least 100 characters.";
            return Err(LabError::new(ErrorCode::InvalidData, message, hint).at("data"));
        }
        Ok(())
    }

    async fn train(&mut self, run: &mut RunContext) -> Result<RunResult, LabError> {
        let text = Counted::new(&run.data);
        let parts = self.config.parts.max(1);
        run.started(RunInfo {
            strategy: self.name().to_owned(),
            config: json!(self.config),
            steps: parts,
            first_step: 0,
            parameters: text.size * text.size,
            vocabulary: text.size,
            training_tokens: text.training.len(),
            validation_tokens: text.held_out.len(),
            tokens_per_step: text.training.len() / parts,
            examples: Vec::new(),
        });
        let mut counts = vec![self.config.smoothing; text.size * text.size];
        let mut stop_reason = StopReason::Completed;
        let (mut step, mut loss) = (0, f64::NAN);
        while step < parts {
            match run.control(step).await {
                Control::Continue => {}
                Control::Stop => {
                    stop_reason = StopReason::Stopped;
                    break;
                }
                Control::Checkpoint | Control::Generate(_) => continue,
            }
            run.step_begins();
            let from = text.training.len() * step / parts;
            step += 1;
            let to = text.training.len() * step / parts;
            let part = &text.training[from.saturating_sub(1)..to];
            part.windows(2)
                .for_each(|pair| counts[pair[0] * text.size + pair[1]] += 1.0);
            let nats = |pair: &[usize]| {
                let row = &counts[pair[0] * text.size..][..text.size];
                -(row[pair[1]] / row.iter().sum::<f64>()).ln()
            };
            let pairs = text.held_out.windows(2);
            loss = pairs.map(nats).sum::<f64>() / (text.held_out.len() - 1) as f64;
            run.step_done(step, parts, part.len());
            run.record_metrics(step, &[("validation_loss", loss)]);
            run.step_made(step);
        }
        Ok(RunResult {
            declared: Vec::new(),
            strategy: run.strategy.clone(),
            stop_reason,
            steps: step,
            best_step: step,
            seconds: run.seconds(),
            metrics: BTreeMap::from([("validation_loss".to_owned(), loss)]),
            files: vec![ModelFile {
                path: "counts/counts.json".to_owned(),
                bytes: json!(counts).to_string().into_bytes(),
            }],
        })
    }
}

/// How many times fewer characters a run hesitates between than guessing does.
struct Sharpness;

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

    fn measure(&self, run: &Finished) -> Result<Option<f64>, LabError> {
        let loss = run.result.metrics.get("validation_loss");
        Ok(loss.map(|loss| letters(&run.data.text) / loss.exp()))
    }
}

/// How many different characters a text has.
fn letters(text: &str) -> f64 {
    text.chars()
        .collect::<std::collections::BTreeSet<_>>()
        .len() as f64
}

/// A metric with a mistake.
struct Broken;

impl Metric for Broken {
    fn name(&self) -> &str {
        "broken"
    }

    fn measure(&self, _run: &Finished) -> Result<Option<f64>, LabError> {
        Ok(Some(f64::NAN))
    }
}

fn registry() -> Registry {
    let mut registry = Registry::default();
    let create = |config: &StrategyConfig| -> Result<Box<dyn Strategy>, LabError> {
        let config = read_config(config)?;
        Ok(Box::new(Bigrams { config }))
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

fn orchestrator(registry: Registry, host: Rc<TestHost>) -> LabOrchestrator<LocalExecutor> {
    let device = pollster::block_on(device::open(BackendChoice::Cpu)).unwrap();
    let text = lab_village::text("first-names").unwrap().to_owned();
    LabOrchestrator::new(LocalExecutor::new(registry, text, device, host), 2)
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

/// Says that it does not know, whatever it is asked: a baseline that leaves no model.
struct Modest;

#[async_trait(?Send)]
impl Strategy for Modest {
    fn name(&self) -> &str {
        "modest"
    }

    fn validate(&self, _data: &TrainingData) -> Result<(), LabError> {
        Ok(())
    }

    async fn train(&mut self, run: &mut RunContext) -> Result<RunResult, LabError> {
        Ok(RunResult {
            declared: Vec::new(),
            strategy: run.strategy.clone(),
            stop_reason: StopReason::Completed,
            steps: 0,
            best_step: 0,
            seconds: 0.0,
            metrics: BTreeMap::new(),
            files: vec![ModelFile {
                path: "words/answer.txt".to_owned(),
                bytes: lab_village::I_DO_NOT_KNOW.into(),
            }],
        })
    }

    async fn answer_from(
        &self,
        files: &[ModelFile],
        prompts: &[String],
        _run: &mut RunContext,
    ) -> Result<Option<Vec<String>>, LabError> {
        let answer = String::from_utf8_lossy(&files[0].bytes).into_owned();
        Ok(Some(vec![answer; prompts.len()]))
    }
}

/// Words of an answer, on the average.
struct Words;

impl Metric for Words {
    fn name(&self) -> &str {
        "held_out/words"
    }

    fn measure(&self, run: &Finished) -> Result<Option<f64>, LabError> {
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
