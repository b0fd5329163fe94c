//! Retrieval as a whole: documents are indexed, questions answered from the passages found, and runs continued.

use lab_protocol::{
    AnswerOutcome, BackendChoice, Command, ErrorCode, Event, ExperimentConfig, GenerateRequest,
    GroundedAnswer, Grounds, LabError, ModelFile, RunResult,
};
use lab_retrieval::Index;
use lab_strategies::{FinishedRun, Registry, device};
use lab_tests::{TestHost, run_from};
use serde_json::{Value, json};
use std::rc::Rc;

const DOCUMENTS: usize = 70;

fn documents() -> String {
    let crafts = [
        "grinds corn",
        "bakes bread",
        "mends nets",
        "shoes horses",
        "keeps bees",
    ];
    let mut text = String::new();
    for number in 0..DOCUMENTS {
        let craft = crafts[number % crafts.len()];
        let content = format!("Person{number} {craft} in lane {}.", number * 7 % 31);
        text.push_str(&format!(
            "{}\n",
            json!({"id": format!("d{number}"), "content": content})
        ));
    }
    text
}

fn experiment(config: Value) -> ExperimentConfig {
    lab_protocol::from_value(json!({
        "name": "test", "seed": 7, "data": {"source": "user", "name": "documents"},
        "strategies": [
            {"name": "rag", "strategy": "rag", "from": "base", "config": config},
            {"name": "base", "strategy": "pretraining"}
        ]
    }))
    .unwrap_or_else(|error| panic!("{error}"))
}

/// A model that has barely begun to learn: these tests check its input, not its knowledge.
fn base() -> Vec<ModelFile> {
    let config = json!({
        "tokenizer": "byte", "model": {"layers": 1, "heads": 2, "width": 16, "context": 96},
        "training": {"steps": 2, "batch_size": 2, "evaluation_windows": 2, "final_evaluation_windows": 2,
            "sample_tokens": 0, "checkpoint_interval": 0}
    });
    let experiment = lab_protocol::from_value(json!({
        "name": "base", "seed": 7, "data": {"source": "user", "name": "text"},
        "strategies": [{"name": "base", "strategy": "pretraining", "config": config}]
    }))
    .unwrap_or_else(|error: LabError| panic!("{error}"));
    let host = Rc::new(TestHost::default());
    run_from(&experiment, &documents(), vec![], host, None)
        .unwrap()
        .files
}

fn rag(
    config: Value,
    text: &str,
    host: &Rc<TestHost>,
    checkpoint: Option<Vec<u8>>,
) -> Result<RunResult, LabError> {
    run_from(&experiment(config), text, base(), host.clone(), checkpoint)
}

fn answers(host: &TestHost) -> Vec<(String, Grounds)> {
    let events = host.events.borrow();
    let sample = |event: &Event| match event {
        Event::Sample {
            prompt, grounds, ..
        } => Some((prompt.clone(), grounds.clone()?)),
        _ => None,
    };
    events.iter().filter_map(sample).collect()
}

fn file<'a>(result: &'a RunResult, path: &str) -> &'a [u8] {
    let found = result.files.iter().find(|file| file.path == path);
    &found.unwrap_or_else(|| panic!("no {path}")).bytes
}

#[test]
fn questions_are_answered_from_what_is_found() {
    let host = Rc::new(TestHost::default());
    let config = json!({
        "questions": ["What does Person13 do?", "Zebras?"], "method": "bm25", "passages": 4, "answer_tokens": 8
    });
    let result = rag(config, &documents(), &host, None).unwrap();
    assert_eq!(result.metrics["documents_indexed"], DOCUMENTS as f64);
    let found = answers(&host);
    assert_eq!(found.len(), 2);
    let (question, grounds) = &found[0];
    assert_eq!(question, "What does Person13 do?");
    assert_eq!(grounds.outcome, AnswerOutcome::Answered);
    let first = &grounds.passages[0];
    assert_eq!(first.document, "d13");
    assert_eq!((first.start, first.end), (0, first.text.chars().count()));
    assert!(first.text.starts_with("Person13 "));
    assert!(
        grounds
            .passages
            .windows(2)
            .all(|pair| pair[0].score >= pair[1].score)
    );
    // No document has a word of the second.
    assert_eq!(found[1].1.outcome, AnswerOutcome::NoPassage);
    assert!(found[1].1.passages.is_empty());
    let kept: Vec<GroundedAnswer> =
        serde_json::from_slice(file(&result, "answers/answers.json")).unwrap();
    assert_eq!(kept.len(), 2);
    assert_eq!(kept[0].grounds, *grounds);
    let index = Index::from_bytes(file(&result, "index/index.bin")).unwrap();
    assert_eq!(index.documents().len(), DOCUMENTS);
}

#[test]
fn passages_are_left_out_until_the_question_fits() {
    let host = Rc::new(TestHost::default());
    // A context of 96 bytes holds the question, the answer and one passage.
    let config = json!({"questions": ["Who keeps bees?"], "passages": 50, "answer_tokens": 30});
    rag(config, &documents(), &host, None).unwrap();
    let found = answers(&host);
    assert_eq!(found[0].1.outcome, AnswerOutcome::Answered);
    assert!((1..4).contains(&found[0].1.passages.len()), "{found:?}");
}

