//! The kernels on the CPU: tight loops over slices that the compiler turns into vector instructions. Natively, large
//! ones run on several threads.

mod activation;
mod attention;
mod decode;
mod gemm;
mod loss;
mod math;
mod nf4;
mod norm;
mod optimizer;
mod rows;
mod tensors;
mod tile;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;

use self::tensors::{contiguous, tensor, values, width};
use super::adamw_step::AdamWStep;
use super::backend::{Activation, Heads, Kernels, Nf4Format, Rotation};
use super::dropout::AttentionDropout;

impl Kernels for Flex {
    fn k_matmul(a: FlexTensor, b: FlexTensor) -> FlexTensor {
        gemm::matmul(a, b)
    }

    fn k_linear(x: FlexTensor, w: FlexTensor, bias: Option<FlexTensor>) -> FlexTensor {
        gemm::linear(x, w, bias)
    }

    fn k_linear_weight(x: FlexTensor, dy: FlexTensor) -> FlexTensor {
        gemm::linear_weight(x, dy)
    }

    fn k_nf4(
        codes: FlexTensor,
        scales: FlexTensor,
        tables: FlexTensor,
        format: Nf4Format,
    ) -> FlexTensor {
        nf4::dequantize(codes, scales, tables, format)
    }

    fn k_sum_rows(x: FlexTensor) -> FlexTensor {
        let (x, columns) = (contiguous(x.clone()), width(&x));
        tensor(rows::sum(values(&x), columns), [columns])
    }

    fn k_norm(
        x: FlexTensor,
        weight: FlexTensor,
        bias: Option<FlexTensor>,
        eps: f32,
        centred: bool,
    ) -> (FlexTensor, FlexTensor) {
        norm::forward(x, weight, bias, eps, centred)
    }

    fn k_norm_backward(
        dy: FlexTensor,
        x: FlexTensor,
        weight: FlexTensor,
        stats: FlexTensor,
        centred: bool,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        norm::backward(dy, x, weight, stats, centred)
    }

    fn k_activate(x: FlexTensor, kind: Activation) -> FlexTensor {
        activation::forward(x, kind)
    }

    fn k_activate_backward(x: FlexTensor, dy: FlexTensor, kind: Activation) -> FlexTensor {
        activation::backward(x, dy, kind)
    }

    fn k_swiglu(gate: FlexTensor, up: FlexTensor) -> FlexTensor {
        activation::swiglu(gate, up)
    }

    fn k_swiglu_backward(
        gate: FlexTensor,
        up: FlexTensor,
        dy: FlexTensor,
    ) -> (FlexTensor, FlexTensor) {
        activation::swiglu_backward(gate, up, dy)
    }

    fn k_causal_softmax(scores: FlexTensor, scale: f32) -> FlexTensor {
        attention::softmax(scores, scale)
    }

    fn k_causal_softmax_backward(p: FlexTensor, dp: FlexTensor, scale: f32) -> FlexTensor {
        attention::softmax_backward(p, dp, scale)
    }

    fn k_self_attention(
        qkv: FlexTensor,
        heads: Heads,
        scale: f32,
        dropout: Option<AttentionDropout>,
    ) -> (FlexTensor, FlexTensor) {
        attention::forward(qkv, heads, scale, dropout)
    }

    fn k_self_attention_backward(
        dy: FlexTensor,
        qkv: FlexTensor,
        y: FlexTensor,
        log_sum: FlexTensor,
        heads: Heads,
        scale: f32,
        dropout: Option<AttentionDropout>,
    ) -> FlexTensor {
        attention::backward(dy, qkv, y, log_sum, heads, scale, dropout)
    }

    fn k_cached_attention(
        qkv: FlexTensor,
        keys: FlexTensor,
        values: FlexTensor,
        lengths: FlexTensor,
        heads: Heads,
        scale: f32,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        decode::attend(qkv, keys, values, lengths, heads, scale)
    }

    fn k_rotate(x: FlexTensor, cos: FlexTensor, sin: FlexTensor, rotation: Rotation) -> FlexTensor {
        rows::rotate(x, cos, sin, rotation)
    }

    fn k_embedding(weight: FlexTensor, ids: FlexTensor) -> FlexTensor {
        rows::embedding(weight, ids)
    }

    fn k_embedding_backward(dy: FlexTensor, ids: FlexTensor, vocabulary: usize) -> FlexTensor {
        rows::embedding_backward(dy, ids, vocabulary)
    }

    fn k_cross_entropy(logits: FlexTensor, targets: FlexTensor) -> (FlexTensor, FlexTensor) {
        loss::forward(logits, targets)
    }

    fn k_cross_entropy_backward(
        dy: FlexTensor,
        logits: FlexTensor,
        targets: FlexTensor,
        log_sum: FlexTensor,
    ) -> FlexTensor {
        loss::backward(dy, logits, targets, log_sum)
    }

    fn k_entropy(logits: FlexTensor) -> (FlexTensor, FlexTensor) {
        loss::entropy(logits)
    }

    fn k_entropy_backward(
        dy: FlexTensor,
        logits: FlexTensor,
        entropy: FlexTensor,
        log_sum: FlexTensor,
    ) -> FlexTensor {
        loss::entropy_backward(dy, logits, entropy, log_sum)
    }

    fn k_global_norm(tensors: Vec<FlexTensor>) -> FlexTensor {
        optimizer::global_norm(tensors)
    }

    fn k_clip_scale(norm: FlexTensor, max_norm: f32) -> FlexTensor {
        optimizer::clip_scale(norm, max_norm)
    }

    fn k_adamw(
        param: FlexTensor,
        grad: FlexTensor,
        m: FlexTensor,
        v: FlexTensor,
        h: AdamWStep,
        clip_scale: FlexTensor,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        optimizer::adamw(param, grad, m, v, h, clip_scale)
    }
}
