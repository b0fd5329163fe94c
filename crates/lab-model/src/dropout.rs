//! Dropout (Srivastava et al. 2014) with masks that follow from the experiment's seed: the same numbers are dropped
//! on every backend and after a resume. The host draws masks of activations. For the attention's probabilities, which
//! are never in memory together, the host draws a key for each layer.

use crate::kernels::AttentionDropout;
use crate::random::{Purpose, Random};
use burn::tensor::{Tensor, TensorData};

/// Drops activations of one training step, or none.
pub struct Dropout(Option<Active>);

struct Active {
    probability: f64,
    random: Random,
}

impl Dropout {
    /// For evaluation and generation: changes nothing.
    pub fn off() -> Self {
        Self(None)
    }

    /// For micro-batch `micro` of a training step.
    pub fn new(probability: f64, seed: u64, step: usize, micro: usize) -> Self {
        Self(Some(Active {
            probability,
            random: Random::new(seed, Purpose::Dropout, (step as u64) << 12 | micro as u64),
        }))
    }

    /// For the probabilities of one attention layer.
    pub fn attention(&mut self) -> Option<AttentionDropout> {
        let active = self.0.as_mut().filter(|active| active.probability > 0.0)?;
        let key = active.random.below(u64::MAX);
        let key = [(key >> 32) as u32, key as u32];
        Some(AttentionDropout::new(active.probability, key))
    }

    /// Sets each element to 0 with the probability, else multiplies it by 1 / (1 - probability).
    pub fn apply<const D: usize>(&mut self, x: Tensor<D>) -> Tensor<D> {
        let probability = self.0.as_ref().map_or(0.0, |active| active.probability);
        self.apply_with(probability, x)
    }

    /// The same with another probability, as adapters have.
    pub fn apply_with<const D: usize>(&mut self, probability: f64, x: Tensor<D>) -> Tensor<D> {
        let Some(Active { random, .. }) = self.0.as_mut().filter(|_| probability > 0.0) else {
            return x;
        };
        let scale = (1.0 / (1.0 - probability)) as f32;
        let shape = x.dims();
        let mask: Vec<f32> = (0..shape.iter().product())
            .map(|_| {
                if random.uniform() < probability {
                    0.0
                } else {
                    scale
                }
            })
            .collect();
        let mask = Tensor::from_data(TensorData::new(mask, shape), &x.device().inner());
        x * mask
    }
}