#[test]
fn a_user_may_ask_in_the_midst_and_an_index_is_continued() {
    let config = json!({"method": "bm25", "answer_tokens": 4});
    let host = Rc::new(TestHost::default());
    let ask = |prompt: &str| Command::Generate {
        run: "run".into(),
        request: GenerateRequest {
            prompt: prompt.into(),
            ..Default::default()
        },
    };
    host.commands.borrow_mut().extend([
        (1, ask("What does Person3 do?\n")),
        (1, ask("   ")),
        (1, Command::Checkpoint { run: "run".into() }),
    ]);
    let whole = rag(config.clone(), &documents(), &host, None).unwrap();
    let found = answers(&host);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, "What does Person3 do?\n");
    assert_eq!(found[0].1.passages[0].document, "d3");
    let warned =
        |event: &Event| matches!(event, Event::Log { message, .. } if message.contains("empty"));
    assert!(host.events.borrow().iter().any(warned));

    let (step, state) = host.checkpoint().unwrap();
    assert_eq!(step, 32);
    let host = Rc::new(TestHost::default());
    let continued = rag(config, &documents(), &host, Some(state.clone())).unwrap();
    assert_eq!(
        file(&continued, "index/index.bin"),
        file(&whole, "index/index.bin")
    );
    let started = host.events.borrow().iter().find_map(|event| match event {
        Event::Started { info, .. } => Some(info.first_step),
        _ => None,
    });
    assert_eq!(started, Some(32));

    let other = json!({"method": "bm25", "chunking": {"size": 10, "overlap": 0}});
    let error = rag(other, &documents(), &Rc::default(), Some(state)).unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidCheckpoint, "{error}");
    let error = rag(
        json!({}),
        &documents(),
        &Rc::default(),
        Some(b"junk".to_vec()),
    )
    .unwrap_err();
    assert!(error.code.is_input(), "{error}");
}

#[test]
fn bad_documents_and_questions_are_named() {
    let refused = |config: Value, text: &str| rag(config, text, &Rc::default(), None).unwrap_err();
    // Far apart, so no group of documents has both.
    let twice = documents() + "{\"id\": \"d0\", \"content\": \"again\"}\n";
    let error = refused(json!({}), &twice);
    assert!(error.message.contains("\"d0\""), "{error}");
    assert_eq!(error.field.as_deref(), Some("data"));
    let error = refused(json!({}), "no JSON\n");
    assert_eq!(
        (error.code, error.field.as_deref()),
        (ErrorCode::InvalidData, Some("data"))
    );
    let error = refused(json!({"questions": ["a", " "]}), &documents());
    assert_eq!(
        error.field.as_deref(),
        Some("strategies[0].config.questions[1]")
    );
    let error = refused(json!({"endpoint": {"base_url": "x"}}), &documents());
    assert_eq!(
        error.field.as_deref(),
        Some("strategies[0].config.endpoint.base_url")
    );
    let error = refused(json!({"endpoint": {"key": "sk-1"}}), &documents());
    assert_eq!(error.code, ErrorCode::UnknownKey, "{error}");
}

/// Without a network the run fails with an error, and a checkpoint keeps its index.
#[test]
fn an_endpoint_out_of_reach_leaves_the_index() {
    let host = Rc::new(TestHost::default());
    let config = json!({"questions": ["Who keeps bees?"], "endpoint": {"retries": 1}});
    let error = rag(config.clone(), &documents(), &host, None).unwrap_err();
    assert_eq!(error.code, ErrorCode::Network, "{error}");
    let (step, state) = host.checkpoint().unwrap();
    assert_eq!(step, DOCUMENTS);
    let host = Rc::new(TestHost::default());
    let error = rag(config, &documents(), &host, Some(state)).unwrap_err();
    assert_eq!(error.code, ErrorCode::Network, "{error}");
    assert_eq!(host.steps_done(), 0, "it was indexed again");
}

/// A question that no document answers gets "I do not know" only if passages were searched for.
#[test]
fn questions_of_several_lines_and_chat_templates_are_searched_too() {
    let config = json!({"method": "bm25", "answer_tokens": 4});
    let result = rag(config.clone(), &documents(), &Rc::default(), None).unwrap();
    let ask = |files: &[ModelFile], question: &str| {
        let files = files.to_vec();
        let experiment = experiment(config.clone());
        pollster::block_on(async {
            let device = device::open(BackendChoice::Cpu).await?;
            let run = FinishedRun::new(&Registry::default(), &experiment, "rag", files)?;
            run.ask(question, device, Rc::new(TestHost::default()))
                .await
        })
        .unwrap_or_else(|error| panic!("{error}"))
        .unwrap()
    };
    let mut chat = result.files.clone();
    let settings = chat
        .iter_mut()
        .find(|file| file.path == "model/tokenizer_config.json")
        .unwrap();
    let mut value: Value = serde_json::from_slice(&settings.bytes).unwrap();
    value["chat_template"] =
        json!("{% for m in messages %}<{{ m.role }}>\n{{ m.content }}\n{% endfor %}<assistant>\n");
    settings.bytes = value.to_string().into_bytes();
    for files in [&result.files, &chat] {
        for unknown in ["Zebras?", "Zebras?\nQuokkas?"] {
            assert_eq!(ask(files, unknown), lab_village::I_DO_NOT_KNOW, "{unknown}");
        }
        let known = ask(files, "Tell me.\nWhat does Person3 do?");
        assert_ne!(known, lab_village::I_DO_NOT_KNOW);
    }
}
