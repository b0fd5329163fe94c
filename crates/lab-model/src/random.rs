//! Random numbers from the experiment's seed, drawn on the host by functions that are bit for bit the same natively
//! and in wasm: the same seed gives the same weights and batches on every backend.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The purpose of random numbers. Each purpose, and each step within it, has a stream of its own, so a run that is
/// continued needs no generator state but its step.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    Weights = 1,
    Batches = 2,
    Dropout = 3,
    Samples = 4,
    /// Initial weights of adapters.
    Adapters = 16,
    /// Value and reward heads.
    Heads = 20,
    /// The choice of prompts, and the answers to them.
    Rollouts = 21,
    /// The order in which samples and pairs are learned.
    Order = 22,
    /// The choice of held-out rows of the data.
    Split = 23,
}

/// A seeded stream of numbers (ChaCha with 8 rounds).
pub struct Random(ChaCha8Rng);

impl Random {
    pub fn new(seed: u64, purpose: Purpose, step: u64) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream((purpose as u64) << 56 | step);
        Self(generator)
    }

    /// A whole number below `bound`, without the bias of a plain remainder (Lemire 2019).
    pub fn below(&mut self, bound: u64) -> u64 {
        debug_assert!(bound > 0);
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let product = u128::from(self.0.next_u64()) * u128::from(bound);
            if product as u64 >= threshold {
                return (product >> 64) as u64;
            }
        }
    }

    /// A number in [0, 1) with 53 random bits.
    pub fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// `count` numbers of N(0, `deviation`²), by Box and Muller with the functions of `libm`, which do not depend on
    /// the platform.
    pub fn normal(&mut self, count: usize, deviation: f64) -> Vec<f32> {
        let mut values = Vec::with_capacity(count + 1);
        while values.len() < count {
            // 1 - u is in (0, 1]: its logarithm is finite.
            let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.uniform())) * deviation;
            let angle = std::f64::consts::TAU * self.uniform();
            values.push((radius * libm::cos(angle)) as f32);
            values.push((radius * libm::sin(angle)) as f32);
        }
        values.truncate(count);
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_has_its_mean_and_deviation() {
        let values = Random::new(1, Purpose::Weights, 0).normal(100_000, 0.02);
        let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / 1e5;
        let variance =
            values.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / 1e5 - mean * mean;
        // Four standard errors of each.
        assert!(mean.abs() < 4.0 * 0.02 / 1e5f64.sqrt(), "{mean}");
        assert!(
            (variance.sqrt() - 0.02).abs() < 4.0 * 0.02 / 2e5f64.sqrt(),
            "{variance}"
        );
    }

    #[test]
    fn streams_differ_and_repeat() {
        let draw = |seed, purpose, step| Random::new(seed, purpose, step).below(u64::MAX);
        assert_eq!(draw(7, Purpose::Batches, 3), draw(7, Purpose::Batches, 3));
        assert_ne!(draw(7, Purpose::Batches, 3), draw(7, Purpose::Batches, 4));
        assert_ne!(draw(7, Purpose::Batches, 3), draw(7, Purpose::Samples, 3));
        assert_ne!(draw(7, Purpose::Batches, 3), draw(8, Purpose::Batches, 3));
    }

    #[test]
    fn below_is_uniform() {
        let mut random = Random::new(3, Purpose::Samples, 0);
        let mut counts = [0u32; 7];
        for _ in 0..70_000 {
            counts[random.below(7) as usize] += 1;
        }
        // Chi squared with 6 degrees of freedom: 22.46 is passed once in a thousand seeds.
        let chi: f64 = counts
            .iter()
            .map(|&c| (f64::from(c) - 1e4).powi(2) / 1e4)
            .sum();
        assert!(chi < 22.46, "{chi}");
    }
}
