//! Linear layers, whose weight may be frozen, kept in 4 bits, and changed by low-rank adapters.

use crate::adapter::{self, LowRank};
use crate::dropout::Dropout;
use crate::kernels;
use crate::nf4::Quantized;
use burn::module::{Module, Param};
use burn::tensor::Tensor;

/// y = x·W + b, and what adapters add to it. The weight is there in one of two forms.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[in, out]`; none where it is in 4 bits.
    weight: Option<Param<Tensor<2>>>,
    /// `[out]`
    pub bias: Option<Param<Tensor<1>>>,
    /// Each of other columns of the output, in their order.
    pub adapters: Vec<LowRank>,
    /// The weight in 4 bits.
    #[module(skip)]
    quantized: Option<Quantized>,
}

impl Linear {
    pub fn new(weight: Param<Tensor<2>>, bias: Option<Param<Tensor<1>>>) -> Self {
        Self {
            weight: Some(weight),
            bias,
            adapters: Vec::new(),
            quantized: None,
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

    /// The weight in 4 bits, if it is.
    pub fn quantized(&self) -> Option<&Quantized> {
        self.quantized.as_ref()
    }

    fn form(&self) -> Form<'_> {
        match (&self.weight, &self.quantized) {
            (_, Some(quantized)) => Form::Quantized(quantized),
            (Some(weight), None) => Form::Floats(weight),
            (None, None) => unreachable!("a layer is made with a weight, and keeps one"),
        }
    }

    /// x·W + b, without adapters.
    pub fn product(&self, x: Tensor<3>, bias: Option<Tensor<1>>) -> Tensor<3> {
        match self.form() {
            Form::Floats(weight) if weight.is_require_grad() => {
                kernels::linear(x, weight.val(), bias)
            }
            Form::Floats(weight) => kernels::linear_frozen(x, weight.val(), bias),
            Form::Quantized(quantized) => {
                let y = quantized.product(x);
                match bias {
                    Some(bias) => y + bias.unsqueeze::<3>(),
                    None => y,
                }
            }
        }
    }

    /// Numbers that come in and go out.
    pub fn dims(&self) -> [usize; 2] {
        match self.form() {
            Form::Floats(weight) => weight.dims(),
            Form::Quantized(quantized) => quantized.dims(),
        }
    }

    /// W `[in, out]` as floats, outside of any graph.
    pub fn dense(&self) -> Tensor<2> {
        match self.form() {
            Form::Floats(weight) => weight.val().without_autodiff(),
            Form::Quantized(quantized) => quantized.dense(),
        }
    }

    /// The layer with its weight in 4 bits, a constant from now on.
    pub fn with_quantized(mut self, quantized: Quantized) -> Self {
        self.weight = None;
        self.quantized = Some(quantized);
        self
    }

    /// The layer with another weight, of floats, which is trained if the old one was.
    pub fn with_dense(mut self, weight: Tensor<2>) -> Self {
        let old = self.weight.as_ref();
        let trained = old.is_some_and(|old| old.is_require_grad());
        let autodiff = old.is_some_and(|old| old.device().is_autodiff());
        let weight = if autodiff { weight.autodiff() } else { weight };
        self.quantized = None;
        self.weight = Some(Param::from_tensor(weight).set_require_grad(trained));
        self
    }
}

enum Form<'a> {
    Floats(&'a Param<Tensor<2>>),
    Quantized(&'a Quantized),
}
