//! The operations that a backend must compute ([`Kernels`]) and the way from the public functions to them
//! ([`LabKernels`], which burn's macro routes to the tensor's backend, with or without autodiff).

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, backend_extension};

use super::adamw_step::AdamWStep;
use super::dropout::AttentionDropout;

/// An element-wise function of one tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activation {
    /// The exact form, with the error function.
    Gelu,
    /// The approximation with the hyperbolic tangent.
    GeluNew,
    /// The positive part.
    Relu,
}

/// The layout of heads in a packed projection: `queries` query heads, then `keys` key heads, then `keys` value heads,
/// `width` numbers each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// Number of query heads.
    pub queries: usize,
    /// Number of key heads, and of value heads.
    pub keys: usize,
    /// Width of a head.
    pub width: usize,
}

#[cfg(feature = "cpu")]
impl Heads {
    /// Length of a token's packed projection.
    pub fn packed(&self) -> usize {
        (self.queries + 2 * self.keys) * self.width
    }
}

/// The vectors of a contiguous tensor that are turned, and their angles. The tensor is cut into vectors of `width`
/// numbers; vector `i` is number `i % vectors` of position `i / vectors % time`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Number of vectors at a position.
    pub vectors: usize,
    /// The first `turned` of them are turned, the others copied.
    pub turned: usize,
    /// Length of a vector.
    pub width: usize,
    /// Number of positions.
    pub time: usize,
    /// Turns back, for the gradient.
    pub inverse: bool,
}

/// Numbers in a block of NF4, which share a scale.
pub const NF4_BLOCK: usize = 64;
/// Scales in a block, which share a scale of their own.
pub const NF4_SCALES: usize = 256;

/// A matrix `[rows, columns]` in NF4 with double quantisation. It comes with three tensors: its codes, the
/// codes of its scales, and tables, which hold the 16 values of a code, the 256 values of a scale's code,
/// and the factor of each block of scales.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nf4Format {
    pub rows: usize,
    pub columns: usize,
    /// The mean, which is added to each scale.
    pub mean: f32,
}

