//! Rotary positions (Su et al. 2021).

use burn::tensor::{Device, Int, Tensor, TensorData};
use lab_protocol::ModelConfig;

/// Cosines and sines of the rotary angles, `[context, head_width / 2]`. Constants, never trained.
#[derive(Clone, Debug)]
pub struct Rope {
    cos: Tensor<2>,
    sin: Tensor<2>,
}

impl Rope {
    /// Angles in f64, because the angle of a late position loses digits in f32.
    pub fn new(config: &ModelConfig, device: &Device) -> Self {
        let half = config.head_width() / 2;
        let angle = |position: usize, pair: usize| {
            position as f64
                / config
                    .rope_theta
                    .powf(2.0 * pair as f64 / config.head_width() as f64)
        };
        let table = |function: fn(f64) -> f64| {
            let values: Vec<f32> = (0..config.context)
                .flat_map(|position| {
                    (0..half).map(move |pair| function(angle(position, pair)) as f32)
                })
                .collect();
            Tensor::from_data(
                TensorData::new(values, [config.context, half]),
                &device.clone().inner(),
            )
        };
        Self {
            cos: table(libm::cos),
            sin: table(libm::sin),
        }
    }

    /// Number of positions that have angles.
    pub fn context(&self) -> usize {
        self.cos.dims()[0]
    }

    /// The tables of these positions, `[positions, head_width / 2]`.
    pub fn at(&self, positions: Tensor<1, Int>) -> (Tensor<2>, Tensor<2>) {
        (
            self.cos.clone().select(0, positions.clone()),
            self.sin.clone().select(0, positions),
        )
    }

    /// The tables of the first `time` positions.
    pub fn tables(&self, time: usize) -> (Tensor<2>, Tensor<2>) {
        (
            self.cos.clone().narrow(0, 0, time),
            self.sin.clone().narrow(0, 0, time),
        )
    }
}
