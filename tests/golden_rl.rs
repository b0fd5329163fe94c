//! The formulas of reinforcement learning against values of PyTorch and TRL (`rl.json` and `preference.json` in the
//! folder `LAB_GOLDEN_DIR`, else in `golden/`). Sizes come from the files.

use lab_model::burn::tensor::{Device, Tensor};
use lab_model::parameters;
use lab_model::rl;
use lab_protocol::{BackendChoice, ScaleRewards};
use serde_json::Value;
use std::path::PathBuf;

const TOLERANCE: f64 = 1e-5;

fn golden(section: &str) -> Value {
    file("rl.json")[section].clone()
}

fn file(name: &str) -> Value {
    let folder = std::env::var_os("LAB_GOLDEN_DIR").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden"),
        PathBuf::from,
    );
    let bytes = std::fs::read(folder.join(name)).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn device() -> Device {
    pollster::block_on(lab_strategies::device::open(BackendChoice::Cpu)).unwrap()
}

/// Numbers of any depth, flattened.
fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        number => vec![
            number
                .as_f64()
                .unwrap_or_else(|| panic!("{number} is no number")),
        ],
    }
}

fn number(value: &Value) -> f64 {
    numbers(value)[0]
}

fn tensor(value: &Value, device: &Device) -> Tensor<1> {
    let values: Vec<f32> = numbers(value).iter().map(|&x| x as f32).collect();
    Tensor::from_floats(values.as_slice(), device)
}

fn read(tensor: Tensor<1>) -> f64 {
    f64::from(pollster::block_on(parameters::read(vec![tensor])).unwrap()[0][0])
}

#[track_caller]
fn close(found: &[f64], expected: &Value, what: &str) {
    let expected = numbers(expected);
    assert_eq!(found.len(), expected.len(), "{what}");
    for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert!(
            (found - expected).abs() <= TOLERANCE,
            "{what}[{index}]: {found}, expected {expected}"
        );
    }
}

#[test]
fn golden_reward_model() {
    let (golden, device) = (golden("reward_model"), device());
    let of = |name: &str| tensor(&golden[name], &device);
    let loss = |margin, centre| {
        read(rl::reward_loss(
            of("chosen"),
            of("rejected"),
            margin,
            centre,
        ))
    };
    let plain = loss(None, 0.0);
    close(&[plain], &golden["loss"], "loss");
    close(
        &[loss(Some(of("margin")), 0.0)],
        &golden["loss_with_margin"],
        "loss with margin",
    );
    close(
        &[loss(None, 1.0) - plain],
        &golden["center_penalty_mean_of_squared_sum"],
        "penalty",
    );
    let pairs = numbers(&golden["chosen"]);
    let right = pairs.iter().zip(numbers(&golden["rejected"]));
    let right = right
        .filter(|(chosen, rejected)| *chosen > rejected)
        .count();
    close(
        &[right as f64 / pairs.len() as f64],
        &golden["accuracy_strictly_greater"],
        "accuracy",
    );
    let zero = Tensor::<1>::zeros([3], &device);
    assert!((read(rl::reward_loss(zero.clone(), zero, None, 0.0)) - 2f64.ln()).abs() < 1e-6);
}

