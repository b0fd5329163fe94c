//! Runs that learn from preferences and rewards: they resume, obey, and report errors.

use crate::task::{Outcome, TASK, dpo, ppo, run, run_with, warnings, with, with_reward_model};
use async_trait::async_trait;
use lab_bench::KnownOptimum;
use lab_protocol::{BackendChoice, Command, ErrorCode, Event, MetricRecord, ModelFile, StopReason};
use lab_strategies::{Answer, Platform, Registry, RewardFunction, device, prepare};
use lab_tests::{TestHost, series};
use serde_json::{Value, json};
use std::rc::Rc;

/// Metrics, except times.
fn comparable(records: &[MetricRecord], after: usize) -> Vec<Value> {
    let later = records.iter().filter(|record| record.step > after);
    later
        .map(|record| {
            let mut values = record.values.clone();
            values.retain(|name, _| !["eps", "tokens_per_second"].contains(&name.as_str()));
            json!({"step": record.step, "values": values})
        })
        .collect()
}

#[test]
fn a_resumed_run_is_one_that_never_stopped() {
    let text = TASK.preferences(300, 5);
    let cases = [
        ("rlhf", with_reward_model(json!({})), [13, 30, 33]),
        (
            "rlhf",
            with_reward_model(json!({"lora": {"rank": 2}, "reward_model": {"lora": {"rank": 2}}})),
            [7, 31, 34],
        ),
        ("dpo", dpo(json!({"steps": 12})), [1, 5, 11]),
    ];
    for (strategy, config, stops) in cases {
        let whole = run(strategy, config.clone(), text.clone()).unwrap();
        for stop in stops {
            let host: Rc<TestHost> = Rc::default();
            let id = || "run".to_owned();
            host.commands
                .borrow_mut()
                .push_back((stop, Command::Stop { run: id() }));
            let stopped =
                run_with(strategy, config.clone(), text.clone(), host, None, None).unwrap();
            assert_eq!(stopped.result.stop_reason, StopReason::Stopped);
            let (step, state) = stopped.host.checkpoint().unwrap();
            assert_eq!(step, stop);
            let again = run_with(
                strategy,
                config.clone(),
                text.clone(),
                Rc::default(),
                Some(state),
                None,
            );
            let again = again.unwrap();
            assert_eq!(
                comparable(&again.host.metrics(), stop),
                comparable(&whole.host.metrics(), stop),
                "{strategy} resumed at {stop}"
            );
            assert_eq!(
                again.result.files, whole.result.files,
                "{strategy} resumed at {stop}"
            );
        }
    }
}

#[test]
fn a_run_pauses_makes_a_step_and_shows_its_samples() {
    let host: Rc<TestHost> = Rc::default();
    let id = || "run".to_owned();
    host.commands.borrow_mut().extend([
        (2, Command::Pause { run: id() }),
        (2, Command::Step { run: id() }),
        (3, Command::Resume { run: id() }),
    ]);
    let config = ppo(
        json!({"ppo": {"steps": 5, "batch_size": 8}, "report": {"sample_interval": 2, "samples": 3}}),
    );
    let outcome = run_with("rlhf", config, TASK.prompts(), host, None, None).unwrap();
    let events = outcome.host.events.borrow();
    let paused = events
        .iter()
        .filter(|event| matches!(event, Event::Paused { .. }))
        .count();
    assert_eq!(paused, 2);
    let samples: Vec<(usize, f64)> = events
        .iter()
        .filter_map(|event| match event {
            Event::Sample {
                step, text, reward, ..
            } => {
                assert_eq!(reward.unwrap(), text.matches('b').count() as f64);
                Some((*step, reward.unwrap()))
            }
            _ => None,
        })
        .collect();
    let steps: Vec<usize> = samples.iter().map(|sample| sample.0).collect();
    assert_eq!(steps, [2, 2, 2, 4, 4, 4, 5, 5, 5]);
}

#[test]
fn answers_that_do_not_end_are_penalised() {
    let config = ppo(json!({
        "ppo": {"steps": 12, "kl_coefficient": 0.0},
        "reward": {"kind": "length", "tokens": 4},
        "rollout": {"stop": "d", "missing_eos_penalty": 5.0}
    }));
    let Outcome { host, .. } = run("rlhf", config, TASK.prompts()).unwrap();
    let ended = series(&host.metrics(), "val/num_eos_tokens");
    assert!(ended[0] < 110.0 && ended[11] > 120.0, "{ended:?}");
}

struct Nothing;

#[async_trait(?Send)]
impl RewardFunction for Nothing {
    async fn reward(&self, answer: &Answer) -> f64 {
        if answer.response.starts_with('b') {
            f64::NAN
        } else {
            0.0
        }
    }
}

#[test]
fn a_reward_that_is_no_number_ends_the_run_with_its_answer() {
    let config = ppo(json!({"reward": {"kind": "function"}}));
    let reward: Rc<dyn RewardFunction> = Rc::new(Nothing);
    let outcome = run_with(
        "rlhf",
        config.clone(),
        TASK.prompts(),
        Rc::default(),
        None,
        Some(reward),
    );
    let error = outcome.err().unwrap();
    assert_eq!(
        (error.code, error.field.as_deref()),
        (ErrorCode::NonFinite, Some("reward"))
    );
    assert!(error.message.contains("\"b"), "{error}");
    let error = run("rlhf", config, TASK.prompts()).err().unwrap();
    assert_eq!(error.code, ErrorCode::InvalidConfig, "{error}");
}

