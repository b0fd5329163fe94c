//! The change by which an adapter modifies a linear layer, or some of its columns.

use super::linear::Linear;
use crate::kernels;
use crate::layout::Target;
use crate::parameters::HostTensor;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use lab_protocol::{ErrorCode, LabError, LoraConfig, text};

/// The change of one linear layer, on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct AdapterModule {
    /// `[in, rank]`
    pub a: HostTensor,
    /// `[rank, out]`
    pub b: HostTensor,
    /// `[out]`, with DoRA.
    pub magnitude: Option<HostTensor>,
    /// The factor of A·B.
    pub scale: f64,
}

/// Adds s·(dropout(x)·A)·B to some columns of x·W; with DoRA it then scales each column of W + s·A·B to a learned
/// length, the magnitude.
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
    pub dropout: f64,
    /// Squared lengths of the base's columns, `[width]`, with DoRA.
    #[module(skip)]
    squares: Option<Tensor<1>>,
}

impl LowRank {
    /// For the columns of `linear` that `target` names. Without a given magnitude, DoRA starts with the base's.
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
                text!(
                    "the adapter of {path} has A {a_shape} and B {b_shape}, and the layer goes from {input} to {width} numbers",
                    path = target.path,
                    a_shape = format!("{:?}", module.a.shape),
                    b_shape = format!("{:?}", module.b.shape),
                    input = target.input,
                    width = target.width
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

    pub fn rank(&self) -> usize {
        self.a.dims()[1]
    }

    /// Number of columns that are changed.
    pub fn width(&self) -> usize {
        self.b.dims()[1]
    }

    /// DoRA's factor of the columns, `[width]`: magnitude over length. As in the paper, the length is treated as a
    /// constant, so no gradient flows through it. It is computed without the sum W + s·A·B: |w + s·Ab|² = |w|² +
    /// 2s·b·(Aᵀw) + s²·b·(AᵀA b).
    pub fn factor(&self, linear: &Linear) -> Option<Tensor<1>> {
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

fn weight<const D: usize>(tensor: &HostTensor, device: &Device) -> Param<Tensor<D>> {
    let data = TensorData::new(tensor.values.clone(), tensor.shape.clone());
    Param::from_data(data, device)
}