#[test]
fn golden_ppo() {
    let (golden, device) = (golden("ppo"), device());
    let of = |name: &str| numbers(&golden[name]);
    let columns = golden["mask"][0].as_array().unwrap().len();
    let mask: Vec<bool> = of("mask").iter().map(|&x| x > 0.0).collect();
    let (old, new, reference) = (
        of("logprob_old"),
        of("logprob_new"),
        of("logprob_reference"),
    );
    let kl_coefficient = number(&golden["kl_coef"]);
    let rewards = rl::token_rewards(
        &old,
        &reference,
        &mask,
        columns,
        &of("scores"),
        kl_coefficient,
    );
    close(&rewards, &golden["token_rewards"], "token rewards");
    let (gamma, lambda) = (number(&golden["gamma"]), number(&golden["lambda"]));
    let found = rl::gae(&rewards, &of("values_old"), &mask, columns, gamma, lambda);
    close(&found.advantages, &golden["advantages"], "advantages");
    close(&found.returns, &golden["returns"], "returns");
    let white = rl::whiten(&found.advantages, &mask, false);
    close(
        &white,
        &golden["advantages_whitened_masked_bessel"],
        "white advantages",
    );

    let clip = number(&golden["clip"]);
    // The mean over the tokens that the mask counts.
    let counted = mask.iter().filter(|counts| **counts).count();
    let weights = || tensor(&golden["mask"], &device) / counted as f32;
    let on_device = |name: &str| tensor(&golden[name], &device);
    let policy = rl::ppo_loss(
        on_device("logprob_new"),
        on_device("logprob_old"),
        on_device("advantages_whitened_masked_bessel"),
        weights(),
        clip,
    );
    close(
        &[read(policy)],
        &golden["policy_loss_masked_mean"],
        "policy loss",
    );
    let value = rl::value_loss(
        on_device("values_new"),
        on_device("values_old"),
        on_device("returns"),
        weights(),
        number(&golden["value_clip"]),
    );
    close(
        &[read(value)],
        &golden["value_loss_masked_mean"],
        "value loss",
    );
    close(
        &[rl::clip_fraction(&new, &old, &mask, clip)],
        &golden["clip_fraction"],
        "clip fraction",
    );
    close(
        &[rl::approximate_kl(&new, &old, &mask)],
        &golden["approx_kl_half_mean_squared_log_ratio"],
        "approximate KL",
    );
    close(
        &[rl::sequence_kl(&old, &reference, &mask, columns)],
        &golden["mean_kl_to_reference_sum_over_tokens"],
        "KL to the reference",
    );
}

#[test]
fn golden_kl_estimators() {
    let golden = golden("kl_estimators_of_log_ratio");
    let ratios = numbers(&golden["log_p_minus_log_q"]);
    let all =
        |estimate: fn(f64) -> f64| -> Vec<f64> { ratios.iter().map(|&l| estimate(l)).collect() };
    close(&all(rl::kl_k1), &golden["k1"], "k1");
    close(&all(rl::kl_k2), &golden["k2"], "k2");
    close(&all(rl::kl_k3), &golden["k3"], "k3");
    // The losses use the same formulas.
    let device = device();
    let ones = || Tensor::<1>::ones([ratios.len()], &device);
    for (name, estimator) in [("k2", rl::KlEstimator::K2), ("k3", rl::KlEstimator::K3)] {
        let log_ratio = tensor(&golden["log_p_minus_log_q"], &device);
        let weights = ones() / ratios.len() as f32;
        let loss = read(rl::kl_penalty(log_ratio, ones() - 1.0, weights, estimator));
        let expected = numbers(&golden[name]).iter().sum::<f64>() / ratios.len() as f64;
        assert!(
            (loss - expected).abs() <= TOLERANCE,
            "{name}: {loss}, expected {expected}"
        );
    }
}

#[test]
fn golden_dpo() {
    let (golden, device) = (golden("dpo"), device());
    let of = |name: &str| tensor(&golden[name], &device);
    let beta = number(&golden["beta"]);
    let policy = (of("policy_chosen"), of("policy_rejected"));
    let reference = (of("reference_chosen"), of("reference_rejected"));
    let loss = rl::dpo_loss(policy, reference.clone(), beta, 0.0);
    close(&[read(loss)], &golden["loss"], "loss");
    let names = [
        "policy_chosen",
        "policy_rejected",
        "reference_chosen",
        "reference_rejected",
    ];
    let [pc, pr, rc, rr] = names.map(|name| numbers(&golden[name]));
    let right = (0..pc.len())
        .filter(|&i| pc[i] - rc[i] > pr[i] - rr[i])
        .count();
    close(
        &[right as f64 / pc.len() as f64],
        &golden["accuracy"],
        "accuracy",
    );
    // A policy that is the reference.
    let start = read(rl::dpo_loss(reference.clone(), reference, beta, 0.1));
    assert!((start - 2f64.ln()).abs() < 1e-6, "{start}");
}

#[test]
fn golden_grpo_advantages() {
    let golden = golden("grpo_group_advantages");
    let group = golden["rewards"][0].as_array().unwrap().len();
    let found = rl::group_advantages(&numbers(&golden["rewards"]), group, ScaleRewards::Group);
    close(&found, &golden["advantages"], "advantages");

    let golden = file("preference.json")["grpo_advantages"].clone();
    let group = number(&golden["generations"]) as usize;
    for (name, scale) in [
        ("scale_group", ScaleRewards::Group),
        ("scale_batch", ScaleRewards::Batch),
        ("scale_none", ScaleRewards::None),
    ] {
        let found = rl::group_advantages(&numbers(&golden["rewards"]), group, scale);
        close(&found, &golden[name], name);
    }
}

