//! The protocol at its edge: a user's mistake is reported with code, message, hint and field.

use lab_protocol::{
    Command, ErrorCode, Event, ExperimentConfig, LabError, from_json, text_from_bytes,
};
use lab_strategies::{Registry, prepare};
use lab_tests::experiment;
use serde_json::{Value, json};

/// The error of an experiment whose pretraining configuration is `config`, on a text of 1,000 letters.
fn refused(config: Value) -> LabError {
    refused_with(&experiment(config), &"abcdefghij".repeat(100))
}

fn refused_with(experiment: &ExperimentConfig, text: &str) -> LabError {
    let error = prepare(
        &Registry::default(),
        experiment,
        "pretrain",
        text.into(),
        Vec::new(),
    )
    .err()
    .expect("it should be refused");
    assert!(
        !error.message.is_empty() && !error.hint.is_empty(),
        "{error}"
    );
    assert!(error.code.is_input(), "{error}");
    error
}

#[track_caller]
fn assert_error(error: LabError, code: ErrorCode, field: &str) {
    assert_eq!(
        (error.code, error.field.as_deref()),
        (code, Some(field)),
        "{error}"
    );
}

#[test]
fn settings_that_cannot_work_name_their_field() {
    let cases = [
        (json!({"model": {"context": 0}}), "model.context"),
        (json!({"model": {"heads": 3, "width": 64}}), "model.heads"),
        (json!({"model": {"heads": 0}}), "model.heads"),
        (
            json!({"model": {"key_value_heads": 3}}),
            "model.key_value_heads",
        ),
        (json!({"model": {"dropout": 1.0}}), "model.dropout"),
        (json!({"model": {"layers": 1_000_000}}), "model.layers"),
        (
            json!({"training": {"learning_rate": -0.001}}),
            "training.learning_rate",
        ),
        (
            json!({"training": {"minimum_learning_rate": 0.1}}),
            "training.minimum_learning_rate",
        ),
        (json!({"training": {"steps": 0}}), "training.steps"),
        (
            json!({"training": {"batch_size": 0}}),
            "training.batch_size",
        ),
        (json!({"training": {"beta2": 1.0}}), "training.beta2"),
    ];
    for (config, field) in cases {
        assert_error(
            refused(config),
            ErrorCode::InvalidConfig,
            &format!("strategies[0].config.{field}"),
        );
    }
}

#[test]
fn unknown_keys_and_wrong_types_are_never_ignored() {
    let error = refused(json!({"model": {"depth": 4}}));
    assert_eq!(error.code, ErrorCode::UnknownKey);
    assert!(error.message.contains("depth"), "{error}");
    assert!(
        error
            .field
            .as_deref()
            .unwrap_or_default()
            .starts_with("strategies[0].config.model"),
        "{error}"
    );
    let error = refused(json!({"training": {"steps": "many"}}));
    assert_error(
        error,
        ErrorCode::InvalidJson,
        "strategies[0].config.training.steps",
    );
    let error = from_json::<ExperimentConfig>(
        r#"{"name": "x", "data": {"source": "user"}, "strategies": [], "sede": 1}"#,
    );
    assert_eq!(error.unwrap_err().code, ErrorCode::UnknownKey);
    for text in ["", "{", "[]", "{} {}", "null", "\"x\"", "{\"name\": 3}"] {
        assert!(
            from_json::<ExperimentConfig>(text)
                .unwrap_err()
                .code
                .is_input(),
            "{text}"
        );
    }
}

#[test]
fn texts_that_cannot_be_used_say_why() {
    assert_error(
        text_from_bytes(vec![]).unwrap_err(),
        ErrorCode::InvalidData,
        "data",
    );
    assert_error(
        text_from_bytes(vec![b'a', 0xFF]).unwrap_err(),
        ErrorCode::InvalidUtf8,
        "data",
    );
    assert_eq!(text_from_bytes("\u{feff}abc".into()).unwrap(), "abc");
    assert_error(
        refused_with(&experiment(json!({})), ""),
        ErrorCode::InvalidData,
        "data",
    );
    let short = refused_with(&experiment(json!({})), "only a few words");
    assert_error(short, ErrorCode::InvalidData, "data");
    let unknown = refused(json!({"training": {"sample_prompt": "z"}}));
    assert_error(
        unknown,
        ErrorCode::InvalidData,
        "strategies[0].config.training.sample_prompt",
    );
}

