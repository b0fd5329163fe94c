//! The kernels on the GPU, written for cubecl, which turns them into WGSL in a browser. They are small because a
//! shader is compiled when it first runs; loops over data stay loops.

mod attention;
mod decode;
mod elementwise;
mod embedding;
mod launch;
mod loss;
mod matmul;
mod matmul_tile;
mod nf4;
mod norm;
mod optimizer;
mod reduce;
mod softmax;

use burn::backend::Cube;
use burn_cubecl::tensor::CubeTensor;

use super::adamw_step::AdamWStep;
use super::backend::{Activation, Heads, Kernels, Nf4Format, Rotation};
use super::dropout::AttentionDropout;

/// Runs the constructors by which the GPU libraries register their parts. In a browser nobody else runs them before
/// the first call. Unless the program itself calls them, the linker puts a call to them before every function that
/// JavaScript can call, so they would run thousands of times a step.
#[cfg(target_arch = "wasm32")]
pub fn run_constructors() {
    unsafe extern "C" {
        fn __wasm_call_ctors();
    }
    static ONCE: std::sync::Once = std::sync::Once::new();
    // SAFETY: the linker provides it in every module, and this runs it once.
    ONCE.call_once(|| unsafe { __wasm_call_ctors() });
}

impl Kernels for Cube {
    fn k_matmul(a: CubeTensor, b: CubeTensor) -> CubeTensor {
        matmul::matmul(a, b)
    }

    fn k_linear(x: CubeTensor, w: CubeTensor, bias: Option<CubeTensor>) -> CubeTensor {
        matmul::linear(x, w, bias)
    }

    fn k_linear_weight(x: CubeTensor, dy: CubeTensor) -> CubeTensor {
        matmul::linear_weight(x, dy)
    }

    fn k_nf4(
        codes: CubeTensor,
        scales: CubeTensor,
        tables: CubeTensor,
        format: Nf4Format,
    ) -> CubeTensor {
        nf4::dequantize(codes, scales, tables, format)
    }

    fn k_sum_rows(x: CubeTensor) -> CubeTensor {
        reduce::sum_rows(x)
    }

    fn k_norm(
        x: CubeTensor,
        weight: CubeTensor,
        bias: Option<CubeTensor>,
        eps: f32,
        centred: bool,
    ) -> (CubeTensor, CubeTensor) {
        norm::forward(x, weight, bias, eps, centred)
    }

    fn k_norm_backward(
        dy: CubeTensor,
        x: CubeTensor,
        weight: CubeTensor,
        stats: CubeTensor,
        centred: bool,
    ) -> (CubeTensor, CubeTensor, CubeTensor) {
        norm::backward(dy, x, weight, stats, centred)
    }

    fn k_activate(x: CubeTensor, kind: Activation) -> CubeTensor {
        elementwise::activate(x, kind)
    }

    fn k_activate_backward(x: CubeTensor, dy: CubeTensor, kind: Activation) -> CubeTensor {
        elementwise::activate_backward(x, dy, kind)
    }

    fn k_swiglu(gate: CubeTensor, up: CubeTensor) -> CubeTensor {
        elementwise::swiglu(gate, up)
    }

    fn k_swiglu_backward(
        gate: CubeTensor,
        up: CubeTensor,
        dy: CubeTensor,
    ) -> (CubeTensor, CubeTensor) {
        elementwise::swiglu_backward(gate, up, dy)
    }

    fn k_causal_softmax(scores: CubeTensor, scale: f32) -> CubeTensor {
        softmax::forward(scores, scale)
    }

    fn k_causal_softmax_backward(p: CubeTensor, dp: CubeTensor, scale: f32) -> CubeTensor {
        softmax::backward(p, dp, scale)
    }

    fn k_self_attention(
        qkv: CubeTensor,
        heads: Heads,
        scale: f32,
        dropout: Option<AttentionDropout>,
    ) -> (CubeTensor, CubeTensor) {
        attention::forward(qkv, heads, scale, dropout)
    }

    fn k_self_attention_backward(
        dy: CubeTensor,
        qkv: CubeTensor,
        y: CubeTensor,
        log_sum: CubeTensor,
        heads: Heads,
        scale: f32,
        dropout: Option<AttentionDropout>,
    ) -> CubeTensor {
        attention::backward(dy, qkv, y, log_sum, heads, scale, dropout)
    }

    fn k_cached_attention(
        qkv: CubeTensor,
        keys: CubeTensor,
        values: CubeTensor,
        lengths: CubeTensor,
        heads: Heads,
        scale: f32,
    ) -> (CubeTensor, CubeTensor, CubeTensor) {
        decode::attend(qkv, keys, values, lengths, heads, scale)
    }

    fn k_rotate(x: CubeTensor, cos: CubeTensor, sin: CubeTensor, rotation: Rotation) -> CubeTensor {
        elementwise::rotate(x, cos, sin, rotation)
    }

    fn k_embedding(weight: CubeTensor, ids: CubeTensor) -> CubeTensor {
        embedding::forward(weight, ids)
    }

    fn k_embedding_backward(dy: CubeTensor, ids: CubeTensor, vocabulary: usize) -> CubeTensor {
        embedding::backward(dy, ids, vocabulary)
    }

    fn k_cross_entropy(logits: CubeTensor, targets: CubeTensor) -> (CubeTensor, CubeTensor) {
        loss::forward(logits, targets)
    }

    fn k_cross_entropy_backward(
        dy: CubeTensor,
        logits: CubeTensor,
        targets: CubeTensor,
        log_sum: CubeTensor,
    ) -> CubeTensor {
        loss::backward(dy, logits, targets, log_sum)
    }

    fn k_entropy(logits: CubeTensor) -> (CubeTensor, CubeTensor) {
        loss::entropy(logits)
    }

    fn k_entropy_backward(
        dy: CubeTensor,
        logits: CubeTensor,
        entropy: CubeTensor,
        log_sum: CubeTensor,
    ) -> CubeTensor {
        loss::entropy_backward(dy, logits, entropy, log_sum)
    }

    fn k_global_norm(tensors: Vec<CubeTensor>) -> CubeTensor {
        optimizer::global_norm(tensors)
    }

    fn k_clip_scale(norm: CubeTensor, max_norm: f32) -> CubeTensor {
        optimizer::clip_scale(norm, max_norm)
    }

    fn k_adamw(
        param: CubeTensor,
        grad: CubeTensor,
        m: CubeTensor,
        v: CubeTensor,
        h: AdamWStep,
        clip_scale: CubeTensor,
    ) -> (CubeTensor, CubeTensor, CubeTensor) {
        optimizer::adamw(param, grad, m, v, h, clip_scale)
    }
}
