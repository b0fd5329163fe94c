//! LayerNorm (Ba et al. 2016) or RMSNorm (Zhang and Sennrich 2019).

use crate::kernels;
use burn::module::{Module, Param};
use burn::tensor::Tensor;
use lab_protocol::Norm as NormKind;

/// Scales the numbers of each token to a common size.
#[derive(Module, Debug)]
pub struct Norm {
    /// `[width]`
    pub weight: Param<Tensor<1>>,
    /// `[width]`
    pub bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    kind: NormKind,
    #[module(skip)]
    epsilon: f64,
}

impl Norm {
    /// RMSNorm has no bias.
    pub fn new(
        kind: NormKind,
        epsilon: f64,
        weight: Param<Tensor<1>>,
        bias: Option<Param<Tensor<1>>>,
    ) -> Self {
        Self {
            weight,
            bias,
            kind,
            epsilon,
        }
    }

    /// `[batch, time, width]` to the same shape.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        match self.kind {
            NormKind::LayerNorm => kernels::layer_norm(
                x,
                self.weight.val(),
                self.bias.as_ref().map(Param::val),
                self.epsilon,
            ),
            NormKind::RmsNorm => kernels::rms_norm(x, self.weight.val(), self.epsilon),
        }
    }
}
