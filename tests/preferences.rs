//! Learning from preferences and rewards as a whole, on tasks whose best policy is known: it finds it, it
//! repeats, it resumes, it obeys, and it says what is wrong.

use lab_orchestrator::{Answer, KnownOptimum, Registry, RewardFunction, Worth, device, prepare};
use lab_protocol::{
    BackendChoice, Command, ErrorCode, Event, LabError, MetricRecord, ModelFile, RunResult,
    StopReason,
};
use lab_tests::TestHost;
use serde_json::{Value, json};
use std::rc::Rc;

const TASK: KnownOptimum = KnownOptimum {
    vocabulary: 4,
    length: 4,
    kl_coefficient: 0.5,
};

struct Outcome {
    result: RunResult,
    host: Rc<TestHost>,
}

/// Runs a strategy on the task from its base.
fn run(strategy: &str, config: Value, text: String) -> Result<Outcome, LabError> {
    run_with(strategy, config, text, Rc::default(), None, None)
}

fn run_with(
    strategy: &str,
    config: Value,
    text: String,
    host: Rc<TestHost>,
    checkpoint: Option<Vec<u8>>,
    reward: Option<Rc<dyn RewardFunction>>,
) -> Result<Outcome, LabError> {
    pollster::block_on(async {
        let device = device::open(BackendChoice::Cpu).await?;
        let base = TASK.base(1, &device).await?;
        let mut experiment = TASK.experiment(strategy, config, 1)?;
        experiment.data.validation_fraction = 0.1;
        let mut prepared = prepare(&Registry::default(), &experiment, "improve", text, base)?;
        if let Some(reward) = reward {
            prepared = prepared.with_reward(reward);
        }
        let result = prepared
            .execute("run".into(), device, host.clone(), checkpoint)
            .await?;
        Ok(Outcome { result, host })
    })
}

fn worth(files: &[ModelFile]) -> Worth {
    pollster::block_on(async {
        let device = device::open(BackendChoice::Cpu).await.unwrap();
        TASK.worth(files, &device).await.unwrap()
    })
}

fn with(mut config: Value, changes: Value) -> Value {
    for (key, value) in changes.as_object().unwrap() {
        match (config.get_mut(key), value) {
            // Of another kind there is nothing to keep.
            (Some(inner @ Value::Object(_)), Value::Object(given))
                if !given.contains_key("kind") =>
            {
                *inner = with(inner.clone(), value.clone());
            }
            _ => config[key] = value.clone(),
        }
    }
    config
}

fn common() -> Value {
    json!({
        "rollout": {"response_tokens": 4},
        "report": {"sample_interval": 0, "checkpoint_interval": 0}
    })
}

fn ppo(changes: Value) -> Value {
    let config = with(
        common(),
        json!({
            "reward": {"kind": "pattern", "pattern": "b"},
            "ppo": {
                "steps": 25, "batch_size": 128, "minibatches": 4, "epochs": 4, "lambda": 1.0,
                "kl_coefficient": 0.5, "maximum_kl": 0.0,
                "optimizer": {"learning_rate": 1e-2, "minimum_learning_rate": 1e-4}
            }
        }),
    );
    with(config, changes)
}

fn series(records: &[MetricRecord], name: &str) -> Vec<f64> {
    let values = records.iter().filter_map(|record| record.values.get(name));
    values.copied().collect()
}

/// How near the objective came to the best, from 0 at the reference's to 1.
fn progress(worth: Worth) -> f64 {
    let start = TASK.length as f64 / TASK.vocabulary as f64;
    (worth.objective - start) / (TASK.optimum() - start)
}

#[test]
fn the_optimum_is_the_known_one() {
    assert!((KnownOptimum::STANDARD.optimum() - 2.34811).abs() < 5e-6);
    let device = pollster::block_on(device::open(BackendChoice::Cpu)).unwrap();
    let start = worth(&pollster::block_on(TASK.base(3, &device)).unwrap());
    assert!(
        (start.objective - 1.0).abs() < 1e-6 && start.kl.abs() < 1e-6,
        "{start:?}"
    );
    let lost = TASK.optimum() - start.objective;
    assert!(
        (lost - TASK.kl_coefficient * start.kl_to_optimum).abs() < 1e-6,
        "{start:?}"
    );
}

