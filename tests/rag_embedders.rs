//! Retrieval by each embedder that `RagConfig` chooses, with filters, variety and a prompt template.

use async_trait::async_trait;
use lab_protocol::{
    Command, ErrorCode, Event, ExperimentConfig, Grounds, LabError, ModelFile, RunResult,
    StopReason,
};
use lab_retrieval::Index;
use lab_strategies::{FinishedRun, Host, Platform, Registry, device, prepare};
use lab_tests::tiny_encoder::tiny_encoder;
use lab_tests::{TestHost, run_from};
use serde_json::{Value, json};
use std::cell::Cell;
use std::rc::Rc;

const CRAFTS: [&str; 4] = ["grinds corn", "bakes bread", "mends nets", "keeps bees"];
const DOCUMENTS: usize = 40;

fn content(number: usize) -> String {
    format!(
        "Person {number} {} in lane {}.",
        CRAFTS[number % 4],
        number * 7 % 31
    )
}

/// Documents of one chunk each, half of them old.
fn documents() -> String {
    (0..DOCUMENTS)
        .map(|number| {
            let year = if number < DOCUMENTS / 2 { 1900 } else { 2000 };
            let document =
                json!({"id": format!("d{number}"), "content": content(number), "year": year});
            format!("{document}\n")
        })
        .collect()
}

fn experiment(data: Value, config: Value) -> ExperimentConfig {
    lab_protocol::from_value(json!({
        "name": "test", "seed": 7, "data": data,
        "strategies": [
            {"name": "rag", "strategy": "rag", "from": "base", "config": config},
            {"name": "base", "strategy": "pretraining"}
        ]
    }))
    .unwrap_or_else(|error| panic!("{error}"))
}

fn user_data() -> Value {
    json!({"source": "user", "name": "documents"})
}

fn village() -> Value {
    json!({"source": "village", "name": "hamlet", "village": {
        "people": 8, "shops": 2, "first_names": 12, "surnames": 12, "values": 12, "documents": 100,
        "held_out_documents": 10, "reading_pairs": 10, "judged_reading": 4, "new_people": 4,
        "questions_per_new_person": 2, "preference_pairs": 10, "judged_preferences": 4}})
}

/// A model of two steps, and an encoder beside it.
fn base() -> Vec<ModelFile> {
    let config = json!({
        "tokenizer": "byte", "model": {"layers": 1, "heads": 2, "width": 16, "context": 128},
        "training": {"steps": 2, "batch_size": 2, "evaluation_windows": 2, "final_evaluation_windows": 2,
            "sample_tokens": 0, "checkpoint_interval": 0}
    });
    let experiment = lab_protocol::from_value(json!({
        "name": "base", "seed": 7, "data": user_data(),
        "strategies": [{"name": "base", "strategy": "pretraining", "config": config}]
    }))
    .unwrap_or_else(|error: LabError| panic!("{error}"));
    let host = Rc::new(TestHost::default());
    let run = run_from(&experiment, &documents(), vec![], host, None).unwrap();
    let mut files = run.files;
    let numbers: Vec<String> = (0..DOCUMENTS).map(|number| number.to_string()).collect();
    let words = [
        "person", "grinds", "corn", "bakes", "bread", "mends", "nets", "keeps", "bees", "in",
        "lane", ".",
    ];
    let words: Vec<&str> = words
        .into_iter()
        .chain(numbers.iter().map(String::as_str))
        .collect();
    files.extend(tiny_encoder(&words).into_iter().map(|file| ModelFile {
        path: format!("encoder/{}", file.path),
        ..file
    }));
    files
}

/// Vectors alone, with chunks that every embedder here can read.
fn config(embedder: &str, more: Value) -> Value {
    let mut config = json!({
        "embedder": embedder, "method": "dense", "chunking": {"size": 60, "overlap": 0}, "answer_tokens": 4,
        "passages": 2
    });
    for (key, value) in more.as_object().unwrap() {
        config[key] = value.clone();
    }
    config
}

fn run(
    data: Value,
    config: Value,
    host: &Rc<TestHost>,
    checkpoint: Option<Vec<u8>>,
) -> Result<RunResult, LabError> {
    let text = match data["source"].as_str() {
        Some("user") => documents(),
        _ => String::new(),
    };
    run_from(
        &experiment(data, config),
        &text,
        base(),
        host.clone(),
        checkpoint,
    )
}

