//! Learning from preferences and rewards as a whole: it finds the best policy of a task for which that is known.

#[path = "preference_runs.rs"]
mod runs;
#[path = "preference_task.rs"]
mod task;

use lab_bench::KnownOptimum;
use lab_protocol::BackendChoice;
use lab_strategies::{Platform, Registry, device, prepare};
use lab_tests::{TestHost, series};
use serde_json::json;
use std::rc::Rc;
use task::{
    Outcome, TASK, common, dpo, ppo, progress, run, warnings, with, with_reward_model, worth,
};

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
    // Holds for every policy, by the definition of the optimum.
    let lost = TASK.optimum() - found.objective;
    assert!(
        (lost - TASK.kl_coefficient * found.kl_to_optimum).abs() < 1e-5,
        "{found:?}"
    );

    // In the loop itself: before the first update the policy equals its reference.
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
            "loss_type": "bnpo", "optimizer": {"learning_rate": 1e-2, "minimum_learning_rate": 1e-4}
        }),
    );
    let found = worth(&run("grpo", config, TASK.prompts()).unwrap().result.files);
    assert!(
        progress(found) > 0.95,
        "{found:?}, the best is {}",
        TASK.optimum()
    );
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
    // The choices of people who follow Bradley and Terry cannot always be predicted.
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
    let result = prepared.execute("run".into(), Platform::offline(device, host.clone()), None);
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

#[test]
fn a_reward_model_learns_what_is_preferred() {
    let text = TASK.preferences(2000, 5);
    let config = with_reward_model(json!({"reward_model": {"steps": 120}, "ppo": {"steps": 10}}));
    let Outcome { result, host } = run("rlhf", config, text).unwrap();
    let losses = series(&host.metrics(), "reward_loss");
    assert!((losses[0] - 2f64.ln()).abs() < 0.2, "{losses:?}");
    let accuracy = result.metrics["reward_accuracy"];
    // Guessing is 0.5 ± 0.035; the true reward is right in 0.7 of the cases, as labels are drawn.
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
