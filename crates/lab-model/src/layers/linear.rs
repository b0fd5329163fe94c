//! Linear layers; their weight may be frozen or in 4 bits.

use crate::kernels;
use crate::nf4::Quantized;
use burn::module::{Module, Param};
use burn::tensor::Tensor;

/// y = x·W + b.
#[derive(Module, Debug)]
pub struct Linear {
    weight: Weight,
    /// `[out]`
    pub bias: Option<Param<Tensor<1>>>,
}

/// W in one of its two forms.
#[derive(Module, Debug)]
// One for each layer: a box would save nothing compared with the weights, and a module cannot be boxed.
#[allow(clippy::large_enum_variant)]
pub enum Weight {
    /// `[in, out]`
    Dense(Param<Tensor<2>>),
    /// A constant.
    Nf4(Quantized),
}

impl Weight {
    /// Numbers of inputs and of outputs.
    pub fn dims(&self) -> [usize; 2] {
        match self {
            Self::Dense(weight) => weight.dims(),
            Self::Nf4(quantized) => quantized.dims(),
        }
    }
}

impl Linear {
    pub fn new(weight: Weight, bias: Option<Param<Tensor<1>>>) -> Self {
        Self { weight, bias }
    }

    /// `[batch, time, in]` to `[batch, time, out]`.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.product(x, self.bias.as_ref().map(Param::val))
    }

    /// x·W + `bias` if one is given; the layer's own bias is ignored.
    pub fn product(&self, x: Tensor<3>, bias: Option<Tensor<1>>) -> Tensor<3> {
        match &self.weight {
            Weight::Dense(weight) if weight.is_require_grad() => {
                kernels::linear(x, weight.val(), bias)
            }
            Weight::Dense(weight) => kernels::linear_frozen(x, weight.val(), bias),
            Weight::Nf4(quantized) => {
                let y = quantized.product(x);
                match bias {
                    Some(bias) => y + bias.unsqueeze::<3>(),
                    None => y,
                }
            }
        }
    }

    /// Numbers of inputs and of outputs.
    pub fn dims(&self) -> [usize; 2] {
        self.weight.dims()
    }

    /// W `[in, out]` as floats, outside of any graph.
    pub fn dense(&self) -> Tensor<2> {
        match &self.weight {
            Weight::Dense(weight) => weight.val().without_autodiff(),
            Weight::Nf4(quantized) => quantized.dense(),
        }
    }

    /// The weight in 4 bits, if it is in 4 bits.
    pub fn quantized(&self) -> Option<&Quantized> {
        match &self.weight {
            Weight::Dense(_) => None,
            Weight::Nf4(quantized) => Some(quantized),
        }
    }

    /// The layer with its weight in 4 bits, a constant from now on.
    pub fn with_quantized(self, quantized: Quantized) -> Self {
        Self {
            weight: Weight::Nf4(quantized),
            ..self
        }
    }

    /// The layer with another weight, of floats, which is trained if the old weight was.
    pub fn with_dense(self, weight: Tensor<2>) -> Self {
        let weight = match &self.weight {
            Weight::Dense(old) => {
                let autodiff = old.device().is_autodiff();
                let weight = if autodiff { weight.autodiff() } else { weight };
                Param::from_tensor(weight).set_require_grad(old.is_require_grad())
            }
            Weight::Nf4(_) => Param::from_tensor(weight).set_require_grad(false),
        };
        Self {
            weight: Weight::Dense(weight),
            ..self
        }
    }
}