fn answers(host: &TestHost) -> Vec<Grounds> {
    let events = host.events.borrow();
    let grounds = |event: &Event| match event {
        Event::Sample { grounds, .. } => grounds.clone(),
        _ => None,
    };
    events.iter().filter_map(grounds).collect()
}

fn index(result: &RunResult) -> Index {
    let file = result
        .files
        .iter()
        .find(|file| file.path == "index/index.bin");
    Index::from_bytes(&file.unwrap().bytes).unwrap()
}

#[test]
fn each_embedder_finds_a_document_by_its_text() {
    for (embedder, kind) in [
        ("hashed", "hashed"),
        ("model", "language_model"),
        ("encoder", "encoder"),
    ] {
        let host = Rc::new(TestHost::default());
        let questions = json!({"questions": [content(13), content(30)]});
        let result = run(user_data(), config(embedder, questions), &host, None).unwrap();
        assert_eq!(result.metrics["documents_indexed"], DOCUMENTS as f64);
        assert_eq!(index(&result).embedder().unwrap()["kind"], kind);
        let found = answers(&host);
        for (grounds, document) in found.iter().zip(["d13", "d30"]) {
            let first = &grounds.passages[0];
            assert_eq!(first.document, document, "{embedder}");
            assert!(
                (first.score - 1.0).abs() < 1e-3,
                "{embedder}: {}",
                first.score
            );
        }
        let kept = |folder: &str| {
            result
                .files
                .iter()
                .any(|file| file.path.starts_with(folder))
        };
        assert_eq!(kept("encoder/"), embedder == "encoder");
    }
}

#[test]
fn each_embedder_is_measured_on_the_village() {
    for embedder in ["hashed", "model", "encoder"] {
        let host = Rc::new(TestHost::default());
        let chunks = json!({"chunking": {"size": 120, "overlap": 0}, "passages": 3});
        let mut config = config(embedder, chunks);
        if embedder == "encoder" {
            // It reads 64 tokens, two of them special.
            config["chunking"]["size"] = json!(62);
        }
        let result = run(village(), config, &host, None).unwrap();
        assert_eq!(result.stop_reason, StopReason::Completed);
        assert_eq!(result.metrics["index_recall"], 1.0, "{embedder}");
        let recall = result.metrics["recall@10"];
        assert!(recall > 0.3, "{embedder}: {recall}");
    }
}

#[test]
fn a_run_goes_on_and_is_opened_with_its_own_embedder_only() {
    let host = Rc::new(TestHost::default());
    host.commands
        .borrow_mut()
        .push_back((1, Command::Checkpoint { run: "run".into() }));
    let encoder = config("encoder", json!({"passage_prefix": "in "}));
    let whole = run(user_data(), encoder.clone(), &host, None).unwrap();
    let (_, state) = host.checkpoint().unwrap();
    let resumed = run(
        user_data(),
        encoder.clone(),
        &Rc::default(),
        Some(state.clone()),
    )
    .unwrap();
    assert_eq!(
        index(&resumed).to_bytes().unwrap(),
        index(&whole).to_bytes().unwrap()
    );
    for other in [
        config("hashed", json!({})),
        config("model", json!({})),
        config("encoder", json!({"passage_prefix": "lane "})),
    ] {
        let error = run(user_data(), other, &Rc::default(), Some(state.clone())).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidCheckpoint, "{error}");
        assert!(!error.hint.is_empty());
    }
    // The files of a finished run are enough to ask it: the encoder is among them.
    let experiment = experiment(user_data(), encoder);
    let ask = |files: Vec<ModelFile>| {
        pollster::block_on(async {
            let device = device::open(lab_protocol::BackendChoice::Cpu).await?;
            let finished = FinishedRun::new(&Registry::default(), &experiment, "rag", files)?;
            finished
                .ask(&content(5), device, Rc::new(TestHost::default()))
                .await
        })
    };
    assert!(ask(whole.files.clone()).is_ok());
    let mut changed = whole.files;
    let weights = changed
        .iter_mut()
        .find(|file| file.path == "encoder/model.safetensors");
    *weights.unwrap().bytes.last_mut().unwrap() ^= 1;
    assert_eq!(
        ask(changed).err().unwrap().code,
        ErrorCode::InvalidCheckpoint
    );
}

