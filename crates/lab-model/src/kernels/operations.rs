//! The operations of the decoder; each runs on the backend of its tensors.

use super::adamw_step::AdamWStep;
use super::backend::{Activation, Heads, Kernels, LabKernels, Nf4Format, Rotation, fits};
use super::decode::rotate_heads;
use super::dropout::AttentionDropout;
use super::plain;
#[cfg(feature = "wgpu")]
use burn::backend::Cube;
use burn::backend::Dispatch;
#[cfg(feature = "cpu")]
use burn::backend::Flex;
use burn::tensor::{Int, Tensor};

/// The norm by backend `$b`, if all tensors are on it.
macro_rules! global_norm_on {
    ($b:ty, $tensors:expr) => {
        $tensors
            .iter()
            .map(|x| x.clone().try_into_primitive::<$b>().ok())
            .collect::<Option<Vec<_>>>()
            .map(|tensors| Tensor::from_primitive::<$b>(<$b>::k_global_norm(tensors)))
    };
}

/// Returns the update by backend `$b`, if the tensors are on it. (A clone is tested first: the tensors themselves
/// must stay unshared to be changed in place.)
macro_rules! adamw_on {
    ($b:ty, $param:ident, $grad:ident, $m:ident, $v:ident, $h:ident, $clip:ident) => {
        if fits(&$param) && $param.clone().try_into_primitive::<$b>().is_ok() {
            let [Ok(param), Ok(grad), Ok(m), Ok(v)] =
                [$param, $grad, $m, $v].map(|x| x.try_into_primitive::<$b>())
            else {
                panic!("adamw: the tensors are on different backends");
            };
            let Ok(clip) = $clip.try_into_primitive::<$b>() else {
                panic!("adamw: the tensors are on different backends");
            };
            let (param, m, v) = <$b>::k_adamw(param, grad, m, v, $h, clip);
            return (
                Tensor::from_primitive::<$b>(param),
                Tensor::from_primitive::<$b>(m),
                Tensor::from_primitive::<$b>(v),
            );
        }
    };
}

/// Must be called before a GPU is opened; in a browser nothing works without it.
#[cfg(feature = "wgpu")]
pub fn prepare() {
    #[cfg(target_arch = "wasm32")]
    super::cube::run_constructors();
}

/// `a · b` over the last two dimensions, the leading ones broadcast: `[.., m, k] · [.., k, n]` to
/// `[.., m, n]`. Transposed views are read in place.
pub fn matmul<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
    if !fits(&a) || !fits(&b) {
        return a.matmul(b);
    }
    Tensor::from_dispatch(Dispatch::lab_matmul(a.into_dispatch(), b.into_dispatch()))
}