/// Loss and gradient of the tokens in the mask, for each case whose clipping is the same on both sides.
#[test]
fn golden_grpo_losses() {
    let golden = file("preference.json")["grpo"].clone();
    let device = device().autodiff();
    let mut cases = 0;
    for (name, case) in golden.as_object().unwrap() {
        let kind = case["loss_type"].clone();
        let clips = ["epsilon_low", "epsilon_high"].map(|clip| case[clip].as_f64());
        if kind.is_null() || clips[0] != clips[1] || name == "sequence_ratio" {
            continue;
        }
        cases += 1;
        let mask = if case["mask"].is_null() {
            &golden["mask"]
        } else {
            &case["mask"]
        };
        let rows: Vec<Vec<f64>> = serde_json::from_value(mask.clone()).unwrap();
        let columns = rows[0].len();
        let lengths: Vec<usize> = rows
            .iter()
            .map(|row| row.iter().sum::<f64>() as usize)
            .collect();
        let places: Vec<usize> = (0..rows.len() * columns)
            .filter(|place| rows[place / columns][place % columns] > 0.0)
            .collect();
        // The tokens in the mask, one sequence after the other.
        let of = |values: Vec<f64>| -> Vec<f32> {
            places.iter().map(|&place| values[place] as f32).collect()
        };
        let upload = |values: Vec<f32>| Tensor::<1>::from_floats(values.as_slice(), &device);
        let new = upload(of(numbers(&golden["logps"]))).require_grad();
        let advantages = numbers(&case["advantages"]);
        let advantages = advantages
            .iter()
            .flat_map(|&value| vec![value; columns])
            .collect();
        let longest = case["max_completion_length"].as_u64().unwrap_or(1) as usize;
        let weights = rl::token_weights(
            serde_json::from_value(kind).unwrap(),
            &lengths,
            longest,
            places.len() as f64,
        );
        let weights = || upload(weights.iter().map(|&weight| weight as f32).collect());
        let old = upload(of(numbers(&golden["old_logps"])));
        let clip = clips[0].unwrap();
        let mut loss = rl::ppo_loss(new.clone(), old, upload(of(advantages)), weights(), clip);
        let reference = upload(of(numbers(&golden["reference_logps"])));
        let penalty = rl::kl_penalty(new.clone(), reference, weights(), rl::KlEstimator::K3);
        loss = loss + penalty * number(&case["beta"]);
        let gradient = new.grad(&loss.backward()).unwrap();
        let gradient = pollster::block_on(parameters::read(vec![gradient]))
            .unwrap()
            .concat();
        close(&[read(loss.without_autodiff())], &case["loss"], name);
        let expected = of(numbers(&case["grad_logps"]));
        for (found, expected) in gradient.iter().zip(expected) {
            assert!(
                (found - expected).abs() < 1e-6,
                "{name}: {found}, {expected}"
            );
        }
    }
    assert!(cases >= 5, "{cases} cases were found");
}

/// DPO from log-probabilities of tokens.
#[test]
fn golden_dpo_variants() {
    let (golden, device) = (file("preference.json"), device());
    let pairs = &golden["pairs"];
    let sums = |logps: &str, mask: &str| {
        let rows = pairs[logps].as_array().unwrap().iter();
        let sums = rows
            .zip(pairs[mask].as_array().unwrap())
            .map(|(logps, mask)| {
                let tokens = numbers(logps).into_iter().zip(numbers(mask));
                tokens.map(|(logp, counts)| logp * counts).sum::<f64>() as f32
            });
        Tensor::<1>::from_floats(sums.collect::<Vec<_>>().as_slice(), &device)
    };
    let (chosen, rejected) = ("chosen_completion_mask", "rejected_completion_mask");
    let policy = (
        sums("chosen_logps", chosen),
        sums("rejected_logps", rejected),
    );
    let reference = (
        sums("reference_chosen_logps", chosen),
        sums("reference_rejected_logps", rejected),
    );
    for name in ["sigmoid", "sigmoid_label_smoothing"] {
        let case = &golden["dpo"][name];
        let smoothing = case["label_smoothing"].as_f64().unwrap_or(0.0);
        let beta = number(&case["beta"]);
        let loss = rl::dpo_loss(policy.clone(), reference.clone(), beta, smoothing);
        close(&[read(loss)], &case["loss"], name);
    }
}