#[test]
fn an_embedder_that_cannot_be_used_is_named() {
    let refused = |config: Value| run(user_data(), config, &Rc::default(), None).unwrap_err();
    let long = json!({"chunking": {"size": 200, "overlap": 0}});
    for embedder in ["model", "encoder"] {
        let error = refused(config(embedder, long.clone()));
        let field = error.field.as_deref();
        assert!(field.unwrap().ends_with("config.chunking.size"), "{error}");
    }
    assert!(run(user_data(), config("hashed", long), &Rc::default(), None).is_ok());
    let without_encoder = experiment(user_data(), config("encoder", json!({})));
    let files = base()
        .into_iter()
        .filter(|file| !file.path.starts_with("encoder/"));
    let host = Rc::new(TestHost::default());
    let error = run_from(&without_encoder, &documents(), files.collect(), host, None).unwrap_err();
    assert!(
        error.field.unwrap().ends_with("config.encoder"),
        "{}",
        error.message
    );
    assert!(error.message.contains("config.json"), "{}", error.message);
}

#[test]
fn filter_and_variety_decide_which_passages_are_used() {
    let host = Rc::new(TestHost::default());
    let new = r#"{"equals": {"key": "year", "value": 2000}}"#;
    let more = json!({"questions": [content(13)], "filter": new});
    run(user_data(), config("hashed", more), &host, None).unwrap();
    let found = answers(&host);
    let numbers = found[0]
        .passages
        .iter()
        .map(|passage| passage.document[1..].parse::<usize>());
    assert!(
        numbers
            .map(Result::unwrap)
            .all(|number| number >= DOCUMENTS / 2)
    );
    let documents_found = |balance: f64| {
        let host = Rc::new(TestHost::default());
        let more =
            json!({"questions": ["bakes bread"], "diversity_balance": balance, "passages": 4});
        run(user_data(), config("hashed", more), &host, None).unwrap();
        let found = answers(&host);
        let texts = found[0]
            .passages
            .iter()
            .map(|passage| passage.text.contains("bakes bread"));
        texts.filter(|has| *has).count()
    };
    assert!(documents_found(0.1) < documents_found(1.0));
    let bad = run(
        user_data(),
        config("hashed", json!({"filter": "{\"no\": 1}"})),
        &Rc::default(),
        None,
    );
    assert!(bad.unwrap_err().field.unwrap().ends_with("config.filter"));
}

/// The model's context of 128 bytes limits the number of passages: a longer template leaves room for fewer.
#[test]
fn a_template_is_the_text_that_is_asked() {
    let passages = |template: &str| {
        let host = Rc::new(TestHost::default());
        let more = json!({"questions": ["Who bakes?"], "prompt_template": template, "passages": 3});
        run(user_data(), config("hashed", more), &host, None).unwrap();
        answers(&host)[0].passages.len()
    };
    let long = format!(
        "{}{{passages}} {{question}}",
        "Read this with care. ".repeat(3)
    );
    assert_eq!(passages(""), passages("{passages}\n{question}\n"));
    assert!(passages(&long) < passages(""));
    let more = json!({"prompt_template": "{question}"});
    let error = run(user_data(), config("hashed", more), &Rc::default(), None).unwrap_err();
    assert!(error.field.unwrap().ends_with("config.prompt_template"));
}

/// A host whose user stops the run while its first documents are embedded.
#[derive(Default)]
struct Impatient {
    events: TestHost,
    asked: Cell<usize>,
}

#[async_trait(?Send)]
impl Host for Impatient {
    fn now(&self) -> f64 {
        self.events.now()
    }

    fn emit(&self, event: Event) {
        self.events.emit(event);
    }

    async fn next_command(&self, _wait: bool) -> Option<Command> {
        self.asked.set(self.asked.get() + 1);
        (self.asked.get() == 2).then(|| Command::Stop { run: "run".into() })
    }
}

#[test]
fn embedding_stops_when_the_run_is_told_to() {
    let experiment = experiment(user_data(), config("model", json!({})));
    let prepared = prepare(
        &Registry::default(),
        &experiment,
        "rag",
        documents(),
        base(),
    )
    .unwrap();
    let result = pollster::block_on(async {
        let device = device::open(lab_protocol::BackendChoice::Cpu).await?;
        let platform = Platform::offline(device, Rc::new(Impatient::default()));
        prepared.execute("run".into(), platform, None).await
    })
    .unwrap();
    assert_eq!(result.stop_reason, StopReason::Stopped);
    assert_eq!(result.metrics["documents_indexed"], 0.0);
}
