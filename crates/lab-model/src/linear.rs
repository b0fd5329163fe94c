//! Linear layers, whose weight may be frozen and changed by low-rank adapters.

use crate::adapter::{self, LowRank};
use crate::dropout::Dropout;
use crate::kernels;
use burn::module::{Module, Param};
use burn::tensor::Tensor;

/// y = x·W + b, and what adapters add to it.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[in, out]`
    pub weight: Param<Tensor<2>>,
    /// `[out]`
    pub bias: Option<Param<Tensor<1>>>,
    /// Each of other columns of the output, in their order.
    pub adapters: Vec<LowRank>,
}

impl Linear {
    pub fn new(weight: Param<Tensor<2>>, bias: Option<Param<Tensor<1>>>) -> Self {
        Self {
            weight,
            bias,
            adapters: Vec::new(),
        }
    }

    /// `[batch, time, in]` to `[batch, time, out]`. Adapters drop from what they read as `dropout` says.
    pub fn forward(&self, x: Tensor<3>, dropout: &mut Dropout) -> Tensor<3> {
        let bias = self.bias.as_ref().map(Param::val);
        if self.adapters.is_empty() {
            self.product(x, bias)
        } else {
            adapter::forward(self, x, bias, dropout)
        }
    }

    /// x·W + b, without adapters.
    pub fn product(&self, x: Tensor<3>, bias: Option<Tensor<1>>) -> Tensor<3> {
        let weight = self.weight.val();
        if weight.is_require_grad() {
            kernels::linear(x, weight, bias)
        } else {
            kernels::linear_frozen(x, weight, bias)
        }
    }

    /// Numbers that come in and go out.
    pub fn dims(&self) -> [usize; 2] {
        self.weight.dims()
    }

    /// W `[in, out]` as floats, outside of any graph.
    pub fn dense(&self) -> Tensor<2> {
        self.weight.val().without_autodiff()
    }

    /// The layer with another weight, which is trained if the old one was.
    pub fn with_dense(mut self, weight: Tensor<2>) -> Self {
        self.weight = self.weight.map(|old| {
            let weight = if old.device().is_autodiff() {
                weight.autodiff()
            } else {
                weight
            };
            weight.set_require_grad(old.is_require_grad())
        });
        self
    }
}