#[test]
fn ppo_finds_the_best_policy() {
    let Outcome { result, host } = run("rlhf", ppo(json!({})), TASK.prompts()).unwrap();
    let found = worth(&result.files);
    assert!(
        progress(found) > 0.95,
        "{found:?}, the best is {}",
        TASK.optimum()
    );
    // What holds for every policy, by the definition of the optimum.
    let lost = TASK.optimum() - found.objective;
    assert!(
        (lost - TASK.kl_coefficient * found.kl_to_optimum).abs() < 1e-5,
        "{found:?}"
    );

    // In the loop itself: before an update has learned anything, nothing has moved.
    let records = host.metrics();
    let updates = series(&records, "val/first_ratio");
    assert_eq!(updates.len(), 25);
    assert!(
        updates.iter().all(|ratio| (ratio - 1.0).abs() < 1e-5),
        "{updates:?}"
    );
    assert!(
        series(&records, "val/first_approxkl")
            .iter()
            .all(|kl| *kl < 1e-9)
    );
    assert!(
        series(&records, "val/first_clipfrac")
            .iter()
            .all(|share| *share == 0.0)
    );
    assert!(
        series(&records, "val/sampling_error")
            .iter()
            .all(|error| *error < 1e-4)
    );
    // The policy is the reference at first.
    assert!(series(&records, "objective/kl")[0].abs() < 1e-5);
    let first = &records
        .iter()
        .find(|r| r.values.contains_key("ppo_loss"))
        .unwrap()
        .values;
    for name in [
        "objective/kl",
        "objective/entropy",
        "objective/non_score_reward",
        "objective/rlhf_reward",
        "objective/scores",
        "policy/approxkl_avg",
        "policy/clipfrac_avg",
        "policy/entropy_avg",
        "loss/policy_avg",
        "loss/value_avg",
        "val/clipfrac_avg",
        "val/ratio",
        "val/ratio_var",
        "val/num_eos_tokens",
        "lr",
        "eps",
        "episode",
        "kl_coef",
        "grad_norm",
        "explained_variance",
        "ppo_loss",
        "average_reward",
    ] {
        assert!(first.contains_key(name), "{name} is missing: {first:?}");
    }
    assert!(warnings(&host).is_empty(), "{:?}", warnings(&host));
}

#[test]
fn without_a_penalty_the_score_is_higher() {
    let free = json!({"ppo": {"kl_coefficient": 0.0, "steps": 15}});
    let free = worth(&run("rlhf", ppo(free), TASK.prompts()).unwrap().result.files);
    let best_score = TASK.length as f64 * 2f64.exp() / (2f64.exp() + 3.0);
    assert!(
        free.score > best_score + 0.3,
        "{free:?}, with the penalty {best_score}"
    );
    assert!(free.objective < TASK.optimum());
}

#[test]
fn grpo_finds_the_best_policy() {
    let config = with(
        common(),
        json!({
            "reward": {"kind": "pattern", "pattern": "b"}, "steps": 25, "prompts": 1, "group": 128,
            "minibatches": 4, "epochs": 4, "kl_coefficient": 0.5, "kl": "reward", "maximum_kl": 0.0,
            "optimizer": {"learning_rate": 1e-2, "minimum_learning_rate": 1e-4}
        }),
    );
    let found = worth(&run("grpo", config, TASK.prompts()).unwrap().result.files);
    assert!(
        progress(found) > 0.95,
        "{found:?}, the best is {}",
        TASK.optimum()
    );
}

fn dpo(changes: Value) -> Value {
    let config = json!({
        "steps": 150, "batch_size": 32, "beta": 0.5,
        "optimizer": {"learning_rate": 1e-2, "minimum_learning_rate": 1e-4}
    });
    with(with(common(), config), changes)
}

#[test]
fn dpo_finds_the_best_policy() {
    let text = TASK.preferences(4000, 5);
    let Outcome { result, host } = run("dpo", dpo(json!({})), text).unwrap();
    let found = worth(&result.files);
    assert!(
        progress(found) > 0.9,
        "{found:?}, the best is {}",
        TASK.optimum()
    );
    let first = series(&host.metrics(), "loss")[0];
    assert!((first - 2f64.ln()).abs() < 1e-5, "{first}");
    // People who follow Bradley and Terry cannot be foretold every time.
    let accuracy = result.metrics["reward_accuracy"];
    assert!((0.6..0.9).contains(&accuracy), "{accuracy}");
}