/// `x · weight + bias`: `x [b, t, in]`, `weight [in, out]`, `bias [out]`, to `[b, t, out]`.
pub fn linear(x: Tensor<3>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<3> {
    if !fits(&x) || !fits(&weight) {
        return plain::linear(x, weight, bias);
    }
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(match bias {
        Some(bias) => Dispatch::lab_linear_bias(x, weight, bias.into_dispatch()),
        None => Dispatch::lab_linear(x, weight, false),
    })
}

/// `x · weightᵀ`: `x [b, t, in]`, `weight [out, in]`, to `[b, t, out]`. For a head that shares its
/// weight with the embedding.
pub fn linear_transposed(x: Tensor<3>, weight: Tensor<2>) -> Tensor<3> {
    if !fits(&x) || !fits(&weight) {
        return plain::linear_transposed(x, weight);
    }
    Tensor::from_dispatch(Dispatch::lab_linear(
        x.into_dispatch(),
        weight.into_dispatch(),
        true,
    ))
}

/// [`linear`] with a weight and a bias that are constants: they get no gradient, and the input is not
/// kept for one.
pub fn linear_frozen(x: Tensor<3>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<3> {
    if !fits(&x) || !fits(&weight) {
        return plain::linear(x, weight.detach(), bias.map(Tensor::detach));
    }
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(match bias {
        Some(bias) => Dispatch::lab_linear_frozen_bias(x, weight, bias.into_dispatch()),
        None => Dispatch::lab_linear_frozen(x, weight, false),
    })
}

/// [`linear_transposed`] with a weight that is a constant.
pub fn linear_transposed_frozen(x: Tensor<3>, weight: Tensor<2>) -> Tensor<3> {
    if !fits(&x) || !fits(&weight) {
        return plain::linear_transposed(x, weight.detach());
    }
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(Dispatch::lab_linear_frozen(x, weight, true))
}

/// `x · wᵀ`: `x [b, t, in]`, `w [out, in]` in NF4, a constant that is expanded for this product only.
pub fn linear_nf4(
    x: Tensor<3>,
    codes: Tensor<1, Int>,
    scales: Tensor<1, Int>,
    tables: Tensor<1>,
    format: Nf4Format,
) -> Tensor<3> {
    Tensor::from_dispatch(Dispatch::lab_linear_nf4(
        x.into_dispatch(),
        codes.into_dispatch(),
        scales.into_dispatch(),
        tables.into_dispatch(),
        format,
    ))
}

/// A matrix in NF4 as floats, `[rows, columns]`.
pub fn dequantize_nf4(
    codes: Tensor<1, Int>,
    scales: Tensor<1, Int>,
    tables: Tensor<1>,
    format: Nf4Format,
) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::lab_nf4(
        codes.into_dispatch(),
        scales.into_dispatch(),
        tables.into_dispatch(),
        format,
    ))
}

/// `(x - mean) / sqrt(variance + eps) · weight + bias` over the last dimension, the variance without
/// Bessel's correction: `x [.., d]`, `weight [d]`, `bias [d]`.
pub fn layer_norm<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<1>,
    bias: Option<Tensor<1>>,
    eps: f64,
) -> Tensor<D> {
    if !fits(&x) {
        return plain::layer_norm(x, weight, bias, eps);
    }
    let (x, weight, eps) = (x.into_dispatch(), weight.into_dispatch(), eps as f32);
    Tensor::from_dispatch(match bias {
        Some(bias) => Dispatch::lab_norm_bias(x, weight, bias.into_dispatch(), eps),
        None => Dispatch::lab_norm(x, weight, eps, true),
    })
}

/// `x / sqrt(mean(x²) + eps) · weight` over the last dimension: `x [.., d]`, `weight [d]`.
pub fn rms_norm<const D: usize>(x: Tensor<D>, weight: Tensor<1>, eps: f64) -> Tensor<D> {
    if !fits(&x) {
        return plain::rms_norm(x, weight, eps);
    }
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(Dispatch::lab_norm(x, weight, eps as f32, false))
}

/// `x/2 · (1 + erf(x/√2))`.
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if !fits(&x) {
        return plain::gelu(x);
    }
    Tensor::from_dispatch(Dispatch::lab_activate(x.into_dispatch(), Activation::Gelu))
}

/// `x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))`, GPT-2's form.
pub fn gelu_new<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if !fits(&x) {
        return plain::gelu_new(x);
    }
    Tensor::from_dispatch(Dispatch::lab_activate(
        x.into_dispatch(),
        Activation::GeluNew,
    ))
}

/// `max(x, 0)`; its derivative at 0 is 0.
pub fn relu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if !fits(&x) {
        return plain::relu(x);
    }
    Tensor::from_dispatch(Dispatch::lab_activate(x.into_dispatch(), Activation::Relu))
}

/// `gate · sigmoid(gate) · up`, element by element; both of the same shape.
pub fn swiglu<const D: usize>(gate: Tensor<D>, up: Tensor<D>) -> Tensor<D> {
    if !fits(&gate) {
        return plain::swiglu(gate, up);
    }
    Tensor::from_dispatch(Dispatch::lab_swiglu(
        gate.into_dispatch(),
        up.into_dispatch(),
    ))
}

