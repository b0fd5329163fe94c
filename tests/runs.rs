//! Properties of the runs of every strategy: they resume, and their texts end.

use lab_protocol::{
    Command, Event, ExperimentConfig, GenerateRequest, MetricRecord, ModelFile, RunResult,
    StopReason, from_value,
};
use lab_tests::{TestHost, run_from};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Metrics that measure time.
const TIMES: [&str; 3] = ["eps", "index_ms", "tokens_per_second"];

struct Case {
    /// Kind and variant, e.g. `dpo, lora`.
    name: String,
    experiment: ExperimentConfig,
    text: String,
    base: Vec<ModelFile>,
    /// Number of steps of each run that is stopped.
    stops: [usize; 2],
}

impl Case {
    fn new(kind: &str, variant: &str, config: Value, text: &str, base: &[ModelFile]) -> Self {
        let from = (!base.is_empty()).then_some("base");
        let mut strategies =
            vec![json!({"name": "it", "strategy": kind, "from": from, "config": config})];
        if from.is_some() {
            strategies.push(json!({"name": "base", "strategy": "pretraining"}));
        }
        let experiment = from_value(json!({
            "name": "test", "seed": 7, "data": {"source": "user", "name": "t"}, "strategies": strategies
        }));
        Self {
            name: format!("{kind}, {variant}"),
            experiment: experiment.unwrap(),
            text: text.to_owned(),
            base: base.to_vec(),
            stops: [2, 4],
        }
    }

    fn run(&self, host: &Rc<TestHost>, checkpoint: Option<Vec<u8>>) -> RunResult {
        let base = self.base.clone();
        let result = run_from(&self.experiment, &self.text, base, host.clone(), checkpoint);
        result.unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }
}

fn rows(row: impl Fn(usize, usize) -> Value) -> String {
    let pairs = (0..6).flat_map(|a| (0..6).map(move |b| (a, b)));
    pairs.map(|(a, b)| format!("{}\n", row(a, b))).collect()
}

/// Settings of training with all that a run reports, in few steps.
fn training(steps: usize) -> Value {
    json!({
        "steps": steps, "batch_size": 4, "warmup_steps": 1, "evaluation_interval": 2, "evaluation_windows": 4,
        "final_evaluation_windows": 4, "sample_interval": 3, "sample_tokens": 3, "checkpoint_interval": 0
    })
}

fn pretraining(text: &str) -> Case {
    let config = json!({
        "tokenizer": "byte", "training": training(6),
        "model": {"layers": 1, "heads": 2, "width": 32, "context": 32, "dropout": 0.1}
    });
    Case::new("pretraining", "", config, text, &[])
}

fn cases() -> Vec<Case> {
    let sums = rows(|a, b| json!(format!("{a}+{b}={}", a + b)))
        .replace('"', "")
        .repeat(8);
    let first = pretraining(&sums);
    let base = first.run(&Rc::default(), None).files;
    let mut cases = vec![first];

    let examples =
        rows(|a, b| json!({"prompt": format!("{a}+{b}="), "response": format!("{}", a + b)}));
    for method in ["full", "lora", "qlora"] {
        let lora = json!({"rank": 2, "dropout": 0.1});
        let config = json!({"method": method, "lora": lora, "training": training(6)});
        cases.push(Case::new("fine_tuning", method, config, &examples, &base));
    }

    let preferences = rows(
        |a, b| json!({"prompt": format!("{a}+{b}="), "chosen": format!("{}", a + b), "rejected": format!("{}", a + b + 1)}),
    );
    let prompts = rows(|a, b| json!({"prompt": format!("{a}+{b}=")}));
    let rollout = json!({"response_tokens": 4});
    let report = json!({"evaluation_interval": 2, "evaluation_prompts": 4, "sample_interval": 2, "checkpoint_interval": 0});
    for (variant, lora) in [("full", Value::Null), ("lora", json!({"rank": 2}))] {
        let dpo = json!({"steps": 6, "batch_size": 4, "lora": lora, "rollout": rollout, "report": report});
        cases.push(Case::new("dpo", variant, dpo, &preferences, &base));
        // Stopped while the reward is learned, and while the policy is.
        let rlhf = json!({
            "reward": {"kind": "model"}, "lora": lora, "rollout": rollout, "report": report,
            "reward_model": {"steps": 3, "batch_size": 4, "normalisation_samples": 4, "evaluation_interval": 1, "lora": lora},
            "ppo": {"steps": 3, "batch_size": 4, "minibatches": 2, "epochs": 2, "kl_target": 1.0}
        });
        cases.push(Case::new("rlhf", variant, rlhf, &preferences, &base));
        let grpo = json!({
            "reward": {"kind": "length", "tokens": 3}, "lora": lora, "rollout": rollout, "report": report,
            "steps": 6, "prompts": 2, "group": 4, "minibatches": 2
        });
        cases.push(Case::new("grpo", variant, grpo, &prompts, &base));
    }

    let documents: String = (0..70)
        .map(|number| {
            format!(
                "{}\n",
                json!({"id": format!("d{number}"), "content": format!("{number}+1")})
            )
        })
        .collect();
    let config = json!({"questions": ["4+1"], "passages": 1, "answer_tokens": 4});
    cases.push(Case {
        // A step takes a group of documents.
        stops: [1, 2],
        ..Case::new("rag", "", config, &documents, &base)
    });
    cases
}