/// The kernels of one backend, forward and backward; autodiff records none of them. Shapes are the same as in the
/// public functions; `x [.., d]` means any leading dimensions, treated as rows.
pub trait Kernels: Backend {
    /// `a · b`, batched and broadcast.
    fn k_matmul(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self>;
    /// `x · w (+ bias)`, `x [.., in]`, `w [in, out]`, to `[.., out]`.
    fn k_linear(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
    ) -> FloatTensor<Self>;
    /// `xᵀ · dy` over all rows: `x [.., in]`, `dy [.., out]`, to `[in, out]`.
    fn k_linear_weight(x: FloatTensor<Self>, dy: FloatTensor<Self>) -> FloatTensor<Self>;
    /// A matrix in NF4 as floats, `[rows, columns]`.
    fn k_nf4(
        codes: IntTensor<Self>,
        scales: IntTensor<Self>,
        tables: FloatTensor<Self>,
        format: Nf4Format,
    ) -> FloatTensor<Self>;
    /// Sum over all rows: `[.., c]` to `[c]`.
    fn k_sum_rows(x: FloatTensor<Self>) -> FloatTensor<Self>;
    /// Layer norm (`centred`) or RMS norm; also gives `[rows, 2]`: mean and reciprocal deviation.
    fn k_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        eps: f32,
        centred: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
    /// Gradients of `x`, `weight` and bias (the sum of `dy` over the rows).
    fn k_norm_backward(
        dy: FloatTensor<Self>,
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stats: FloatTensor<Self>,
        centred: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
    /// The activation of each element.
    fn k_activate(x: FloatTensor<Self>, kind: Activation) -> FloatTensor<Self>;
    /// Its derivative at `x` times `dy`.
    fn k_activate_backward(
        x: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        kind: Activation,
    ) -> FloatTensor<Self>;
    /// `silu(gate) · up`.
    fn k_swiglu(gate: FloatTensor<Self>, up: FloatTensor<Self>) -> FloatTensor<Self>;
    /// Gradients of `gate` and `up`.
    fn k_swiglu_backward(
        gate: FloatTensor<Self>,
        up: FloatTensor<Self>,
        dy: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
    /// Causal softmax of `scale · scores`, `[b, h, t, s]`.
    fn k_causal_softmax(scores: FloatTensor<Self>, scale: f32) -> FloatTensor<Self>;
    /// Gradient of the scores from the probabilities and their gradient.
    fn k_causal_softmax_backward(
        p: FloatTensor<Self>,
        dp: FloatTensor<Self>,
        scale: f32,
    ) -> FloatTensor<Self>;
    /// Causal attention of a packed projection `[b, t, packed]` over itself, to
    /// `[b, t, queries · width]`; also gives the logarithm of each softmax's sum, `[b, t, queries]`.
    fn k_self_attention(
        qkv: FloatTensor<Self>,
        heads: Heads,
        scale: f32,
        dropout: Option<AttentionDropout>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
    /// Gradient of the packed projection.
    fn k_self_attention_backward(
        dy: FloatTensor<Self>,
        qkv: FloatTensor<Self>,
        y: FloatTensor<Self>,
        log_sum: FloatTensor<Self>,
        heads: Heads,
        scale: f32,
        dropout: Option<AttentionDropout>,
    ) -> FloatTensor<Self>;
    /// One more token for each sequence: see [`super::cached_attention`]; `lengths` `[b]`.
    fn k_cached_attention(
        qkv: FloatTensor<Self>,
        keys: FloatTensor<Self>,
        values: FloatTensor<Self>,
        lengths: IntTensor<Self>,
        heads: Heads,
        scale: f32,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
    /// Rotary positions; `cos` and `sin` `[time or more, width / 2]`.
    fn k_rotate(
        x: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
        rotation: Rotation,
    ) -> FloatTensor<Self>;
    /// Rows of `weight [v, d]` by `ids [b, t]`, to `[b, t, d]`.
    fn k_embedding(weight: FloatTensor<Self>, ids: IntTensor<Self>) -> FloatTensor<Self>;
    /// Gradient `[v, d]` of the weight.
    fn k_embedding_backward(
        dy: FloatTensor<Self>,
        ids: IntTensor<Self>,
        vocabulary: usize,
    ) -> FloatTensor<Self>;
    /// Loss `[n]` and logarithm of the sum of exponentials `[n]` of `logits [n, v]`.
    fn k_cross_entropy(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
    /// Gradient of the logits; `dy [n]`.
    fn k_cross_entropy_backward(
        dy: FloatTensor<Self>,
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        log_sum: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
    /// Entropy `[n]` of the softmax of `logits [n, v]`, and logarithm of the sum of exponentials `[n]`.
    fn k_entropy(logits: FloatTensor<Self>) -> (FloatTensor<Self>, FloatTensor<Self>);
    /// Gradient of the logits; `dy [n]`.
    fn k_entropy_backward(
        dy: FloatTensor<Self>,
        logits: FloatTensor<Self>,
        entropy: FloatTensor<Self>,
        log_sum: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
    /// Norm `[1]` over all elements of all tensors.
    fn k_global_norm(tensors: Vec<FloatTensor<Self>>) -> FloatTensor<Self>;
    /// Clipping factor `[1]` of a norm `[1]`.
    fn k_clip_scale(norm: FloatTensor<Self>, max_norm: f32) -> FloatTensor<Self>;
    /// One update; new parameter, mean and mean square.
    fn k_adamw(
        param: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        m: FloatTensor<Self>,
        v: FloatTensor<Self>,
        h: AdamWStep,
        clip_scale: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

/// The differentiable operations, in the form that burn's dispatch needs.
#[backend_extension(Flex: cfg(feature = "cpu"), Cube: cfg(feature = "wgpu"), Autodiff)]
pub trait LabKernels: Backend {
    /// See [`super::matmul`].
    fn lab_matmul(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self>;
    /// `x · w`, or `x · wᵀ` if `transposed`.
    fn lab_linear(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        transposed: bool,
    ) -> FloatTensor<Self>;
    /// `x · w + bias`.
    fn lab_linear_bias(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
    /// [`LabKernels::lab_linear`] with a weight that is a constant.
    fn lab_linear_frozen(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        transposed: bool,
    ) -> FloatTensor<Self>;
    /// [`LabKernels::lab_linear_bias`] with a weight and a bias that are constants.
    fn lab_linear_frozen_bias(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
    /// `x · wᵀ`, the weight being a constant in NF4.
    fn lab_linear_nf4(
        x: FloatTensor<Self>,
        codes: IntTensor<Self>,
        scales: IntTensor<Self>,
        tables: FloatTensor<Self>,
        format: Nf4Format,
    ) -> FloatTensor<Self>;
    /// See [`Kernels::k_nf4`].
    fn lab_nf4(
        codes: IntTensor<Self>,
        scales: IntTensor<Self>,
        tables: FloatTensor<Self>,
        format: Nf4Format,
    ) -> FloatTensor<Self>;
    /// Norm without bias.
    fn lab_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        eps: f32,
        centred: bool,
    ) -> FloatTensor<Self>;
    /// Layer norm with bias.
    fn lab_norm_bias(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        eps: f32,
    ) -> FloatTensor<Self>;
    /// See [`Activation`].
    fn lab_activate(x: FloatTensor<Self>, kind: Activation) -> FloatTensor<Self>;
    /// See [`super::swiglu`].
    fn lab_swiglu(gate: FloatTensor<Self>, up: FloatTensor<Self>) -> FloatTensor<Self>;
    /// See [`super::causal_softmax`].
    fn lab_causal_softmax(scores: FloatTensor<Self>, scale: f32) -> FloatTensor<Self>;
    /// See [`super::self_attention`]; without rotation.
    fn lab_self_attention(
        qkv: FloatTensor<Self>,
        heads: Heads,
        scale: f32,
        dropout: Option<AttentionDropout>,
    ) -> FloatTensor<Self>;
    /// See [`Rotation`].
    fn lab_rotate(
        x: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
        rotation: Rotation,
    ) -> FloatTensor<Self>;
    /// See [`super::embedding`].
    fn lab_embedding(weight: FloatTensor<Self>, ids: IntTensor<Self>) -> FloatTensor<Self>;
    /// See [`super::cross_entropy`].
    fn lab_cross_entropy(logits: FloatTensor<Self>, targets: IntTensor<Self>) -> FloatTensor<Self>;
    /// See [`super::entropy`].
    fn lab_entropy(logits: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// Without autodiff an operation is only its kernel.
impl<B: Kernels> LabKernels for B {
    fn lab_matmul(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        B::k_matmul(a, b)
    }

    fn lab_linear(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        transposed: bool,
    ) -> FloatTensor<Self> {
        B::k_linear(x, if transposed { B::float_transpose(w) } else { w }, None)
    }

    fn lab_linear_bias(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        B::k_linear(x, w, Some(bias))
    }

    fn lab_linear_frozen(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        transposed: bool,
    ) -> FloatTensor<Self> {
        Self::lab_linear(x, w, transposed)
    }

    fn lab_linear_frozen_bias(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        Self::lab_linear_bias(x, w, bias)
    }

    fn lab_linear_nf4(
        x: FloatTensor<Self>,
        codes: IntTensor<Self>,
        scales: IntTensor<Self>,
        tables: FloatTensor<Self>,
        format: Nf4Format,
    ) -> FloatTensor<Self> {
        let w = B::k_nf4(codes, scales, tables, format);
        B::k_linear(x, B::float_transpose(w), None)
    }

    fn lab_nf4(
        codes: IntTensor<Self>,
        scales: IntTensor<Self>,
        tables: FloatTensor<Self>,
        format: Nf4Format,
    ) -> FloatTensor<Self> {
        B::k_nf4(codes, scales, tables, format)
    }

    fn lab_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        eps: f32,
        centred: bool,
    ) -> FloatTensor<Self> {
        B::k_norm(x, weight, None, eps, centred).0
    }

    fn lab_norm_bias(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        eps: f32,
    ) -> FloatTensor<Self> {
        B::k_norm(x, weight, Some(bias), eps, true).0
    }

    fn lab_activate(x: FloatTensor<Self>, kind: Activation) -> FloatTensor<Self> {
        B::k_activate(x, kind)
    }

    fn lab_swiglu(gate: FloatTensor<Self>, up: FloatTensor<Self>) -> FloatTensor<Self> {
        B::k_swiglu(gate, up)
    }

    fn lab_causal_softmax(scores: FloatTensor<Self>, scale: f32) -> FloatTensor<Self> {
        B::k_causal_softmax(scores, scale)
    }

    fn lab_self_attention(
        qkv: FloatTensor<Self>,
        heads: Heads,
        scale: f32,
        dropout: Option<AttentionDropout>,
    ) -> FloatTensor<Self> {
        B::k_self_attention(qkv, heads, scale, dropout).0
    }

    fn lab_rotate(
        x: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
        rotation: Rotation,
    ) -> FloatTensor<Self> {
        B::k_rotate(x, cos, sin, rotation)
    }

    fn lab_embedding(weight: FloatTensor<Self>, ids: IntTensor<Self>) -> FloatTensor<Self> {
        B::k_embedding(weight, ids)
    }

    fn lab_cross_entropy(logits: FloatTensor<Self>, targets: IntTensor<Self>) -> FloatTensor<Self> {
        B::k_cross_entropy(logits, targets).0
    }

    fn lab_entropy(logits: FloatTensor<Self>) -> FloatTensor<Self> {
        B::k_entropy(logits).0
    }
}

/// Whether the kernels support this tensor.
pub(super) fn fits<const D: usize>(x: &burn::tensor::Tensor<D>) -> bool {
    x.dtype() == burn::tensor::DType::F32 && x.shape().num_elements() > 0
}