/// Softmax over the last dimension of `scale · scores`, where query `i` of `t` sees the keys
/// `j <= i + (s - t)`: `scores [b, h, t, s]`, `s >= t`. Hidden keys get probability 0.
pub fn causal_softmax(scores: Tensor<4>, scale: f64) -> Tensor<4> {
    if !fits(&scores) {
        return plain::causal_softmax(scores, scale);
    }
    Tensor::from_dispatch(Dispatch::lab_causal_softmax(
        scores.into_dispatch(),
        scale as f32,
    ))
}

/// Causal attention `softmax(scale · q kᵀ) v`: `q [b, h, t, d]`, `k` and `v` `[b, kv, s, d]`, to
/// `[b, h, t, d]`. `h` is a multiple of `kv`: neighbouring query heads share a key head. With
/// `s > t` the queries are the last `t` of `s` positions, as when generating with a cache.
pub fn attention(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, scale: f64) -> Tensor<4> {
    let ([batch, heads, time, width], [_, shared, keys, _]) = (q.dims(), k.dims());
    // Query heads that share a key head are rows of one product: nothing is repeated.
    let q = q.reshape([batch, shared, heads / shared * time, width]);
    let scores = matmul(q, k.swap_dims(2, 3)).reshape([batch, heads, time, keys]);
    let p = causal_softmax(scores, scale);
    let p = p.reshape([batch, shared, heads / shared * time, keys]);
    matmul(p, v).reshape([batch, heads, time, width])
}

/// [`attention`] of a sequence over itself, straight from the packed projection: `qkv`
/// `[b, t, (h + 2·kv)·d]` holds, per token, the `h` query heads, then the `kv` key heads, then the
/// `kv` value heads; the result is `[b, t, h·d]`. With `rotation` (cosine and sine, `[t, d/2]` or
/// longer) queries and keys are first turned by [`rope`]. With `dropout` some probabilities become 0 and the others
/// grow, as in training. One operation where the long form needs a dozen.
pub fn self_attention(
    qkv: Tensor<3>,
    heads: usize,
    kv_heads: usize,
    rotation: Option<(Tensor<2>, Tensor<2>)>,
    scale: f64,
    dropout: Option<AttentionDropout>,
) -> Tensor<3> {
    let [_, _, packed] = qkv.dims();
    let width = packed / (heads + 2 * kv_heads);
    if !fits(&qkv) {
        return plain::self_attention(qkv, heads, kv_heads, rotation, scale, dropout);
    }
    let shape = Heads {
        queries: heads,
        keys: kv_heads,
        width,
    };
    let qkv = match rotation {
        Some(rotation) => rotate_heads(qkv, heads, kv_heads, rotation),
        None => qkv,
    };
    let (qkv, scale) = (qkv.into_dispatch(), scale as f32);
    Tensor::from_dispatch(Dispatch::lab_self_attention(qkv, shape, scale, dropout))
}

/// Rows of `weight` by number: `weight [v, d]`, `ids [b, t]`, to `[b, t, d]`. The gradient adds up
/// rows in the order of the tokens, so it is the same every time.
pub fn embedding(weight: Tensor<2>, ids: Tensor<2, Int>) -> Tensor<3> {
    if !fits(&weight) || ids.shape().num_elements() == 0 {
        return plain::embedding(weight, ids);
    }
    Tensor::from_dispatch(Dispatch::lab_embedding(
        weight.into_dispatch(),
        ids.into_dispatch(),
    ))
}

/// `-log softmax(logits)[target]` in nats for each row: `logits [n, v]`, `targets [n]`, to `[n]`.
/// A negative target means "do not count this row": its loss is 0 and it gives no gradient.
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    if !fits(&logits) {
        return plain::cross_entropy(logits, targets);
    }
    let (logits, targets) = (logits.into_dispatch(), targets.into_dispatch());
    Tensor::from_dispatch(Dispatch::lab_cross_entropy(logits, targets))
}