/// A user's collected preferences replace the data, whatever the data are.
#[test]
fn collected_pairs_are_learned_from_as_the_data_would_be() {
    let text = TASK.preferences(90, 1);
    // In a file an answer may repeat the prompt, "a", which is then removed.
    let repeats = |row: &&str| {
        ["chosen", "rejected"]
            .iter()
            .any(|key| row.contains(&format!("{key}\":\"a")))
    };
    let text: Vec<&str> = text.lines().filter(|row| !repeats(row)).collect();
    let text = text.join("\n");
    let rows = text.lines().map(serde_json::from_str);
    let rows: Vec<Value> = rows.collect::<Result<_, _>>().unwrap();
    let losses = |config: Value, text: String| {
        let Outcome { host, .. } = run("dpo", config, text).unwrap();
        series(&host.metrics(), "loss")
    };
    let config = dpo(json!({"steps": 5, "batch_size": 8}));
    let collected = with(config.clone(), json!({"preferences": rows}));
    let expected = losses(config, text);
    assert_eq!(losses(collected, "No pairs here.".to_owned()), expected);
}

#[test]
fn pairs_that_say_nothing_are_counted_and_left_out() {
    let pair = |chosen: &str, rejected: &str| {
        format!(
            "{}\n",
            json!({"prompt": "a", "chosen": chosen, "rejected": rejected})
        )
    };
    let bad = [
        pair("ab", "ab"),
        pair("", "ab"),
        pair("ab", "abcdabcdabcd"),
        pair("b", "b "),
    ]
    .concat();
    let text = format!("{bad}{}", TASK.preferences(40, 1));
    let Outcome { host, .. } = run("dpo", dpo(json!({"steps": 2})), text).unwrap();
    let said = warnings(&host).remove(0);
    for part in [
        "2 pairs of equal answers",
        "1 pairs with an empty answer",
        "1 pairs that are too long",
    ] {
        assert!(said.contains(part), "{said}");
    }
    let error = run("dpo", dpo(json!({})), bad).err().unwrap();
    assert_eq!(
        (error.code, error.field.as_deref()),
        (ErrorCode::InvalidData, Some("data"))
    );
    assert!(error.message.contains("equal"), "{error}");
}

#[test]
fn what_cannot_work_is_refused_by_name() {
    let refused = |strategy: &str, config: Value, text: &str| {
        let error = run(strategy, config, text.to_owned()).err().unwrap();
        (error.code, error.field.unwrap_or_default())
    };
    let (prompts, pairs) = (TASK.prompts(), TASK.preferences(4, 1));
    let place = |field: &str| {
        (
            ErrorCode::InvalidConfig,
            format!("strategies[0].config.{field}"),
        )
    };
    assert_eq!(
        refused("rlhf", ppo(json!({"ppo": {"minibatches": 3}})), &prompts),
        place("ppo.minibatches")
    );
    assert_eq!(refused("grpo", json!({"group": 1}), &pairs), place("group"));
    assert_eq!(
        refused("rlhf", ppo(json!({"reward": {"pattern": "("}})), &prompts),
        place("reward.pattern")
    );
    assert_eq!(
        refused("dpo", json!({"beeta": 1}), &pairs),
        (ErrorCode::UnknownKey, "strategies[0].config.beeta".into())
    );
    let (code, field) = refused("dpo", dpo(json!({})), "not JSON");
    assert_eq!((code, field.as_str()), (ErrorCode::InvalidData, "data"));
    let (code, _) = refused(
        "dpo",
        dpo(json!({})),
        "{\"prompt\": \"z\", \"chosen\": \"b\", \"rejected\": \"c\"}",
    );
    assert_eq!(code, ErrorCode::InvalidData);

    // A model other than the checkpoint's, and one with another tokenizer.
    let device = pollster::block_on(device::open(BackendChoice::Cpu)).unwrap();
    let other = KnownOptimum {
        vocabulary: 5,
        ..TASK
    };
    let experiment = TASK.experiment("dpo", dpo(json!({"steps": 3})), 1).unwrap();
    let prepared = |base: Vec<ModelFile>| {
        let text = pairs.clone();
        prepare(&Registry::default(), &experiment, "improve", text, base).unwrap()
    };
    let execute = |base: Vec<ModelFile>, checkpoint: Option<Vec<u8>>| {
        let host: Rc<TestHost> = Rc::default();
        let platform = Platform::offline(device.clone(), host.clone());
        let result = prepared(base).execute("run".into(), platform, checkpoint);
        pollster::block_on(result).map(|_| host)
    };
    let base = |task: KnownOptimum, seed| pollster::block_on(task.base(seed, &device)).unwrap();
    let host: Rc<TestHost> = Rc::default();
    host.commands
        .borrow_mut()
        .push_back((2, Command::Stop { run: "run".into() }));
    let platform = Platform::offline(device.clone(), host.clone());
    let stopped = prepared(base(TASK, 1)).execute("run".into(), platform, None);
    pollster::block_on(stopped).unwrap();
    let (_, state) = host.checkpoint().unwrap();
    for wrong in [base(other, 1), base(TASK, 2)] {
        let error = execute(wrong, Some(state.clone())).err().unwrap();
        assert_eq!(error.code, ErrorCode::InvalidCheckpoint, "{error}");
        assert!(error.message.contains("model to start from"), "{error}");
    }
    let mut mixed = base(TASK, 1);
    mixed.retain(|file| file.path != "model/tokenizer.json");
    let tokenizer = base(other, 1)
        .into_iter()
        .find(|file| file.path == "model/tokenizer.json");
    mixed.extend(tokenizer);
    let error = execute(mixed, None).err().unwrap();
    assert!(
        error.message.contains("5 entries, and the model 4"),
        "{error}"
    );
    let error = execute(Vec::new(), None).err().unwrap();
    assert_eq!(error.field.as_deref(), Some("from"), "{error}");
}
