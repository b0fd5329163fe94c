//! Every kernel once more, from ordinary tensor operations, written for clarity, not for speed. The tests compare the
//! fast kernels with these. They also run if a fast kernel does not apply (another number format, an empty tensor).

use burn::tensor::{Bool, Int, Tensor, TensorData, activation, module};

use super::adamw_step::{AdamWStep, CLIP_EPSILON};
use super::dropout::AttentionDropout;

/// A score whose probability is always 0. Not infinity: shader compilers may assume there is none.
const MASKED: f32 = -1e30;

/// Sums of products, written out: independent of every other matrix product, and slow.
pub fn matmul<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
    let (left, right) = (a.dims(), b.dims());
    let (m, k, n) = (left[D - 2], left[D - 1], right[D - 1]);
    let batch: [usize; D] = std::array::from_fn(|i| left[i].max(right[i]));
    let count: usize = batch[..D - 2].iter().product();
    let with = |rows: usize, columns: usize| {
        let mut shape = batch;
        shape[D - 2] = rows;
        shape[D - 1] = columns;
        shape
    };
    let a = a.expand(with(m, k)).reshape([count, m, k, 1]);
    let b = b.expand(with(k, n)).reshape([count, 1, k, n]);
    (a * b).sum_dim(2).reshape(with(m, n))
}

pub fn linear(x: Tensor<3>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<3> {
    let [batch, time, width] = x.dims();
    let out = weight.dims()[1];
    let y = matmul(x.reshape([batch * time, width]), weight);
    let y = match bias {
        Some(bias) => y + bias.unsqueeze(),
        None => y,
    };
    y.reshape([batch, time, out])
}

pub fn linear_transposed(x: Tensor<3>, weight: Tensor<2>) -> Tensor<3> {
    linear(x, weight.transpose(), None)
}

pub fn layer_norm<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<1>,
    bias: Option<Tensor<1>>,
    eps: f64,
) -> Tensor<D> {
    let centred = x.clone() - x.mean_dim(D - 1);
    let variance = (centred.clone() * centred.clone()).mean_dim(D - 1);
    let y = centred / (variance + eps).sqrt() * weight.unsqueeze();
    match bias {
        Some(bias) => y + bias.unsqueeze(),
        None => y,
    }
}

pub fn rms_norm<const D: usize>(x: Tensor<D>, weight: Tensor<1>, eps: f64) -> Tensor<D> {
    let mean_square = (x.clone() * x.clone()).mean_dim(D - 1);
    x / (mean_square + eps).sqrt() * weight.unsqueeze()
}

pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    // Not burn's own: on GPUs its gradient is the gradient of the tanh form.
    let erf = (x.clone() * std::f64::consts::FRAC_1_SQRT_2).erf();
    x * (erf + 1.0) * 0.5
}

pub fn gelu_new<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let cube = x.clone() * x.clone() * x.clone();
    let inner = (x.clone() + cube * 0.044715) * (2.0 / std::f64::consts::PI).sqrt();
    x * (inner.tanh() + 1.0) * 0.5
}

pub fn relu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    activation::relu(x)
}

pub fn swiglu<const D: usize>(gate: Tensor<D>, up: Tensor<D>) -> Tensor<D> {
    activation::silu(gate) * up
}

pub fn causal_softmax(scores: Tensor<4>, scale: f64) -> Tensor<4> {
    let [batch, heads, time, keys] = scores.dims();
    let device = scores.device();
    let hidden = Tensor::<2, Bool>::tril_mask([time, keys], keys as i64 - time as i64, &device);
    let hidden = hidden.unsqueeze::<4>().expand([batch, heads, time, keys]);
    activation::softmax((scores * scale).mask_fill(hidden, MASKED), 3)
}

pub fn attention(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, scale: f64) -> Tensor<4> {
    let heads = q.dims()[1];
    let (k, v) = (repeat_heads(k, heads), repeat_heads(v, heads));
    let p = causal_softmax(matmul(q, k.swap_dims(2, 3)), scale);
    matmul(p, v)
}