/// Entropy in nats of the softmax of each row: `logits [n, v]`, to `[n]`. Allocates no second tensor of that size,
/// except for the gradient.
pub fn entropy(logits: Tensor<2>) -> Tensor<1> {
    if !fits(&logits) {
        return plain::entropy(logits);
    }
    Tensor::from_dispatch(Dispatch::lab_entropy(logits.into_dispatch()))
}

/// Llama's rotary positions: the halves `(a, b)` of the last dimension become
/// `(a cos - b sin, b cos + a sin)`: `x [b, h, t, d]`, `cos` and `sin` `[t, d/2]` or
/// longer.
pub fn rope(x: Tensor<4>, cos: Tensor<2>, sin: Tensor<2>) -> Tensor<4> {
    if !fits(&x) {
        return plain::rope(x, cos, sin);
    }
    let [_, _, time, width] = x.dims();
    let rotation = Rotation {
        vectors: 1,
        turned: 1,
        width,
        time,
        inverse: false,
    };
    let (cos, sin) = (cos.into_dispatch(), sin.into_dispatch());
    Tensor::from_dispatch(Dispatch::lab_rotate(x.into_dispatch(), cos, sin, rotation))
}

/// The norm `[1]` of all elements of all tensors together (at least one tensor). Not differentiable.
pub fn global_norm(tensors: &[Tensor<1>]) -> Tensor<1> {
    #[cfg(feature = "cpu")]
    if let Some(found) = global_norm_on!(Flex, tensors) {
        return found;
    }
    #[cfg(feature = "wgpu")]
    if let Some(found) = global_norm_on!(Cube, tensors) {
        return found;
    }
    plain::global_norm(tensors)
}

/// The factor `[1]` that scales gradients of this global norm down to `max_norm`: `min(1, max_norm / (norm + 1e-6))`,
/// or 1 if `max_norm` is 0. The host reads nothing. If the norm is NaN or infinite the factor is -1, and [`adamw`]
/// then changes nothing: the trainer reads the norm afterwards and reports the error.
pub fn clip_scale(norm: Tensor<1>, max_norm: f64) -> Tensor<1> {
    #[cfg(feature = "cpu")]
    if let Ok(norm) = norm.clone().try_into_primitive::<Flex>() {
        return Tensor::from_primitive::<Flex>(Flex::k_clip_scale(norm, max_norm as f32));
    }
    #[cfg(feature = "wgpu")]
    if let Ok(norm) = norm.clone().try_into_primitive::<Cube>() {
        return Tensor::from_primitive::<Cube>(Cube::k_clip_scale(norm, max_norm as f32));
    }
    plain::clip_scale(norm, max_norm)
}

/// One AdamW update with decoupled weight decay, for tensors without autodiff; returns the new parameter, mean and
/// mean square, in the old ones' memory if nothing else uses it:
/// ```text
/// g = clip_scale · grad       m = beta1 m + (1 - beta1) g       v = beta2 v + (1 - beta2) g²
/// param = param (1 - lr · weight_decay) - lr · m / c1 / (sqrt(v) / sqrt(c2) + epsilon)
/// ```
/// with `c = 1 - beta^step`. If `clip_scale` is negative or not finite, or the gradient is not finite, all three stay
/// unchanged.
pub fn adamw<const D: usize>(
    param: Tensor<D>,
    grad: Tensor<D>,
    m: Tensor<D>,
    v: Tensor<D>,
    h: AdamWStep,
    clip_scale: Tensor<1>,
) -> (Tensor<D>, Tensor<D>, Tensor<D>) {
    #[cfg(feature = "cpu")]
    adamw_on!(Flex, param, grad, m, v, h, clip_scale);
    #[cfg(feature = "wgpu")]
    adamw_on!(Cube, param, grad, m, v, h, clip_scale);
    plain::adamw(param, grad, m, v, h, clip_scale)
}
