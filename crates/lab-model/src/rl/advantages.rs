//! From scores of whole answers to advantages of tokens.

use super::statistics::{kl_k1, mean_and_deviation};
use lab_protocol::ScaleRewards;

/// Advantages of tokens (how much better a token did than expected) and returns, `[rows · columns]` each, 0 at
/// positions without a token.
#[derive(Clone, Debug, PartialEq)]
pub struct Advantages {
    pub advantages: Vec<f64>,
    pub returns: Vec<f64>,
}

/// The reward of each token: minus `kl_coefficient` times its log ratio of policy to reference, and the
/// score of the row at its last token (Ziegler et al. 2019). A row without tokens has none.
pub fn token_rewards(
    policy: &[f64],
    reference: &[f64],
    mask: &[bool],
    columns: usize,
    scores: &[f64],
    kl_coefficient: f64,
) -> Vec<f64> {
    let mut rewards: Vec<f64> = policy
        .iter()
        .zip(reference)
        .zip(mask)
        .map(|((p, q), counts)| {
            if *counts {
                -kl_coefficient * kl_k1(p - q)
            } else {
                0.0
            }
        })
        .collect();
    let rows = rewards.chunks_mut(columns).zip(mask.chunks(columns));
    for ((rewards, mask), score) in rows.zip(scores) {
        if let Some(last) = mask.iter().rposition(|counts| *counts) {
            rewards[last] += score;
        }
    }
    rewards
}

/// Generalised advantage estimation (Schulman et al. 2016), row by row. Positions after a row's last token have the
/// value 0.
pub fn gae(
    rewards: &[f64],
    values: &[f64],
    mask: &[bool],
    columns: usize,
    gamma: f64,
    lambda: f64,
) -> Advantages {
    let mut found = Advantages {
        advantages: vec![0.0; mask.len()],
        returns: vec![0.0; mask.len()],
    };
    for start in (0..mask.len()).step_by(columns.max(1)) {
        let (mut advantage, mut next_value) = (0.0, 0.0);
        for at in (start..(start + columns).min(mask.len())).rev() {
            if !mask[at] {
                continue;
            }
            let surprise = rewards[at] + gamma * next_value - values[at];
            advantage = surprise + gamma * lambda * advantage;
            next_value = values[at];
            found.advantages[at] = advantage;
            found.returns[at] = advantage + values[at];
        }
    }
    found
}

/// Divides the values in the mask by their deviation (Bessel's) and subtracts their mean, or keeps the mean. 0
/// outside the mask.
pub fn whiten(values: &[f64], mask: &[bool], keep_mean: bool) -> Vec<f64> {
    let counted: Vec<f64> = values
        .iter()
        .zip(mask)
        .filter(|(_, counts)| **counts)
        .map(|(value, _)| *value)
        .collect();
    let (mean, deviation) = mean_and_deviation(&counted);
    let scale = 1.0 / libm::sqrt(deviation * deviation + 1e-8);
    let kept = if keep_mean { mean } else { 0.0 };
    values
        .iter()
        .zip(mask)
        .map(|(value, counts)| {
            if *counts {
                (value - mean) * scale + kept
            } else {
                0.0
            }
        })
        .collect()
}

/// Advantages of answers to one prompt over each other: `r - mean` within each group of `group` neighbours, divided
/// by a deviation + 1e-4 or not scaled.
pub fn group_advantages(rewards: &[f64], group: usize, scale: ScaleRewards) -> Vec<f64> {
    let of_all = mean_and_deviation(rewards).1;
    rewards
        .chunks(group.max(1))
        .flat_map(|rewards| {
            let (mean, deviation) = mean_and_deviation(rewards);
            let divisor = match scale {
                ScaleRewards::Group => deviation + 1e-4,
                ScaleRewards::Batch => of_all + 1e-4,
                ScaleRewards::None => 1.0,
            };
            rewards.iter().map(move |reward| (reward - mean) / divisor)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// With lambda 1 the advantage is the discounted sum of later rewards minus the value.
        #[test]
        fn lambda_one_is_monte_carlo(rewards in prop::collection::vec(-2.0..2.0f64, 6), values in prop::collection::vec(-2.0..2.0f64, 6), gamma in 0.5..1.0f64) {
            let mask = [true, true, true, true, false, false];
            let found = gae(&rewards, &values, &mask, 6, gamma, 1.0);
            for (at, value) in values.iter().enumerate().take(4) {
                let sum: f64 = (at..4).map(|t| gamma.powi((t - at) as i32) * rewards[t]).sum();
                prop_assert!((found.returns[at] - sum).abs() < 1e-12);
                prop_assert!((found.advantages[at] - sum + value).abs() < 1e-12);
            }
            prop_assert_eq!(&found.returns[4..], &[0.0, 0.0]);
        }

        #[test]
        fn white_is_white(values in prop::collection::vec(-5.0..5.0f64, 8..30), hole in 0usize..8) {
            let mut mask = vec![true; values.len()];
            mask[hole] = false;
            let counted = |of: &[f64]| -> Vec<f64> { of.iter().zip(&mask).filter(|(_, m)| **m).map(|(v, _)| *v).collect() };
            let (mean, deviation) = mean_and_deviation(&counted(&values));
            prop_assume!(deviation > 0.01);
            let (white_mean, white_deviation) = mean_and_deviation(&counted(&whiten(&values, &mask, false)));
            prop_assert!(white_mean.abs() < 1e-9 && (white_deviation - 1.0).abs() < 1e-3);
            let kept = whiten(&values, &mask, true);
            prop_assert!((mean_and_deviation(&counted(&kept)).0 - mean).abs() < 1e-9);
            prop_assert_eq!(kept[hole], 0.0);
        }
    }

    #[test]
    fn a_group_of_equals_has_no_advantage() {
        assert_eq!(
            group_advantages(&[2.0; 4], 4, ScaleRewards::Group),
            [0.0; 4]
        );
        assert_eq!(
            group_advantages(&[1.0, 3.0, 0.0, 8.0], 2, ScaleRewards::None),
            [-1.0, 1.0, -4.0, 4.0]
        );
    }

    #[test]
    fn a_row_without_tokens_gets_no_reward() {
        let mask = [false, false, true, false];
        let rewards = token_rewards(&[-1.0; 4], &[-2.0; 4], &mask, 2, &[9.0, 5.0], 0.5);
        assert_eq!(rewards, [0.0, 0.0, 4.5, 0.0]);
    }
}