#[test]
fn experiments_that_make_no_sense_are_refused() {
    let mut none = experiment(json!({}));
    none.strategies.clear();
    assert_error(
        refused_with(&none, "abc"),
        ErrorCode::InvalidConfig,
        "strategies",
    );
    let mut twice = experiment(json!({}));
    twice.strategies.push(twice.strategies[0].clone());
    assert_error(
        refused_with(&twice, "abc"),
        ErrorCode::InvalidConfig,
        "strategies[1].name",
    );
    let mut unknown = experiment(json!({}));
    unknown.strategies[0].strategy = "alchemy".into();
    assert_error(
        refused_with(&unknown, "abc"),
        ErrorCode::InvalidConfig,
        "strategies[0].strategy",
    );
    let mut fraction = experiment(json!({}));
    fraction.data.validation_fraction = 1.0;
    assert_error(
        refused_with(&fraction, "abc"),
        ErrorCode::InvalidConfig,
        "data.validation_fraction",
    );
    let mut seed = experiment(json!({}));
    seed.seed = u64::MAX;
    assert_error(refused_with(&seed, "abc"), ErrorCode::InvalidConfig, "seed");
    assert_eq!(
        prepare(
            &Registry::default(),
            &experiment(json!({})),
            "other",
            "abc".into(),
            Vec::new()
        )
        .err()
        .unwrap()
        .code,
        ErrorCode::InvalidCommand
    );
}

/// Strategies that start from each other are ordered; an impossible order is refused.
#[test]
fn a_strategy_comes_after_the_one_it_starts_from() {
    let graph = |from: [Option<&str>; 3]| {
        let mut experiment = experiment(json!({}));
        let strategy = experiment.strategies[0].clone();
        experiment.strategies = ["a", "b", "c"]
            .into_iter()
            .zip(from)
            .map(|(name, from)| lab_protocol::StrategyConfig {
                name: name.into(),
                from: from.map(str::to_owned),
                ..strategy.clone()
            })
            .collect();
        experiment
    };
    assert_eq!(
        graph([Some("c"), None, Some("b")]).order().unwrap(),
        [1, 2, 0]
    );
    assert_eq!(graph([None; 3]).order().unwrap(), [0, 1, 2]);
    for (from, field) in [
        ([None, Some("x"), None], "strategies[1].from"),
        ([None, Some("c"), Some("b")], "strategies[1].from"),
        ([Some("a"), None, None], "strategies[0].from"),
    ] {
        let refused = prepare(
            &Registry::default(),
            &graph(from),
            "a",
            "abc".into(),
            Vec::new(),
        )
        .err();
        assert_error(refused.unwrap(), ErrorCode::InvalidConfig, field);
    }
    let alone = prepare(
        &Registry::default(),
        &graph([None, Some("a"), None]),
        "b",
        "abc".repeat(500),
        Vec::new(),
    );
    let error = alone.err().unwrap();
    assert_error(error, ErrorCode::InvalidCommand, "strategies[1].from");
}

/// The village is made from its settings; errors name the wrong ones.
#[test]
fn a_village_is_checked_like_any_setting() {
    let refused = |data: serde_json::Value| {
        let mut experiment = experiment(json!({}));
        experiment.data = lab_protocol::from_value(data).unwrap();
        refused_with(&experiment, "")
    };
    let error = refused(json!({"source": "village", "name": "metropolis"}));
    assert_error(error, ErrorCode::InvalidConfig, "data.name");
    let error = refused(json!({"source": "village", "village": {"people": 0}}));
    assert_error(error, ErrorCode::InvalidConfig, "data.village.people");
    let error = refused(json!({"source": "village", "village": {"dragons": 3}}));
    assert_eq!(error.code, ErrorCode::UnknownKey);
}

#[test]
fn messages_are_plain_tagged_objects() {
    let command =
        json!({"command": "generate", "run": "r", "request": {"prompt": "To be", "max_tokens": 5}});
    let parsed: Command = lab_protocol::from_value(command).unwrap();
    assert_eq!(parsed.run(), "r");
    let unknown =
        lab_protocol::from_value::<Command>(json!({"command": "pause", "run": "r", "force": true}));
    assert_eq!(unknown.unwrap_err().code, ErrorCode::UnknownKey);
    let event = Event::Failed {
        run: None,
        error: LabError::config("seed", "m", "h"),
    };
    assert_eq!(
        serde_json::to_value(event).unwrap(),
        json!({"event": "failed", "error": {"code": "invalid_config", "message": "m", "hint": "h", "field": "seed"}})
    );
    assert_eq!(
        LabError::config("seed", "m", "h").to_string(),
        "invalid_config: m (seed) — h"
    );
}
