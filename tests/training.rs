//! Training as a whole: it learns, it repeats, it resumes, it obeys.

use lab_protocol::{Command, ErrorCode, Event, GenerateRequest, StopReason};
use lab_tests::{TestHost, experiment, run};
use serde_json::json;
use std::rc::Rc;

fn names() -> &'static str {
    lab_village::text("first-names").unwrap()
}

fn small(steps: usize, extra: serde_json::Value) -> serde_json::Value {
    let mut training = json!({
        "steps": steps, "batch_size": 4, "warmup_steps": 2, "evaluation_interval": 4, "evaluation_windows": 4,
        "final_evaluation_windows": 4, "sample_interval": 0, "sample_tokens": 0, "checkpoint_interval": 0
    });
    training
        .as_object_mut()
        .unwrap()
        .extend(extra.as_object().unwrap().clone());
    json!({"model": {"layers": 2, "heads": 2, "width": 16, "context": 16}, "training": training})
}

/// Cross-entropy of the held-out part under character bigrams counted on the rest, add-one smoothed.
fn bigram_floor(text: &str) -> f64 {
    let mut alphabet: Vec<char> = text.chars().collect();
    alphabet.sort_unstable();
    alphabet.dedup();
    let ids: Vec<usize> = text
        .chars()
        .map(|c| alphabet.binary_search(&c).unwrap())
        .collect();
    let size = alphabet.len();
    let (training, validation) = ids.split_at((ids.len() as f64 * 0.9) as usize);
    let mut pairs = vec![1.0; size * size];
    training
        .windows(2)
        .for_each(|pair| pairs[pair[0] * size + pair[1]] += 1.0);
    let nll = |pair: &[usize]| {
        let row = &pairs[pair[0] * size..][..size];
        -(row[pair[1]] / row.iter().sum::<f64>()).ln()
    };
    validation.windows(2).map(nll).sum::<f64>() / (validation.len() - 1) as f64
}

#[test]
fn a_transformer_is_better_than_bigrams() {
    let text: String = lab_village::text("moby-dick")
        .unwrap()
        .chars()
        .take(300_000)
        .collect();
    let config = json!({
        "model": {"layers": 2, "heads": 4, "width": 64, "context": 32},
        "training": {"steps": 500, "batch_size": 16, "learning_rate": 3e-3, "minimum_learning_rate": 3e-4,
                     "evaluation_interval": 250, "evaluation_windows": 64, "final_evaluation_windows": 0,
                     "sample_interval": 0, "sample_tokens": 0, "checkpoint_interval": 0}
    });
    let host = Rc::new(TestHost::default());
    let result = run(&experiment(config), &text, host.clone(), None).unwrap();
    let floor = bigram_floor(&text);
    let loss = result.metrics["validation_loss"];
    assert!(
        loss < floor - 0.1,
        "validation loss {loss}, bigram floor {floor}"
    );
    // The first loss is about that of guessing.
    let mut alphabet: Vec<char> = text.chars().collect();
    alphabet.sort_unstable();
    alphabet.dedup();
    let uniform = (alphabet.len() as f64).ln();
    assert!(
        (host.losses()[0] - uniform).abs() < 0.1,
        "{} {uniform}",
        host.losses()[0]
    );
    assert_eq!(result.metrics["validation_tokens"], 29_999.0);
    let perplexity = result.metrics["validation_perplexity"];
    assert!((perplexity - loss.exp()).abs() < 1e-9);
}

#[test]
fn the_same_seed_gives_the_same_metrics_and_another_seed_others() {
    let metrics = |seed: u64| {
        let mut experiment = experiment(small(10, json!({"gradient_accumulation": 2})));
        experiment.seed = seed;
        let host = Rc::new(TestHost::default());
        run(&experiment, names(), host.clone(), None).unwrap();
        let keep = |record: lab_protocol::MetricRecord| {
            let mut values = record.values;
            values.remove("tokens_per_second");
            (record.step, values)
        };
        host.metrics().into_iter().map(keep).collect::<Vec<_>>()
    };
    assert_eq!(metrics(1), metrics(1));
    assert_ne!(metrics(1), metrics(2));
}