/// `[b, kv, s, d]` to `[b, heads, s, d]`: each key head serves `heads / kv` neighbouring query heads.
fn repeat_heads(x: Tensor<4>, heads: usize) -> Tensor<4> {
    let [batch, kv, keys, width] = x.dims();
    if kv == heads {
        return x;
    }
    x.reshape([batch, kv, 1, keys, width])
        .expand([batch, kv, heads / kv, keys, width])
        .reshape([batch, heads, keys, width])
}

pub fn self_attention(
    qkv: Tensor<3>,
    heads: usize,
    kv_heads: usize,
    rotation: Option<(Tensor<2>, Tensor<2>)>,
    scale: f64,
    dropout: Option<AttentionDropout>,
) -> Tensor<3> {
    let [batch, time, width] = qkv.dims();
    let size = width / (heads + 2 * kv_heads);
    let part = |from: usize, count: usize| {
        qkv.clone()
            .narrow(2, from * size, count * size)
            .reshape([batch, time, count, size])
            .swap_dims(1, 2)
    };
    let mut q = part(0, heads);
    let mut k = part(heads, kv_heads);
    let v = part(heads + kv_heads, kv_heads);
    if let Some((cos, sin)) = rotation {
        q = rope(q, cos.clone(), sin.clone());
        k = rope(k, cos, sin);
    }
    let y = match dropout {
        None => attention(q, k, v, scale),
        Some(dropout) => {
            let (k, v) = (repeat_heads(k, heads), repeat_heads(v, heads));
            let p = causal_softmax(matmul(q, k.swap_dims(2, 3)), scale);
            let factors = dropout_factors([batch, heads, time, time], dropout);
            matmul(p * Tensor::from_data(factors, &qkv.device().inner()), v)
        }
    };
    y.swap_dims(1, 2).reshape([batch, time, heads * size])
}

/// Dropout's factors for the probabilities, `[b, h, t, s]`.
fn dropout_factors(shape: [usize; 4], dropout: AttentionDropout) -> TensorData {
    let [_, _, time, keys] = shape;
    let factor =
        |place: usize| dropout.factor(place / keys / time, place / keys % time, place % keys);
    let factors: Vec<f32> = (0..shape.iter().product()).map(factor).collect();
    TensorData::new(factors, shape)
}

pub fn rotate_heads(
    qkv: Tensor<3>,
    heads: usize,
    kv_heads: usize,
    (cos, sin): (Tensor<2>, Tensor<2>),
) -> Tensor<3> {
    let [batch, time, packed] = qkv.dims();
    let vectors = heads + 2 * kv_heads;
    let parts = qkv.reshape([batch, time, vectors, packed / vectors]);
    let turned = parts.clone().narrow(2, 0, heads + kv_heads);
    let turned = rope(turned.swap_dims(1, 2), cos, sin).swap_dims(1, 2);
    let values = parts.narrow(2, heads + kv_heads, kv_heads);
    Tensor::cat(vec![turned, values], 2).reshape([batch, time, packed])
}

pub fn cached_attention(
    qkv: Tensor<3>,
    keys: Tensor<3>,
    values: Tensor<3>,
    lengths: Tensor<1, Int>,
    heads: usize,
    kv_heads: usize,
    scale: f64,
) -> (Tensor<3>, Tensor<3>, Tensor<3>) {
    let [batch, capacity, row] = keys.dims();
    let width = row / kv_heads;
    let (q, new) = (
        qkv.clone().narrow(2, 0, heads * width),
        qkv.narrow(2, heads * width, 2 * row),
    );
    let place = Tensor::<1, Int>::arange(0..capacity as i64, &lengths.device());
    let place = place.reshape([1, capacity]).expand([batch, capacity]);
    let length = lengths.reshape([batch, 1]).expand([batch, capacity]);
    let here = place.clone().equal(length.clone());
    let here = here
        .reshape([batch, capacity, 1])
        .expand([batch, capacity, row]);
    let write = |old: Tensor<3>, part: usize| {
        let new = new.clone().narrow(2, part * row, row);
        old.mask_where(here.clone(), new.expand([batch, capacity, row]))
    };
    let (keys, values) = (write(keys, 0), write(values, 1));
    let split = |x: Tensor<3>| {
        let x = x.reshape([batch, capacity, kv_heads, width]);
        repeat_heads(x.swap_dims(1, 2), heads)
    };
    let scores = matmul(
        q.reshape([batch, heads, 1, width]),
        split(keys.clone()).swap_dims(2, 3),
    );
    let hidden = place.greater(length).reshape([batch, 1, 1, capacity]);
    let hidden = hidden.expand([batch, heads, 1, capacity]);
    let p = activation::softmax((scores * scale).mask_fill(hidden, MASKED), 3);
    let y = matmul(p, split(values.clone())).reshape([batch, 1, heads * width]);
    (y, keys, values)
}

