//! The losses, each a scalar `[1]` with gradients. Losses of tokens are summed with a weight for each (see
//! [`super::token_weights`]), so parts of a batch add up to the whole.

use burn::tensor::{Tensor, activation};
use serde::{Deserialize, Serialize};

/// The estimator of the divergence from the reference that a loss adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KlEstimator {
    /// Half the square of the log ratio; its gradient is the gradient of KL(policy ‖ reference).
    K2,
    /// `exp(-l) - 1 + l` (Shao et al. 2024); its gradient pulls towards the reference's probabilities.
    K3,
}

/// Bradley and Terry's loss of a reward model, mean of `-log sigmoid(chosen - rejected - margin)`, and
/// `centre` times the mean of `(chosen + rejected)²`, which keeps rewards around 0 (Eisenstein et al.
/// 2023). All `[pairs]`.
pub fn reward_loss(
    chosen: Tensor<1>,
    rejected: Tensor<1>,
    margin: Option<Tensor<1>>,
    centre: f64,
) -> Tensor<1> {
    let mut difference = chosen.clone() - rejected.clone();
    if let Some(margin) = margin {
        difference = difference - margin;
    }
    let loss = activation::log_sigmoid(difference).neg().mean();
    if centre == 0.0 {
        return loss;
    }
    let sum = chosen + rejected;
    loss + (sum.clone() * sum).mean() * centre
}

/// PPO's clipped loss (Schulman et al. 2017), the weighted sum of `max(-A·ratio, -A·clip(ratio, 1 ± clip))`.
/// Log-probabilities, advantages and weights are `[tokens]`.
pub fn ppo_loss(
    new: Tensor<1>,
    old: Tensor<1>,
    advantages: Tensor<1>,
    weights: Tensor<1>,
    clip: f64,
) -> Tensor<1> {
    // A token without weight must not overflow either.
    let ratio = ((new - old) * weights.clone().sign()).exp();
    let unclipped = ratio.clone() * advantages.clone();
    let clipped = ratio.clamp(1.0 - clip, 1.0 + clip) * advantages;
    (unclipped.neg().max_pair(clipped.neg()) * weights).sum()
}

/// Half the weighted sum of the larger of the squared errors of a value and of the value clipped to within `clip` of
/// the value when sampling. All `[tokens]`.
pub fn value_loss(
    new: Tensor<1>,
    old: Tensor<1>,
    returns: Tensor<1>,
    weights: Tensor<1>,
    clip: f64,
) -> Tensor<1> {
    let clipped = old.clone() + (new.clone() - old).clamp(-clip, clip);
    let (error, clipped_error) = (new - returns.clone(), clipped - returns);
    let largest = (error.clone() * error).max_pair(clipped_error.clone() * clipped_error);
    (largest * weights).sum() * 0.5
}

/// Weighted sum of the estimated divergence from the reference; see [`KlEstimator`]. All `[tokens]`.
pub fn kl_penalty(
    new: Tensor<1>,
    reference: Tensor<1>,
    weights: Tensor<1>,
    estimator: KlEstimator,
) -> Tensor<1> {
    let log_ratio = (new - reference) * weights.clone().sign();
    let estimate = match estimator {
        KlEstimator::K2 => log_ratio.clone() * log_ratio * 0.5,
        KlEstimator::K3 => log_ratio.clone().neg().exp() - 1.0 + log_ratio,
    };
    (estimate * weights).sum()
}

/// Direct preference optimisation (Rafailov et al. 2023): mean of `-log sigmoid(beta·h)`. `h` is how much more
/// strongly the policy prefers the chosen answer than the reference does. Log-probabilities of whole answers,
/// `[pairs]`. `smoothing` is the assumed share of wrong labels.
pub fn dpo_loss(
    policy: (Tensor<1>, Tensor<1>),
    reference: (Tensor<1>, Tensor<1>),
    beta: f64,
    smoothing: f64,
) -> Tensor<1> {
    let preference = (policy.0 - reference.0) - (policy.1 - reference.1);
    let scaled = preference * beta;
    let loss = activation::log_sigmoid(scaled.clone()).neg() * (1.0 - smoothing);
    if smoothing == 0.0 {
        return loss.mean();
    }
    (loss - activation::log_sigmoid(scaled.neg()) * smoothing).mean()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::read;
    use crate::random::{Purpose, Random};
    use burn::tensor::{Device, TensorData};

    const TOKENS: usize = 12;

    fn numbers(seed: u64, deviation: f64) -> Vec<f32> {
        Random::new(seed, Purpose::Samples, 0).normal(TOKENS, deviation)
    }

    fn scalar(tensor: Tensor<1>) -> f64 {
        f64::from(pollster::block_on(read(vec![tensor])).unwrap()[0][0])
    }

    /// Compares a loss's gradient with differences of the loss itself.
    #[track_caller]
    fn check(loss: impl Fn(Tensor<1>) -> Tensor<1>) {
        let device = Device::flex().autodiff();
        let at = numbers(1, 0.4);
        let tensor = |values: &[f32]| {
            Tensor::<1>::from_data(TensorData::new(values.to_vec(), [TOKENS]), &device)
        };
        let leaf = tensor(&at).require_grad();
        let mut gradients = loss(leaf.clone()).backward();
        let gradient = leaf.grad_remove(&mut gradients).unwrap();
        let gradient = pollster::block_on(read(vec![gradient])).unwrap().remove(0);
        for (index, found) in gradient.iter().enumerate() {
            let moved = |by: f32| {
                let mut values = at.clone();
                values[index] += by;
                scalar(loss(tensor(&values)))
            };
            let expected = (moved(5e-3) - moved(-5e-3)) / 1e-2;
            assert!(
                (f64::from(*found) - expected).abs() < 2e-3,
                "{index}: {found}, by differences {expected}"
            );
        }
    }

    #[test]
    fn gradients_are_those_of_the_losses() {
        let device = Device::flex().autodiff().inner();
        let other = |seed, deviation| {
            Tensor::<1>::from_data(TensorData::new(numbers(seed, deviation), [TOKENS]), &device)
        };
        let mut weights = vec![1.0 / TOKENS as f32; TOKENS];
        (weights[3], weights[5]) = (0.0, 0.3);
        let weights = Tensor::<1>::from_data(TensorData::new(weights, [TOKENS]), &device);
        check(|x| ppo_loss(x, other(2, 0.4), other(3, 1.0), weights.clone(), 0.2));
        check(|x| value_loss(x, other(2, 0.4), other(3, 1.0), weights.clone(), 0.2));
        check(|x| kl_penalty(x, other(2, 0.4), weights.clone(), KlEstimator::K2));
        check(|x| kl_penalty(x, other(2, 0.4), weights.clone(), KlEstimator::K3));
        check(|x| reward_loss(x, other(2, 0.4), Some(other(3, 1.0)), 0.1));
        check(|x| dpo_loss((x, other(2, 0.4)), (other(3, 1.0), other(4, 1.0)), 0.7, 0.1));
    }

    #[test]
    fn a_token_that_does_not_count_cannot_spoil_the_loss() {
        let device = Device::flex();
        let of = |values: [f32; 2]| Tensor::<1>::from_floats(values, &device);
        let loss = ppo_loss(
            of([-1.0, 900.0]),
            of([-1.0, -900.0]),
            of([1.0, 1.0]),
            of([1.0, 0.0]),
            0.2,
        );
        assert_eq!(scalar(loss), -1.0);
    }
}
