//! The change that an adapter makes to a linear layer, or to some columns of one.

use super::{AdapterModule, Target};
use crate::dropout::Dropout;
use crate::kernels;
use crate::linear::Linear;
use crate::parameters::HostTensor;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use lab_protocol::{ErrorCode, LabError, LoraConfig};

/// Adds s·(dropout(x)·A)·B to some columns of x·W; with DoRA it then brings each column of W + s·A·B to
/// a length of its own, the magnitude.
#[derive(Module, Debug)]
pub struct LowRank {
    /// `[in, rank]`
    pub a: Param<Tensor<2>>,
    /// `[rank, width]`
    pub b: Param<Tensor<2>>,
    /// `[width]`
    pub magnitude: Option<Param<Tensor<1>>>,
    /// Path of the adapted module in the model's file.
    #[module(skip)]
    pub path: String,
    /// The first of the columns.
    #[module(skip)]
    pub start: usize,
    #[module(skip)]
    pub scale: f64,
    #[module(skip)]
    dropout: f64,
    /// Squared lengths of the base's columns, `[width]`, with DoRA.
    #[module(skip)]
    squares: Option<Tensor<1>>,
}

impl LowRank {
    /// For the columns of `linear` that `target` names. Without a magnitude DoRA begins with the base's.
    pub fn new(
        linear: &Linear,
        target: &Target,
        module: &AdapterModule,
        config: &LoraConfig,
        device: &Device,
    ) -> Result<Self, LabError> {
        let rank = module.a.shape.last().copied().unwrap_or(0);
        let fits = rank > 0
            && module.a.shape == [target.input, rank]
            && module.b.shape == [rank, target.width]
            && module
                .magnitude
                .as_ref()
                .is_none_or(|magnitude| magnitude.shape == [target.width]);
        if !fits {
            return Err(LabError::new(
                ErrorCode::InvalidCheckpoint,
                format!(
                    "the adapter of {} has A {:?} and B {:?}, and the layer goes from {} to {} numbers",
                    target.path, module.a.shape, module.b.shape, target.input, target.width
                ),
                "Use the adapter with the model that it was trained on.",
            ));
        }
        let squares = (config.dora || module.magnitude.is_some()).then(|| {
            let columns = linear.dense().narrow(1, target.start, target.width);
            (columns.clone() * columns)
                .sum_dim(0)
                .reshape([target.width])
        });
        let magnitude = match (&module.magnitude, &squares) {
            (Some(given), _) => Some(weight(given, device)),
            (None, Some(squares)) => {
                let lengths = squares.clone().sqrt();
                Some(Param::from_tensor(if device.is_autodiff() {
                    lengths.autodiff()
                } else {
                    lengths
                }))
            }
            (None, None) => None,
        };
        Ok(Self {
            a: weight(&module.a, device),
            b: weight(&module.b, device),
            magnitude,
            path: target.path.clone(),
            start: target.start,
            scale: module.scale,
            dropout: config.dropout,
            squares,
        })
    }

    fn rank(&self) -> usize {
        self.a.dims()[1]
    }

    fn width(&self) -> usize {
        self.b.dims()[1]
    }

    /// What DoRA multiplies the columns by, `[width]`: magnitude over length. As in the paper, the length
    /// counts as a constant, which saves the gradient's way through it. It is found without the sum
    /// W + s·A·B: |w + s·Ab|² = |w|² + 2s·b·(Aᵀw) + s²·b·(AᵀA b).
    fn factor(&self, linear: &Linear) -> Option<Tensor<1>> {
        let (magnitude, squares) = self.magnitude.as_ref().zip(self.squares.as_ref())?;
        let a = self.a.val().without_autodiff();
        let b = self.b.val().without_autodiff();
        let width = self.width();
        let projected = linear
            .product(a.clone().transpose().unsqueeze::<3>(), None)
            .without_autodiff()
            .narrow(2, self.start, width)
            .squeeze_dim::<2>(0);
        let gram = kernels::matmul(kernels::matmul(a.clone().transpose(), a), b.clone());
        let sum = |x: Tensor<2>| x.sum_dim(0).reshape([width]);
        let cross = sum(b.clone() * projected) * (2.0 * self.scale);
        let square = sum(b * gram) * (self.scale * self.scale);
        let lengths = (squares.clone() + cross + square).sqrt();
        Some(magnitude.val() / lengths)
    }
}

/// x·W + b with the changes of the layer's adapters. Theirs are one product each way: A side by side, B
/// in blocks. They see the same input, dropped from once.
pub(crate) fn forward(
    linear: &Linear,
    x: Tensor<3>,
    bias: Option<Tensor<1>>,
    dropout: &mut Dropout,
) -> Tensor<3> {
    let parts = &linear.adapters;
    let probability = parts.first().map_or(0.0, |part| part.dropout);
    let dropped = dropout.apply_with(probability, x.clone());
    let (a, b) = low_rank(linear);
    let change = kernels::linear(kernels::linear(dropped, a, None), b, None);
    match factors(linear) {
        None => linear.product(x, bias) + change,
        Some(factors) => {
            let y = (linear.product(x, None) + change) * factors.unsqueeze::<3>();
            match bias {
                Some(bias) => y + bias.unsqueeze::<3>(),
                None => y,
            }
        }
    }
}

/// A of all parts side by side, `[in, ranks]`, and s·B in the rows and columns of each, `[ranks, out]`.
fn low_rank(linear: &Linear) -> (Tensor<2>, Tensor<2>) {
    let [_, out] = linear.dims();
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
    let parts = &linear.adapters;
    let a = parts.iter().map(|part| part.a.val()).collect();
    let b = parts.iter().map(wide).collect();
    (
        one_or(a, |a| Tensor::cat(a, 1)),
        one_or(b, |b| Tensor::cat(b, 0)),
    )
}

/// DoRA's factor of each column of the output, 1 where there is none; `None` without DoRA.
fn factors(linear: &Linear) -> Option<Tensor<1>> {
    let [_, out] = linear.dims();
    let mut pieces = Vec::new();
    let mut end = 0;
    for part in &linear.adapters {
        let factor = part.factor(linear)?;
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

/// The only one as it is, or several joined.
fn one_or<const D: usize>(
    mut pieces: Vec<Tensor<D>>,
    join: impl FnOnce(Vec<Tensor<D>>) -> Tensor<D>,
) -> Tensor<D> {
    match pieces.len() {
        1 => pieces.remove(0),
        _ => join(pieces),
    }
}

impl Linear {
    /// The layer with its adapters' change in its weight, and no adapter.
    pub(crate) fn merged(mut self) -> Self {
        if self.adapters.is_empty() {
            return self;
        }
        let (a, b) = low_rank(&self);
        let change = kernels::matmul(a.without_autodiff(), b.without_autodiff());
        let mut weight = self.dense() + change;
        if let Some(factors) = factors(&self) {
            weight = weight * factors.without_autodiff().unsqueeze::<2>();
        }
        self.adapters.clear();
        self.with_dense(weight)
    }

    /// The layer with its adapters' change taken out of its weight, and the adapters as they are.
    pub(crate) fn unmerged(self) -> Self {
        if self.adapters.is_empty() {
            return self;
        }
        let (a, b) = low_rank(&self);
        let change = kernels::matmul(a.without_autodiff(), b.without_autodiff());
        let weight = self.dense() - change;
        self.with_dense(weight)
    }
}

fn weight<const D: usize>(tensor: &HostTensor, device: &Device) -> Param<Tensor<D>> {
    let data = TensorData::new(tensor.values.clone(), tensor.shape.clone());
    Param::from_data(data, device)
}