pub fn embedding(weight: Tensor<2>, ids: Tensor<2, Int>) -> Tensor<3> {
    module::embedding(weight, ids)
}

pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    let ignored = targets.clone().lower_elem(0);
    let index = targets.clamp_min(0).unsqueeze_dim::<2>(1);
    let loss = activation::log_softmax(logits, 1)
        .gather(1, index)
        .squeeze_dim::<1>(1)
        .neg();
    loss.mask_fill(ignored, 0.0)
}

pub fn entropy(logits: Tensor<2>) -> Tensor<1> {
    let log_probabilities = activation::log_softmax(logits, 1);
    let terms = log_probabilities.clone().exp() * log_probabilities;
    terms.sum_dim(1).squeeze_dim::<1>(1).neg()
}

pub fn rope(x: Tensor<4>, cos: Tensor<2>, sin: Tensor<2>) -> Tensor<4> {
    let half = x.dims()[3] / 2;
    let time = x.dims()[2];
    let row = |table: Tensor<2>| table.narrow(0, 0, time).unsqueeze::<4>();
    let (cos, sin) = (row(cos), row(sin));
    let low = x.clone().narrow(3, 0, half);
    let high = x.narrow(3, half, half);
    Tensor::cat(
        vec![
            low.clone() * cos.clone() - high.clone() * sin.clone(),
            high * cos + low * sin,
        ],
        3,
    )
}

pub fn global_norm(tensors: &[Tensor<1>]) -> Tensor<1> {
    let sums = tensors
        .iter()
        .map(|x| (x.clone() * x.clone()).sum())
        .collect();
    Tensor::cat(sums, 0).sum().sqrt()
}

pub fn clip_scale(norm: Tensor<1>, max_norm: f64) -> Tensor<1> {
    let unusable = norm.clone().is_finite().bool_not();
    let scale = if max_norm > 0.0 {
        (norm + CLIP_EPSILON)
            .recip()
            .mul_scalar(max_norm)
            .clamp_max(1.0)
    } else {
        norm.ones_like()
    };
    scale.mask_fill(unusable, -1.0)
}

pub fn adamw<const D: usize>(
    param: Tensor<D>,
    grad: Tensor<D>,
    m: Tensor<D>,
    v: Tensor<D>,
    h: AdamWStep,
    clip_scale: Tensor<1>,
) -> (Tensor<D>, Tensor<D>, Tensor<D>) {
    let skip = grad.clone().is_finite().bool_not().bool_or(
        clip_scale
            .clone()
            .greater_equal_elem(0.0)
            .bool_not()
            .unsqueeze::<D>()
            .expand(grad.shape()),
    );
    let grad = grad * clip_scale.unsqueeze();
    let new_m = m.clone() * h.beta1 + grad.clone() * (1.0 - h.beta1);
    let new_v = v.clone() * h.beta2 + grad.clone() * grad * (1.0 - h.beta2);
    let (correction1, correction2) = h.corrections();
    let step = new_m.clone() * (h.learning_rate / correction1)
        / (new_v.clone().sqrt() / correction2.sqrt() + h.epsilon);
    let new_param = param.clone() * (1.0 - h.learning_rate * h.weight_decay) - step;
    (
        new_param.mask_where(skip.clone(), param),
        new_m.mask_where(skip.clone(), m),
        new_v.mask_where(skip, v),
    )
}