#[test]
fn accumulated_micro_batches_are_one_large_batch_in_expectation_and_count_all_tokens() {
    let host = Rc::new(TestHost::default());
    let result = run(
        &experiment(small(4, json!({"gradient_accumulation": 3}))),
        names(),
        host,
        None,
    )
    .unwrap();
    assert_eq!(result.metrics["token_count"], (4 * 3 * 4 * 16) as f64);
}

#[test]
fn a_resumed_run_goes_on_as_if_it_had_never_stopped() {
    for dropout in [0.0, 0.2] {
        let mut config = small(
            12,
            json!({"checkpoint_interval": 5, "sample_interval": 6, "sample_tokens": 5}),
        );
        config["model"]["dropout"] = json!(dropout);
        let experiment = experiment(config);
        let whole = Rc::new(TestHost::default());
        let expected = run(&experiment, names(), whole.clone(), None).unwrap();

        let first = Rc::new(TestHost::default());
        first
            .commands
            .borrow_mut()
            .push_back((7, Command::Stop { run: "run".into() }));
        let stopped = run(&experiment, names(), first.clone(), None).unwrap();
        assert_eq!(stopped.stop_reason, StopReason::Stopped);
        let (step, state) = first.checkpoint().unwrap();
        assert_eq!(step, 7);

        let second = Rc::new(TestHost::default());
        let result = run(&experiment, names(), second.clone(), Some(state.clone())).unwrap();
        assert_eq!([first.losses(), second.losses()].concat(), whole.losses());
        assert_eq!(result.metrics, expected.metrics);
        assert_eq!(result.files, expected.files);

        let error = run(
            &self::experiment(small(12, json!({}))),
            names(),
            second,
            Some(state),
        )
        .unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidCheckpoint);
    }
}

#[test]
fn pause_step_resume_generate_and_stop_are_obeyed() {
    let host = Rc::new(TestHost::default());
    let id = || "run".to_owned();
    let request = GenerateRequest {
        prompt: "Ann".into(),
        max_tokens: 3,
        ..Default::default()
    };
    let unknown = GenerateRequest {
        prompt: "✗".into(),
        ..request.clone()
    };
    host.commands.borrow_mut().extend([
        (2, Command::Pause { run: id() }),
        (2, Command::Step { run: id() }),
        (
            3,
            Command::Generate {
                run: id(),
                request: unknown,
            },
        ),
        (3, Command::Generate { run: id(), request }),
        (3, Command::Resume { run: id() }),
        (6, Command::Stop { run: id() }),
    ]);
    let result = run(
        &experiment(small(50, json!({}))),
        names(),
        host.clone(),
        None,
    )
    .unwrap();
    assert_eq!((result.steps, result.stop_reason), (6, StopReason::Stopped));
    let events = host.events.borrow();
    let paused: Vec<usize> = events
        .iter()
        .filter_map(|e| {
            if let Event::Paused { step, .. } = e {
                Some(*step)
            } else {
                None
            }
        })
        .collect();
    assert_eq!(paused, [2, 3]);
    assert!(
        events
            .iter()
            .any(|e| matches!(e, Event::Resumed { step: 3, .. }))
    );
    assert!(
        events
            .iter()
            .any(|e| matches!(e, Event::Log { message, .. } if message.contains('✗')))
    );
    let samples: Vec<_> = events
        .iter()
        .filter_map(|e| {
            if let Event::Sample { text, .. } = e {
                Some(text.chars().count())
            } else {
                None
            }
        })
        .collect();
    assert_eq!(samples, [3]);
}

