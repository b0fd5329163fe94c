//! A linear layer and the low-rank adapters around it.

use super::linear::Linear;
use super::low_rank::{AdapterModule, LowRank};
use crate::dropout::Dropout;
use crate::kernels;
use crate::layout::Target;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use lab_protocol::{LabError, LoraConfig};

/// A linear layer with any number of adapters, each of which changes other columns of its output. As in PEFT, the
/// inner layer is called `base_layer`; this name is left out of its weights' names ([`crate::parameters`]): they are
/// the same with adapters and without.
#[derive(Module, Debug)]
pub struct LoraLinear {
    base_layer: Linear,
    /// In the order of their columns.
    pub adapters: Vec<LowRank>,
}

impl From<Linear> for LoraLinear {
    fn from(base_layer: Linear) -> Self {
        Self {
            base_layer,
            adapters: Vec::new(),
        }
    }
}

impl LoraLinear {
    /// The layer without its adapters.
    pub fn base(&self) -> &Linear {
        &self.base_layer
    }

    /// Adds an adapter to the layer: the columns of `target`, changed by `module`.
    pub fn attach(
        &mut self,
        target: &Target,
        module: &AdapterModule,
        config: &LoraConfig,
        device: &Device,
    ) -> Result<(), LabError> {
        let part = LowRank::new(&self.base_layer, target, module, config, device)?;
        self.adapters.push(part);
        Ok(())
    }

    /// Changes the layer inside the adapters.
    pub fn map_base(self, change: impl FnOnce(Linear) -> Linear) -> Self {
        Self {
            base_layer: change(self.base_layer),
            ..self
        }
    }

    /// `[batch, time, in]` to `[batch, time, out]`: x·W + b with the adapters' changes. All adapters together take
    /// two products: A side by side, B in blocks. They see the same input, after one dropout.
    pub fn forward(&self, x: Tensor<3>, dropout: &mut Dropout) -> Tensor<3> {
        let base = &self.base_layer;
        let Some(first) = self.adapters.first() else {
            return base.forward(x);
        };
        let dropped = dropout.apply_with(first.dropout, x.clone());
        let (a, b) = self.low_rank();
        let change = kernels::linear(kernels::linear(dropped, a, None), b, None);
        match self.factors() {
            None => base.forward(x) + change,
            Some(factors) => {
                let y = (base.product(x, None) + change) * factors.unsqueeze::<3>();
                match &base.bias {
                    Some(bias) => y + bias.val().unsqueeze::<3>(),
                    None => y,
                }
            }
        }
    }

    /// The layer with its adapters' changes in its weight, and no adapter.
    pub fn merged(mut self) -> Self {
        if self.adapters.is_empty() {
            return self;
        }
        let mut weight = self.base_layer.dense() + self.change();
        if let Some(factors) = self.factors() {
            weight = weight * factors.without_autodiff().unsqueeze::<2>();
        }
        self.adapters.clear();
        self.map_base(|base| base.with_dense(weight))
    }

    /// The layer with its adapters' changes subtracted from its weight, and the adapters unchanged.
    pub fn unmerged(self) -> Self {
        if self.adapters.is_empty() {
            return self;
        }
        let weight = self.base_layer.dense() - self.change();
        self.map_base(|base| base.with_dense(weight))
    }

    /// s·A·B of all adapters, `[in, out]`.
    fn change(&self) -> Tensor<2> {
        let (a, b) = self.low_rank();
        kernels::matmul(a.without_autodiff(), b.without_autodiff())
    }

    /// A of all parts side by side, `[in, ranks]`, and s·B in the rows and columns of each, `[ranks, out]`.
    fn low_rank(&self) -> (Tensor<2>, Tensor<2>) {
        let [_, out] = self.base_layer.dims();
        let wide = |part: &LowRank| {
            let b = part.b.val() * part.scale;
            let zeros = |width: usize| Tensor::zeros([part.rank(), width], &b.device());
            let rest = out - part.start - part.width();
            let pieces = [(part.start, None), (0, Some(b.clone())), (rest, None)];
            let pieces: Vec<Tensor<2>> = pieces
                .into_iter()
                .filter_map(|(width, piece)| piece.or_else(|| (width > 0).then(|| zeros(width))))
                .collect();
            one_or(pieces, |pieces| Tensor::cat(pieces, 1))
        };
        let parts = &self.adapters;
        let a = parts.iter().map(|part| part.a.val()).collect();
        let b = parts.iter().map(wide).collect();
        (
            one_or(a, |a| Tensor::cat(a, 1)),
            one_or(b, |b| Tensor::cat(b, 0)),
        )
    }

    /// DoRA's factor of each column of the output, 1 for columns without one; `None` without DoRA.
    fn factors(&self) -> Option<Tensor<1>> {
        let [_, out] = self.base_layer.dims();
        let mut pieces = Vec::new();
        let mut end = 0;
        for part in &self.adapters {
            let factor = part.factor(&self.base_layer)?;
            if part.start > end {
                pieces.push(Tensor::ones([part.start - end], &factor.device()));
            }
            end = part.start + part.width();
            pieces.push(factor);
        }
        if end < out {
            let device = pieces.first().map(Tensor::device)?;
            pieces.push(Tensor::ones([out - end], &device));
        }
        Some(one_or(pieces, |pieces| Tensor::cat(pieces, 0)))
    }
}

/// The only tensor unchanged, or several joined.
fn one_or<const D: usize>(
    mut pieces: Vec<Tensor<D>>,
    join: impl FnOnce(Vec<Tensor<D>>) -> Tensor<D>,
) -> Tensor<D> {
    match pieces.len() {
        1 => pieces.remove(0),
        _ => join(pieces),
    }
}
