//! Numbers that a decoder's trunk is asked for: the value of what was written so far, and the reward of
//! a whole answer.

use super::sequences::Packed;
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
    /// A head that says 0 everywhere, as a value head begins.
    pub fn zeros(width: usize, device: &Device) -> Self {
        Self::with_weights(vec![0.0; width], device)
    }

    /// A reward head as Stiennon et al. (2020) begin it: N(0, 1/(width + 1)), bias 0.
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

    /// `[batch, time]` for the trunk's `[batch, time, width]`.
    pub fn forward(&self, hidden: Tensor<3>) -> Tensor<2> {
        let [rows, columns, _] = hidden.dims();
        kernels::linear(hidden, self.weight.val(), Some(self.bias.val())).reshape([rows, columns])
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
    /// Rewards `[rows]` of sequences that were packed whole.
    pub fn forward(&self, packed: &Packed, device: &Device, dropout: &mut Dropout) -> Tensor<1> {
        let [rows, columns] = [packed.batch.rows, packed.batch.columns];
        let hidden = self.trunk.hidden(packed.ids(device), dropout);
        let mut last = vec![0.0f32; rows * columns];
        for (row, span) in packed.spans.iter().enumerate() {
            last[row * columns + span.end.saturating_sub(1)] = 1.0;
        }
        let device = device.clone().inner();
        let last = Tensor::<2>::from_data(TensorData::new(last, [rows, columns]), &device);
        (self.head.forward(hidden) * last)
            .sum_dim(1)
            .reshape([rows])
    }
}
