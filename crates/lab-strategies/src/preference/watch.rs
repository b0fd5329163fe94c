//! Warnings about common failures of reinforcement learning while it runs. Each warning is given once.

use lab_model::rl::correlation;
use serde::{Deserialize, Serialize};

/// Observations so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Watch {
    /// Entropy and mean length of answers in the first update.
    first: Option<(f64, f64)>,
    warned: Vec<Sign>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Sign {
    Mismatch,
    NegativeKl,
    Entropy,
    Ratio,
    Length,
    FirstMinibatch,
}

/// The values of an update that are watched.
pub(crate) struct Seen<'a> {
    pub step: usize,
    /// Divergence from the reference of each answer, in nats.
    pub kl: &'a [f64],
    pub sampling_error: f64,
    pub entropy: f64,
    /// Mean ratio over the update, and ratio, approximate KL and clip fraction of the first minibatch.
    pub ratio: f64,
    pub first: (f64, f64, f64),
    pub rewards: &'a [f64],
    pub lengths: &'a [f64],
}

/// Largest difference of log-probabilities that another order of summation can cause.
const SAME: f64 = 1e-2;

impl Watch {
    /// Warnings about an update, in words.
    pub fn see(&mut self, seen: &Seen) -> Vec<String> {
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
        let length = mean(seen.lengths);
        let (entropy_then, length_then) = *self.first.get_or_insert((seen.entropy, length));
        let (kl, deviation) = lab_model::rl::mean_and_deviation(seen.kl);
        let error = deviation / (seen.kl.len().max(1) as f64).sqrt();
        let length_says = correlation(seen.rewards, seen.lengths);
        let (ratio, approximate_kl, clip_fraction) = seen.first;
        let step = seen.step;
        let signs = [
            (
                Sign::Mismatch,
                seen.sampling_error > SAME,
                format!(
                    "update {step}: a token's log-probability was {:.3} nats another when it was drawn than afterwards; sampling and scoring differ",
                    seen.sampling_error
                ),
            ),
            (
                Sign::NegativeKl,
                kl < -0.1 && kl < -4.0 * error,
                format!(
                    "update {step}: the divergence from the reference is {kl:.3} nats a sequence, and it cannot be negative; sampling and scoring differ"
                ),
            ),
            (
                Sign::Entropy,
                seen.entropy < 0.1 * entropy_then,
                format!(
                    "update {step}: the entropy has fallen from {entropy_then:.3} to {:.3} nats a token; the policy says the same all the time. Raise the KL or the entropy coefficient, or lower the learning rate",
                    seen.entropy
                ),
            ),
            (
                Sign::Ratio,
                !(0.5..=2.0).contains(&seen.ratio),
                format!(
                    "update {step}: tokens became {:.2} times as likely within one update; lower the learning rate or the number of epochs, or set maximum_kl",
                    seen.ratio
                ),
            ),
            (
                Sign::Length,
                length_says > 0.8 && length > 1.5 * length_then,
                format!(
                    "update {step}: rewards follow the length of answers (correlation {length_says:.2}), which has grown from {length_then:.1} to {length:.1} tokens; the reward may be hacked"
                ),
            ),
            (
                Sign::FirstMinibatch,
                (ratio - 1.0).abs() > SAME || approximate_kl > SAME || clip_fraction > 0.0,
                format!(
                    "update {step}: before anything was learned the ratio was {ratio:.4}, not 1, and the divergence {approximate_kl:.5}, not 0; sampling and learning compute different values"
                ),
            ),
        ];
        let mut warnings = Vec::new();
        for (sign, shows, words) in signs {
            if shows && !self.warned.contains(&sign) {
                self.warned.push(sign);
                warnings.push(words);
            }
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: Seen = Seen {
        step: 1,
        kl: &[0.1, 0.2, 0.0],
        sampling_error: 1e-6,
        entropy: 2.0,
        ratio: 1.0,
        first: (1.0, 0.0, 0.0),
        rewards: &[1.0, 2.0, 3.0],
        lengths: &[10.0, 20.0, 30.0],
    };

    #[test]
    fn each_sign_is_noticed_once() {
        let bad = [
            Seen {
                sampling_error: 0.5,
                ..FINE
            },
            Seen {
                kl: &[-3.0, -3.1, -2.9],
                ..FINE
            },
            Seen {
                entropy: 0.1,
                ..FINE
            },
            Seen { ratio: 3.0, ..FINE },
            Seen {
                lengths: &[20.0, 40.0, 60.0],
                ..FINE
            },
            Seen {
                first: (1.2, 0.0, 0.0),
                ..FINE
            },
        ];
        for seen in bad {
            let mut watch = Watch::default();
            assert_eq!(watch.see(&FINE), [""; 0]);
            assert_eq!(watch.see(&seen).len(), 1);
            assert_eq!(watch.see(&seen), [""; 0]);
        }
    }
}
