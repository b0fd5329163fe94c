//! Scalar heads on a decoder's trunk: the value of the text so far, and the reward of a whole answer.

use super::sequences::SequenceBatch;
use crate::decoder::Decoder;
use crate::dropout::Dropout;
use crate::kernels;
use crate::random::{Purpose, Random};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};

/// One number for each position: `x·w + b`.
#[derive(Module, Debug)]
pub struct ScalarHead {
    /// `[width, 1]`
    pub weight: Param<Tensor<2>>,
    /// `[1]`
    pub bias: Param<Tensor<1>>,
}

impl ScalarHead {
    /// A head that returns 0 everywhere: the initial value head.
    pub fn zeros(width: usize, device: &Device) -> Self {
        Self::with_weights(vec![0.0; width], device)
    }

    /// A reward head initialised as in Stiennon et al. (2020): N(0, 1/(width + 1)), bias 0.
    pub fn random(width: usize, seed: u64, device: &Device) -> Self {
        let deviation = 1.0 / (width as f64 + 1.0).sqrt();
        let mut random = Random::new(seed, Purpose::Heads, 0);
        Self::with_weights(random.normal(width, deviation), device)
    }

    fn with_weights(weights: Vec<f32>, device: &Device) -> Self {
        let width = weights.len();
        Self {
            weight: Param::from_data(TensorData::new(weights, [width, 1]), device),
            bias: Param::from_data(TensorData::new(vec![0.0f32], [1]), device),
        }
    }

    /// `[places]` for the trunk's `[1, places, width]`.
    pub fn forward(&self, hidden: Tensor<3>) -> Tensor<1> {
        let [_, places, _] = hidden.dims();
        kernels::linear(hidden, self.weight.val(), Some(self.bias.val())).reshape([places])
    }
}

/// A policy, and the value of each position by a head on the same trunk.
#[derive(Module, Debug)]
pub struct PolicyWithValue {
    pub decoder: Decoder,
    pub value: ScalarHead,
}

/// A reward for a whole answer, read at its last token.
#[derive(Module, Debug)]
pub struct RewardModel {
    pub trunk: Decoder,
    pub head: ScalarHead,
}

impl RewardModel {
    /// Rewards `[sequences]` of whole sequences.
    pub fn forward(
        &self,
        batch: &SequenceBatch,
        device: &Device,
        dropout: &mut Dropout,
    ) -> Tensor<1> {
        self.head
            .forward(batch.hidden(&self.trunk, device, dropout))
    }
}