#[test]
fn an_adapter_on_the_frozen_reference_learns_too() {
    let lora = json!({
        "lora": {"rank": 4, "alpha": 16.0},
        "ppo": {"steps": 12, "optimizer": {"learning_rate": 3e-2}}
    });
    // The head of zeros has no adapter: with it, nothing could change.
    let device = pollster::block_on(device::open(BackendChoice::Cpu)).unwrap();
    let base = run("rlhf", ppo(json!({"ppo": {"steps": 4}})), TASK.prompts()).unwrap();
    let base = base.result.files;
    let experiment = TASK.experiment("rlhf", ppo(lora), 1).unwrap();
    let prepared = prepare(
        &Registry::default(),
        &experiment,
        "improve",
        TASK.prompts(),
        base.clone(),
    )
    .unwrap();
    let host: Rc<TestHost> = Rc::default();
    let result = prepared.execute("run".into(), device, host.clone(), None);
    let result = pollster::block_on(result).unwrap();
    let kl = series(&host.metrics(), "objective/kl");
    assert!(kl[0].abs() < 1e-5 && kl[11] > 0.01, "{kl:?}");
    let (before, after) = (worth(&base), worth(&result.files));
    assert!(after.score > before.score + 0.2, "{before:?} {after:?}");
    let paths: Vec<&str> = result.files.iter().map(|file| file.path.as_str()).collect();
    assert!(
        paths.contains(&"adapter/adapter_model.safetensors"),
        "{paths:?}"
    );
    assert!(paths.contains(&"model/model.safetensors"), "{paths:?}");
}

/// A reward model on the task's pairs, then PPO by it.
fn with_reward_model(changes: Value) -> Value {
    let config = json!({
        "reward": {"kind": "model"},
        "reward_model": {
            "steps": 30, "batch_size": 16, "normalisation_samples": 32, "evaluation_interval": 10,
            "optimizer": {"learning_rate": 3e-3}
        },
        "ppo": {"steps": 6, "batch_size": 32, "kl_target": 1.0, "kl_horizon": 200.0}
    });
    ppo(with(config, changes))
}

#[test]
fn a_reward_model_learns_what_is_preferred() {
    let text = TASK.preferences(2000, 5);
    let config = with_reward_model(json!({"reward_model": {"steps": 120}, "ppo": {"steps": 10}}));
    let Outcome { result, host } = run("rlhf", config, text).unwrap();
    let losses = series(&host.metrics(), "reward_loss");
    assert!((losses[0] - 2f64.ln()).abs() < 0.2, "{losses:?}");
    let accuracy = result.metrics["reward_accuracy"];
    // Guessing is 0.5 ± 0.035; who knows the reward is right in 0.7 of the cases, as labels are drawn.
    assert!(accuracy > 0.6, "{accuracy}");
    let found = worth(&result.files);
    assert!(found.score > 1.3, "{found:?}");
    // The coefficient has moved towards the target.
    let coefficients = series(&host.metrics(), "kl_coef");
    assert!(
        coefficients.windows(2).any(|pair| pair[0] != pair[1]),
        "{coefficients:?}"
    );
}

/// Metrics but for those that measure time.
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

impl RewardFunction for Nothing {
    fn reward(&self, answer: &Answer) -> f64 {
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

fn warnings(host: &TestHost) -> Vec<String> {
    let events = host.events.borrow();
    let logs = events.iter().filter_map(|event| match event {
        Event::Log { message, .. } => Some(message.clone()),
        _ => None,
    });
    logs.collect()
}

/// What a user has collected takes the place of the data, whatever that is.
#[test]
fn collected_pairs_are_learned_from_as_the_data_would_be() {
    let text = TASK.preferences(90, 1);
    // In a file an answer may repeat the prompt, "a", which is then taken away.
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

    // Another model than the checkpoint's, and one whose tokenizer is another's.
    let device = pollster::block_on(device::open(BackendChoice::Cpu)).unwrap();
    let other = KnownOptimum {
        vocabulary: 5,
        ..TASK
    };
    let execute = |base: Vec<ModelFile>, checkpoint: Option<Vec<u8>>| {
        let experiment = TASK.experiment("dpo", dpo(json!({"steps": 3})), 1).unwrap();
        let prepared = prepare(
            &Registry::default(),
            &experiment,
            "improve",
            pairs.clone(),
            base,
        )
        .unwrap();
        let host: Rc<TestHost> = Rc::default();
        let result = prepared.execute("run".into(), device.clone(), host.clone(), checkpoint);
        pollster::block_on(result).map(|_| host)
    };
    let base = |task: KnownOptimum, seed| pollster::block_on(task.base(seed, &device)).unwrap();
    let host: Rc<TestHost> = Rc::default();
    host.commands
        .borrow_mut()
        .push_back((2, Command::Stop { run: "run".into() }));
    let experiment = TASK.experiment("dpo", dpo(json!({"steps": 3})), 1).unwrap();
    let prepared = prepare(
        &Registry::default(),
        &experiment,
        "improve",
        pairs.clone(),
        base(TASK, 1),
    )
    .unwrap();
    pollster::block_on(prepared.execute("run".into(), device.clone(), host.clone(), None)).unwrap();
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
