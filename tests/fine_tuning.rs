//! Fine-tuning as a whole: it learns, by every method; it resumes; bad data is named.

use lab_protocol::{
    Command, ErrorCode, Event, ExperimentConfig, LabError, ModelFile, RunResult, StopReason,
};
use lab_tests::{TestHost, run_from};
use serde_json::{Value, json};
use std::rc::Rc;

/// Sums of small numbers, as a text to pretrain on and as questions.
fn text() -> String {
    let mut text = String::new();
    for a in 0..10 {
        for b in 0..10 {
            text.push_str(&format!("{a}+{b}={}\n", a + b));
        }
    }
    text.repeat(8)
}

fn questions() -> String {
    let mut rows = String::new();
    for a in 0..10 {
        for b in 0..10 {
            let row = json!({"prompt": format!("{a}+{b}="), "response": format!("{}", b + a)});
            rows.push_str(&format!("{row}\n"));
        }
    }
    rows
}

fn training(steps: usize, extra: Value) -> Value {
    let mut training = json!({
        "steps": steps, "batch_size": 8, "learning_rate": 3e-3, "minimum_learning_rate": 3e-3, "warmup_steps": 2,
        "weight_decay": 0.0, "evaluation_interval": 4, "evaluation_windows": 8, "sample_interval": 0,
        "sample_tokens": 0, "checkpoint_interval": 0
    });
    let extra = extra.as_object().unwrap().clone();
    training.as_object_mut().unwrap().extend(extra);
    training
}

fn experiment(strategy: &str, config: Value) -> ExperimentConfig {
    let from = (strategy == "fine_tuning").then_some("base");
    let mut strategies =
        vec![json!({"name": "it", "strategy": strategy, "from": from, "config": config})];
    if from.is_some() {
        strategies.push(json!({"name": "base", "strategy": "pretraining"}));
    }
    lab_protocol::from_value(json!({
        "name": "test", "seed": 7, "data": {"source": "user", "name": "t"}, "strategies": strategies
    }))
    .unwrap_or_else(|error| panic!("{error}"))
}

/// A model that has seen text similar to the questions, but not their facts.
fn base() -> Vec<ModelFile> {
    let config = json!({
        "model": {"layers": 2, "heads": 2, "width": 32, "context": 16},
        "training": training(60, json!({}))
    });
    let host = Rc::new(TestHost::default());
    run_from(
        &experiment("pretraining", config),
        &text(),
        vec![],
        host,
        None,
    )
    .unwrap()
    .files
}

fn fine_tune(
    config: Value,
    rows: &str,
    base: &[ModelFile],
    host: &Rc<TestHost>,
    checkpoint: Option<Vec<u8>>,
) -> Result<RunResult, LabError> {
    let experiment = experiment("fine_tuning", config);
    run_from(&experiment, rows, base.to_vec(), host.clone(), checkpoint)
}

fn paths(result: &RunResult) -> Vec<&str> {
    result.files.iter().map(|file| file.path.as_str()).collect()
}

#[test]
fn every_method_learns_and_leaves_its_folders() {
    let base = base();
    for (method, packing, dora) in [
        ("full", false, false),
        ("full", true, false),
        ("lora", false, false),
        ("lora", true, true),
        ("qlora", false, false),
    ] {
        let config = json!({
            "method": method, "packing": packing,
            "lora": {"rank": 4, "alpha": 16, "dropout": 0.05, "dora": dora},
            "training": training(24, json!({"gradient_accumulation": 2, "sample_tokens": 4, "sample_interval": 12}))
        });
        let host = Rc::new(TestHost::default());
        let result = fine_tune(config, &questions(), &base, &host, None).unwrap();
        let losses = host.losses();
        let last = losses[losses.len() - 3..].iter().sum::<f64>() / 3.0;
        assert!(last < 0.8 * losses[0], "{method} {losses:?}");
        let first = &host.metrics()[0].values;
        for name in [
            "accuracy",
            "learning_rate",
            "gradient_norm",
            "tokens_per_second",
        ] {
            assert!(first.contains_key(name), "{name}");
        }
        for name in ["validation_loss", "validation_accuracy", "optimizer_bytes"] {
            assert!(result.metrics.contains_key(name), "{name}");
        }
        let trained = result.metrics["trainable_parameters"];
        let all = result.metrics["parameters"];
        if method == "full" {
            assert_eq!(trained, all);
        } else {
            assert!(trained < 0.3 * all, "{trained} {all}");
            assert!(paths(&result).contains(&"adapter/adapter_config.json"));
            // The base beside it is unchanged.
            for file in &base {
                assert!(result.files.contains(file), "{}", file.path);
            }
        }
        assert!(paths(&result).contains(&"model/config.json"));
        assert_eq!(result.metrics["optimizer_bytes"], 8.0 * trained);
        let samples = host.events.borrow();
        let samples = samples.iter().filter(|e| matches!(e, Event::Sample { .. }));
        // Three prompts: before, at step 12, at step 24, at the end.
        assert_eq!(samples.count(), 12);
        // Every result can be trained further.
        let config = json!({"method": "lora", "training": training(2, json!({}))});
        let host = Rc::new(TestHost::default());
        let next = fine_tune(config, &questions(), &result.files, &host, None).unwrap();
        assert!(
            host.losses()[0] < 0.9 * losses[0],
            "{method} {:?}",
            host.losses()
        );
        assert!(paths(&next).contains(&"adapter/adapter_model.safetensors"));
    }
}