#[test]
fn a_loss_that_explodes_is_an_error_that_says_so() {
    let host = Rc::new(TestHost::default());
    let training = json!({"learning_rate": 10.0, "warmup_steps": 0, "gradient_clip": 0.0, "weight_decay": 10.0, "epsilon": 1e-30});
    let mut config = small(300, training);
    config["model"]["norm_epsilon"] = json!(1e-300);
    let outcome = run(&experiment(config), names(), host.clone(), None);
    match outcome {
        Err(error) => assert_eq!(error.code, ErrorCode::NonFinite, "{error}"),
        // It need not explode; then all it reported is finite.
        Ok(_) => assert!(host.losses().iter().all(|loss| loss.is_finite())),
    }
}

#[test]
fn early_stopping_keeps_the_best_weights() {
    let host = Rc::new(TestHost::default());
    // A rate of 0 learns nothing: no evaluation is better than the first.
    let training = json!({"learning_rate": 0.0, "minimum_learning_rate": 0.0, "early_stopping_patience": 2, "evaluation_interval": 1});
    let result = run(&experiment(small(50, training)), names(), host, None).unwrap();
    assert_eq!(
        (result.stop_reason, result.steps, result.best_step),
        (StopReason::EarlyStopping, 3, 1)
    );
}

#[test]
fn every_shape_of_decoder_trains() {
    for (norm, position, activation) in [
        ("layer_norm", "learned", "gelu"),
        ("layer_norm", "learned", "gelu_new"),
        ("rms_norm", "rope", "swiglu"),
        ("rms_norm", "learned", "relu"),
        ("layer_norm", "rope", "swiglu"),
    ] {
        for (bias, tied) in [(false, true), (true, false)] {
            let mut config = small(
                8,
                json!({"learning_rate": 1e-2, "minimum_learning_rate": 1e-2}),
            );
            config["model"]["norm"] = json!(norm);
            config["model"]["position"] = json!(position);
            config["model"]["activation"] = json!(activation);
            config["model"]["bias"] = json!(bias);
            config["model"]["tied_head"] = json!(tied);
            config["model"]["key_value_heads"] = json!(if position == "rope" { 1 } else { 0 });
            let host = Rc::new(TestHost::default());
            let result = run(&experiment(config), names(), host.clone(), None).unwrap();
            let losses = host.losses();
            assert!(
                losses[7] < losses[0],
                "{norm} {position} {activation} {losses:?}"
            );
            let files: Vec<_> = result.files.iter().map(|file| file.path.as_str()).collect();
            assert_eq!(
                files,
                [
                    "model/config.json",
                    "model/model.safetensors",
                    "model/tokenizer.json",
                    "model/tokenizer_config.json",
                    "model/generation_config.json"
                ]
            );
        }
    }
}

/// The first losses of the quick start, which every backend must give: the browser's tests read the same
/// file. Initial weights and batches are the same bit for bit; sums are made in other orders.
#[test]
fn the_quick_start_begins_with_the_losses_on_record() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(folder.join(path)).unwrap();
    let record: serde_json::Value =
        serde_json::from_str(&read("golden/quickstart-losses.json")).unwrap();
    let mut experiment: lab_protocol::ExperimentConfig =
        lab_protocol::from_json(&read("../web/experiments/quickstart.json")).unwrap();
    let expected: Vec<f64> = serde_json::from_value(record["losses"].clone()).unwrap();
    let training = &mut experiment.strategies[0].config["training"];
    // The schedule stays that of the whole run.
    training["decay_steps"] = training["steps"].clone();
    training["steps"] = json!(expected.len());
    for key in [
        "evaluation_interval",
        "sample_interval",
        "checkpoint_interval",
        "sample_tokens",
    ] {
        training[key] = json!(0);
    }
    training["final_evaluation_windows"] = json!(1);
    let host = Rc::new(TestHost::default());
    run(&experiment, names(), host.clone(), None).unwrap();
    let losses = host.losses();
    let tolerance = record["tolerance"].as_f64().unwrap();
    for (step, (found, expected)) in losses.iter().zip(&expected).enumerate() {
        assert!(
            (found - expected).abs() <= tolerance,
            "step {}: {found}, on record {expected}\n{losses:?}",
            step + 1
        );
    }
    assert_eq!(losses.len(), expected.len());
}
