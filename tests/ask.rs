//! Finished runs answer from their files as they did in their evaluation.

use async_trait::async_trait;
use lab_orchestrator::Executor;
use lab_protocol::{
    BackendChoice, Command, ErrorCode, ExperimentConfig, LabError, ModelFile, from_value,
};
use lab_strategies::{Finished, FinishedRun, HeldOutAnswer, Metric, Platform, Registry, device};
use lab_tests::{LocalExecutor, TestHost};
use serde_json::json;
use std::cell::RefCell;
use std::rc::Rc;

/// Keeps the held-out answers of the last run.
#[derive(Clone, Default)]
struct Notes(Rc<RefCell<Vec<HeldOutAnswer>>>);

#[async_trait(?Send)]
impl Metric for Notes {
    fn name(&self) -> &str {
        "notes"
    }

    async fn measure(&self, run: &Finished) -> Result<Option<f64>, LabError> {
        *self.0.borrow_mut() = run.answers.to_vec();
        Ok(None)
    }
}

fn village() -> ExperimentConfig {
    from_value(json!({
        "name": "questions", "seed": 3,
        "data": {"source": "village", "name": "hamlet", "village": {"people": 12, "documents": 100,
            "held_out_documents": 10, "reading_pairs": 10, "judged_reading": 4, "new_people": 4,
            "questions_per_new_person": 2, "preference_pairs": 10, "judged_preferences": 4}},
        "strategies": [
            {"name": "pretrain", "strategy": "pretraining", "config": {
                "model": {"layers": 1, "heads": 2, "width": 16, "context": 128}, "tokenizer": "bpe", "vocabulary": 300,
                "training": {"steps": 4, "batch_size": 2, "evaluation_interval": 0, "final_evaluation_windows": 2,
                    "sample_tokens": 0, "checkpoint_interval": 0}}},
            {"name": "rag", "strategy": "rag", "from": "pretrain", "config": {"answer_tokens": 12}}
        ]
    }))
    .unwrap()
}

fn ask(
    experiment: &ExperimentConfig,
    strategy: &str,
    files: Vec<ModelFile>,
    prompt: &str,
    host: TestHost,
) -> Result<Option<String>, LabError> {
    let run = FinishedRun::new(&Registry::default(), experiment, strategy, files)?;
    pollster::block_on(async {
        let device = device::open(BackendChoice::Cpu).await?;
        run.ask(prompt, device, Rc::new(host)).await
    })
}

#[test]
fn each_answers_what_it_answered_when_it_was_judged() {
    let experiment = village();
    let notes = Notes::default();
    let mut registry = Registry::default();
    registry.add_metric(Rc::new(notes.clone())).unwrap();
    let device = pollster::block_on(device::open(BackendChoice::Cpu)).unwrap();
    let host = Rc::new(TestHost::default());
    let executor = LocalExecutor::new(registry, String::new(), Platform::offline(device, host));
    let mut base = Vec::new();
    let mut said = Vec::new();
    for strategy in ["pretrain", "rag"] {
        let made = executor.execute(&experiment, strategy, base.clone(), None);
        let files = pollster::block_on(made).unwrap().files;
        let answers = notes.0.take();
        for set in ["unseen_questions", "new_facts"] {
            let answer = answers.iter().find(|answer| answer.set == set).unwrap();
            let question = answer.prompt.trim_end();
            let asked = ask(
                &experiment,
                strategy,
                files.clone(),
                question,
                TestHost::default(),
            );
            assert_eq!(asked.unwrap().as_ref(), Some(&answer.answer), "{strategy}");
            said.push(answer.answer.clone());
        }
        if strategy == "pretrain" {
            base = files;
        }
    }
    assert_ne!(said[..2], said[2..], "the passages change nothing");

    // Without its index retrieval reports that the index is missing, not that it has no answer.
    let error = ask(
        &experiment,
        "rag",
        base.clone(),
        "Who?",
        TestHost::default(),
    )
    .unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidData);
    assert!(error.message.contains("index/"), "{error}");
    // Stopped before it has begun.
    let host = TestHost::default();
    let stop = Command::Stop { run: "ask".into() };
    host.commands.borrow_mut().push_back((0, stop));
    assert_eq!(
        ask(&experiment, "pretrain", base, "Who?", host).unwrap(),
        None
    );
}

#[test]
fn a_text_is_gone_on_with_and_what_cannot_be_read_is_told() {
    let experiment = lab_tests::experiment(json!({
        "model": {"layers": 1, "heads": 2, "width": 8, "context": 16},
        "training": {"steps": 3, "batch_size": 2, "sample_tokens": 0, "checkpoint_interval": 0, "final_evaluation_windows": 2}
    }));
    let text = lab_village::text("first-names").unwrap();
    let host = Rc::new(TestHost::default());
    let files = lab_tests::run(&experiment, text, host, None).unwrap().files;
    let ask = |prompt: &str, files: Vec<ModelFile>, name: &str| {
        ask(&experiment, name, files, prompt, TestHost::default())
    };
    let answer = ask("Ann", files.clone(), "pretrain").unwrap().unwrap();
    assert!(!answer.contains('\n') && answer.len() <= 13, "{answer:?}");
    assert_eq!(
        ask("Ann", files.clone(), "pretrain").unwrap().unwrap(),
        answer
    );
    let error = ask("✗", files.clone(), "pretrain").unwrap_err();
    assert_eq!(error.field.as_deref(), Some("prompt"));
    assert!(error.code.is_input());
    let error = ask("Ann", Vec::new(), "pretrain").unwrap_err();
    assert_eq!(error.field.as_deref(), Some("base"));
    let error = ask("Ann", files, "nobody").unwrap_err();
    assert_eq!(error.field.as_deref(), Some("strategy"));
}

#[test]
fn two_answers_to_compare_differ_and_follow_from_the_seed() {
    let experiment = lab_tests::experiment(json!({
        "model": {"layers": 1, "heads": 2, "width": 8, "context": 16},
        "training": {"steps": 3, "batch_size": 2, "sample_tokens": 0, "checkpoint_interval": 0, "final_evaluation_windows": 2}
    }));
    let text = lab_village::text("first-names").unwrap();
    let made = lab_tests::run(&experiment, text, Rc::new(TestHost::default()), None);
    let files = made.unwrap().files;
    let run = FinishedRun::new(&Registry::default(), &experiment, "pretrain", files).unwrap();
    let device = pollster::block_on(device::open(BackendChoice::Cpu)).unwrap();
    let compare =
        |prompt: &str, seed| pollster::block_on(run.compare(prompt, seed, device.clone()));
    let (prompt, [first, second]) = compare("Ann", 1).unwrap();
    assert_eq!(prompt, "Ann");
    assert_ne!(first, second);
    assert_eq!(compare("Ann", 1).unwrap().1, [first.clone(), second]);
    assert_ne!(compare("Ann", 2).unwrap().1[0], first);
    let error = compare("✗", 1).unwrap_err();
    assert_eq!(error.field.as_deref(), Some("prompt"));
}