/// Values, except times.
fn comparable(mut values: BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    values.retain(|name, _| !TIMES.contains(&name.as_str()));
    values
}

/// The records after a step.
fn after(step: usize, records: Vec<MetricRecord>) -> Vec<(usize, BTreeMap<String, f64>)> {
    let later = records.into_iter().filter(|record| record.step > step);
    later
        .map(|record| (record.step, comparable(record.values)))
        .collect()
}

#[test]
fn every_strategy_resumes_as_if_it_had_never_stopped() {
    for case in cases() {
        let whole: Rc<TestHost> = Rc::default();
        let expected = case.run(&whole, None);
        for stop in case.stops {
            let first: Rc<TestHost> = Rc::default();
            let command = Command::Stop { run: "run".into() };
            first.commands.borrow_mut().push_back((stop, command));
            let stopped = case.run(&first, None);
            let name = format!("{}, stopped after {} steps", case.name, stopped.steps);
            assert_eq!(stopped.stop_reason, StopReason::Stopped, "{name}");
            let (step, state) = first.checkpoint().unwrap();
            assert_eq!(step, stopped.steps, "{name}");

            let second: Rc<TestHost> = Rc::default();
            let resumed = case.run(&second, Some(state));
            let recorded = after(step, second.metrics());
            assert!(!recorded.is_empty(), "{name}");
            assert_eq!(recorded, after(step, whole.metrics()), "{name}");
            let metrics = |result: &RunResult| comparable(result.metrics.clone());
            assert_eq!(metrics(&resumed), metrics(&expected), "{name}");
            let differs = resumed.files.iter().zip(&expected.files);
            let differs: Vec<&str> = differs
                .filter(|(resumed, expected)| resumed != expected)
                .map(|(file, _)| file.path.as_str())
                .collect();
            assert!(differs.is_empty(), "{name}: {differs:?} are not the same");
            assert_eq!(resumed.files.len(), expected.files.len(), "{name}");
        }
    }
}

#[test]
fn texts_that_are_asked_for_end_at_the_end_token() {
    let mut first = pretraining(&"ab\n".repeat(400));
    first.experiment.strategies[0].config["training"] = json!({
        "steps": 60, "batch_size": 8, "learning_rate": 1e-2, "sample_tokens": 0, "checkpoint_interval": 0
    });
    let base = first.run(&Rc::default(), None).files;
    let rows = rows(|_, _| json!({"prompt": "a", "chosen": "b", "rejected": "c"}));
    let rollout = json!({"response_tokens": 4});
    let config = json!({
        "steps": 2, "batch_size": 4, "rollout": rollout, "report": {"checkpoint_interval": 0},
        "optimizer": {"learning_rate": 1e-6}
    });
    let case = Case::new("dpo", "", config, &rows, &base);
    let host: Rc<TestHost> = Rc::default();
    let request = GenerateRequest {
        prompt: "a".into(),
        max_tokens: 20,
        temperature: 0.0,
        ..Default::default()
    };
    let run = "run".to_owned();
    let command = Command::Generate { run, request };
    host.commands.borrow_mut().push_back((1, command));
    case.run(&host, None);
    let events = host.events.borrow();
    let written = events.iter().find_map(|event| match event {
        Event::Sample {
            step: 1,
            prompt,
            text,
            ..
        } => Some((prompt.as_str(), text.as_str())),
        _ => None,
    });
    // It is put as a question, and answered with one line of the text.
    assert_eq!(written, Some(("a\n", "ab")));
}