#[test]
fn a_resumed_run_goes_on_as_if_it_had_never_stopped() {
    let base = base();
    let config = json!({
        "method": "lora", "lora": {"dropout": 0.1, "dora": true}, "training": training(9, json!({}))
    });
    let whole = Rc::new(TestHost::default());
    let expected = fine_tune(config.clone(), &questions(), &base, &whole, None).unwrap();
    let first = Rc::new(TestHost::default());
    first
        .commands
        .borrow_mut()
        .push_back((5, Command::Stop { run: "run".into() }));
    let stopped = fine_tune(config.clone(), &questions(), &base, &first, None).unwrap();
    assert_eq!(stopped.stop_reason, StopReason::Stopped);
    let (_, state) = first.checkpoint().unwrap();
    let second = Rc::new(TestHost::default());
    let result = fine_tune(config, &questions(), &base, &second, Some(state)).unwrap();
    assert_eq!([first.losses(), second.losses()].concat(), whole.losses());
    assert_eq!(result.files, expected.files);
}

#[test]
fn bad_data_is_named_and_nothing_is_lost() {
    let base = base();
    let good = questions();
    let refuse = |rows: &str, extra: Value| {
        let mut config = json!({"method": "full", "training": training(2, json!({}))});
        let extra = extra.as_object().unwrap().clone();
        config.as_object_mut().unwrap().extend(extra);
        let host = Rc::new(TestHost::default());
        let error = fine_tune(config, rows, &base, &host, None).unwrap_err();
        assert!(error.code.is_input(), "{error}");
        assert!(host.losses().is_empty());
        error
    };
    for (row, says) in [
        (r#"{"prompt": "1+1="}"#, "no response"),
        (r#"{"prompt": "1+1=", "response": ""}"#, "empty"),
        (r#"{"prompt": 1, "response": "2"}"#, "a number"),
        (
            r#"{"prompt": "1", "response": "2", "response": "3"}"#,
            "twice",
        ),
        (r#"{"prompt": "é", "response": "2"}"#, "'é'"),
    ] {
        let error = refuse(&format!("{good}{row}\n"), json!({}));
        assert!(error.message.contains("row 101"), "{error}");
        assert!(error.message.contains(says), "{error}");
        assert_eq!(error.code, ErrorCode::InvalidData);
    }
    assert!(refuse("[]", json!({})).message.contains("no example"));
    // Ten megabytes in one row are too long, and said to be.
    let long = json!({"prompt": "1".repeat(10 << 20), "response": "2"});
    let error = refuse(&format!("{long}\n"), json!({"too_long": "error"}));
    assert!(error.message.contains("row 1 is"), "{error}");
    let error = refuse(&format!("{long}\n"), json!({}));
    assert!(error.message.contains("no example is left"), "{error}");
    let error = refuse(
        &good,
        json!({"lora": {"targets": ["q_proj"]}, "method": "lora"}),
    );
    assert!(error.hint.contains("c_attn"), "{error}");
    assert_eq!(error.field.as_deref(), Some("config.lora.targets"));
    let error = refuse(&good, json!({"lora": {"rank": 0}}));
    assert!(error.field.unwrap().ends_with("lora.rank"));
    let error = refuse(&good, json!({"ranks": 3}));
    assert_eq!(error.code, ErrorCode::UnknownKey);

    // Left out, it is counted; cut, it is learned from.
    for (too_long, says) in [
        ("drop", "1 examples were left out"),
        ("truncate", "1 examples were cut"),
    ] {
        let host = Rc::new(TestHost::default());
        let config =
            json!({"method": "full", "too_long": too_long, "training": training(2, json!({}))});
        let rows = format!("{long}\n{good}");
        fine_tune(config, &rows, &base, &host, None).unwrap();
        let events = host.events.borrow();
        let said = |event: &Event| matches!(event, Event::Log { message, .. } if message.contains(says) && message.contains("row 1"));
        assert!(events.iter().any(said), "{too_long}");
        assert!(host.losses().iter().all(|loss| loss.is_finite()));
    }
}
