//! The compute kernels of the decoder: what it does with tensors, as one function each.
//!
//! All functions take and return burn tensors of 32-bit floats and are differentiable (except
//! [`global_norm`], [`clip_scale`] and [`adamw`], which the optimiser calls on tensors without
//! autodiff). A fused kernel runs where there is one for the tensor's backend; everything else falls
//! back to [`plain`], the same formulas written with ordinary tensor operations.

pub mod plain;

use burn::tensor::{Int, Tensor};

/// Added to the norm before dividing by it, as PyTorch's `clip_grad_norm_` does.
pub const CLIP_EPSILON: f64 = 1e-6;

/// The settings of one AdamW update; see [`adamw`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWStep {
    /// Step size.
    pub learning_rate: f64,
    /// Decay of the mean of the gradients.
    pub beta1: f64,
    /// Decay of the mean of their squares.
    pub beta2: f64,
    /// Added to the denominator.
    pub epsilon: f64,
    /// Decoupled weight decay; 0 for parameters that have none.
    pub weight_decay: f64,
    /// Number of this update, counted from 1.
    pub step: usize,
}

impl AdamWStep {
    /// The bias corrections `1 - beta1^step` and `1 - beta2^step`, computed in double precision.
    pub fn corrections(&self) -> (f64, f64) {
        let power = |beta: f64| 1.0 - beta.powf(self.step as f64);
        (power(self.beta1), power(self.beta2))
    }
}

/// `a · b` over the last two dimensions, the leading ones broadcast: `[.., m, k] · [.., k, n]` to
/// `[.., m, n]`. Transposed views are read in place.
pub fn matmul<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
    plain::matmul(a, b)
}

/// `x · weight + bias`: `x [b, t, in]`, `weight [in, out]`, `bias [out]`, to `[b, t, out]`.
pub fn linear(x: Tensor<3>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<3> {
    plain::linear(x, weight, bias)
}

/// `x · weightᵀ`: `x [b, t, in]`, `weight [out, in]`, to `[b, t, out]`. For a head that shares its
/// weight with the embedding.
pub fn linear_transposed(x: Tensor<3>, weight: Tensor<2>) -> Tensor<3> {
    plain::linear_transposed(x, weight)
}

/// `(x - mean) / sqrt(variance + eps) · weight + bias` over the last dimension, the variance without
/// Bessel's correction: `x [.., d]`, `weight [d]`, `bias [d]`.
pub fn layer_norm<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<1>,
    bias: Option<Tensor<1>>,
    eps: f64,
) -> Tensor<D> {
    plain::layer_norm(x, weight, bias, eps)
}

/// `x / sqrt(mean(x²) + eps) · weight` over the last dimension: `x [.., d]`, `weight [d]`.
pub fn rms_norm<const D: usize>(x: Tensor<D>, weight: Tensor<1>, eps: f64) -> Tensor<D> {
    plain::rms_norm(x, weight, eps)
}

/// `x/2 · (1 + erf(x/√2))`.
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    plain::gelu(x)
}

/// `x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))`, GPT-2's form.
pub fn gelu_new<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    plain::gelu_new(x)
}

/// `max(x, 0)`; its derivative at 0 is 0.
pub fn relu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    plain::relu(x)
}

/// `gate · sigmoid(gate) · up`, element by element; both of the same shape.
pub fn swiglu<const D: usize>(gate: Tensor<D>, up: Tensor<D>) -> Tensor<D> {
    plain::swiglu(gate, up)
}

/// Softmax over the last dimension of `scale · scores`, where query `i` of `t` sees the keys
/// `j <= i + (s - t)`: `scores [b, h, t, s]`, `s >= t`. Hidden keys get probability 0.
pub fn causal_softmax(scores: Tensor<4>, scale: f64) -> Tensor<4> {
    plain::causal_softmax(scores, scale)
}

/// Causal attention `softmax(scale · q kᵀ) v`: `q [b, h, t, d]`, `k` and `v` `[b, kv, s, d]`, to
/// `[b, h, t, d]`. `h` is a multiple of `kv`: neighbouring query heads share a key head. With
/// `s > t` the queries are the last `t` of `s` positions, as when generating with a cache.
pub fn attention(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, scale: f64) -> Tensor<4> {
    plain::attention(q, k, v, scale)
}

/// [`attention`] of a sequence over itself, straight from the packed projection: `qkv`
/// `[b, t, (h + 2·kv)·d]` holds, per token, the `h` query heads, then the `kv` key heads, then the
/// `kv` value heads; the result is `[b, t, h·d]`. With `rotation` (cosine and sine `[t, d/2]`)
/// queries and keys are first turned by [`rope`]. One operation where the long form needs a dozen.
pub fn self_attention(
    qkv: Tensor<3>,
    heads: usize,
    kv_heads: usize,
    rotation: Option<(Tensor<2>, Tensor<2>)>,
    scale: f64,
) -> Tensor<3> {
    plain::self_attention(qkv, heads, kv_heads, rotation, scale)
}

/// Rows of `weight` by number: `weight [v, d]`, `ids [b, t]`, to `[b, t, d]`. The gradient adds up
/// rows in the order of the tokens, so that it is the same every time.
pub fn embedding(weight: Tensor<2>, ids: Tensor<2, Int>) -> Tensor<3> {
    plain::embedding(weight, ids)
}

/// `-log softmax(logits)[target]` in nats for each row: `logits [n, v]`, `targets [n]`, to `[n]`.
/// A negative target means "do not count this row": its loss is 0 and it gives no gradient.
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    plain::cross_entropy(logits, targets)
}

/// Llama's rotary positions: the halves `(a, b)` of the last dimension become
/// `(a cos - b sin, b cos + a sin)`: `x [b, h, t, d]`, `cos` and `sin` `[t, d/2]`.
pub fn rope(x: Tensor<4>, cos: Tensor<2>, sin: Tensor<2>) -> Tensor<4> {
    plain::rope(x, cos, sin)
}

/// The norm `[1]` of all elements of all tensors together (at least one tensor). Not differentiable.
pub fn global_norm(tensors: &[Tensor<1>]) -> Tensor<1> {
    plain::global_norm(tensors)
}

/// The factor `[1]` that brings gradients of this global norm down to `max_norm`:
/// `min(1, max_norm / (norm + 1e-6))`, or 1 where `max_norm` is 0. Nothing is read by the host. When
/// the norm is NaN or infinite the factor is -1, and [`adamw`] then changes nothing: the trainer reads
/// the norm afterwards and reports the error.
pub fn clip_scale(norm: Tensor<1>, max_norm: f64) -> Tensor<1> {
    plain::clip_scale(norm, max_norm)
}

/// One AdamW update with decoupled weight decay, for tensors without autodiff; gives the new
/// parameter, mean and mean square, in the old ones' memory where nothing else uses it:
/// ```text
/// g = clip_scale · grad       m = beta1 m + (1 - beta1) g       v = beta2 v + (1 - beta2) g²
/// param = param (1 - lr · weight_decay) - lr · m / c1 / (sqrt(v) / sqrt(c2) + epsilon)
/// ```
/// with `c = 1 - beta^step`. Where `clip_scale` is negative or not finite, or the gradient is not
/// finite, all three stay as they were.
pub fn adamw<const D: usize>(
    param: Tensor<D>,
    grad: Tensor<D>,
    m: Tensor<D>,
    v: Tensor<D>,
    h: AdamWStep,
    clip_scale: Tensor<1>,
) -> (Tensor<D>, Tensor<D>, Tensor<D>) {
    plain::adamw(param, grad, m, v, h, clip_scale)
}
