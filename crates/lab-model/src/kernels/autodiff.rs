//! The gradients: each operation with the values that it saves for its backward step.

mod steps;

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::ops::{Backward, OpsKind};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, TensorMetadata};

use super::backend::{Activation, Heads, Kernels, LabKernels, Nf4Format, Rotation};
use super::dropout::AttentionDropout;
use steps::*;

/// Records `$step` over `$parents` if one of them is tracked: `$run` gives the state and the output; if none is
/// tracked, only the output is kept.
macro_rules! record {
    ($step:ident, [$($node:ident),+], $run:expr) => {
        match $step.prepare::<C>([$($node),+]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let (state, output) = $run;
                prep.finish(state, output)
            }
            OpsKind::UnTracked(prep) => {
                let (_, output) = $run;
                prep.finish(output)
            }
        }
    };
}

impl<B: Kernels, C: CheckpointStrategy> LabKernels for Autodiff<B, C> {
    fn lab_matmul(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        let ((a, node_a), (b, node_b)) = (a.into_parts(), b.into_parts());
        record!(MatmulStep, [node_a, node_b], {
            let y = B::k_matmul(a.clone(), b.clone());
            ((a, b), y)
        })
    }

    fn lab_linear(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        transposed: bool,
    ) -> FloatTensor<Self> {
        let ((x, node_x), (w, node_w)) = (x.into_parts(), w.into_parts());
        record!(LinearStep, [node_x, node_w], {
            let y = B::lab_linear(x.clone(), w.clone(), transposed);
            ((x, w, transposed), y)
        })
    }

    fn lab_linear_bias(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let ((x, node_x), (w, node_w)) = (x.into_parts(), w.into_parts());
        let (bias, node_bias) = bias.into_parts();
        record!(LinearBiasStep, [node_x, node_w, node_bias], {
            let y = B::k_linear(x.clone(), w.clone(), Some(bias));
            ((x, w), y)
        })
    }

    fn lab_linear_frozen(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        transposed: bool,
    ) -> FloatTensor<Self> {
        let ((x, node), w) = (x.into_parts(), w.into_primitive());
        record!(FrozenLinearStep, [node], {
            let y = B::lab_linear(x, w.clone(), transposed);
            ((w, transposed), y)
        })
    }

    fn lab_linear_frozen_bias(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let ((x, node), w) = (x.into_parts(), w.into_primitive());
        let bias = bias.into_primitive();
        record!(FrozenLinearStep, [node], {
            let y = B::k_linear(x, w.clone(), Some(bias));
            ((w, false), y)
        })
    }

    fn lab_linear_nf4(
        x: FloatTensor<Self>,
        codes: IntTensor<Self>,
        scales: IntTensor<Self>,
        tables: FloatTensor<Self>,
        format: Nf4Format,
    ) -> FloatTensor<Self> {
        let ((x, node), tables) = (x.into_parts(), tables.into_primitive());
        record!(Nf4LinearStep, [node], {
            let parts = (codes.clone(), scales.clone(), tables.clone());
            let y = B::lab_linear_nf4(x, parts.0, parts.1, parts.2, format);
            ((codes, scales, tables, format), y)
        })
    }

    fn lab_nf4(
        codes: IntTensor<Self>,
        scales: IntTensor<Self>,
        tables: FloatTensor<Self>,
        format: Nf4Format,
    ) -> FloatTensor<Self> {
        FloatTensor::<Self>::new(B::k_nf4(codes, scales, tables.into_primitive(), format))
    }

    fn lab_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        eps: f32,
        centred: bool,
    ) -> FloatTensor<Self> {
        let ((x, node_x), (w, node_w)) = (x.into_parts(), weight.into_parts());
        record!(NormStep, [node_x, node_w], {
            let (y, stats) = B::k_norm(x.clone(), w.clone(), None, eps, centred);
            ((x, w, stats, centred), y)
        })
    }

    fn lab_norm_bias(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        eps: f32,
    ) -> FloatTensor<Self> {
        let ((x, node_x), (w, node_w)) = (x.into_parts(), weight.into_parts());
        let (bias, node_bias) = bias.into_parts();
        record!(NormBiasStep, [node_x, node_w, node_bias], {
            let (y, stats) = B::k_norm(x.clone(), w.clone(), Some(bias), eps, true);
            ((x, w, stats), y)
        })
    }

    fn lab_activate(x: FloatTensor<Self>, kind: Activation) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        record!(ActivateStep, [node], {
            let y = B::k_activate(x.clone(), kind);
            ((x, kind), y)
        })
    }

    fn lab_swiglu(gate: FloatTensor<Self>, up: FloatTensor<Self>) -> FloatTensor<Self> {
        let ((gate, node_gate), (up, node_up)) = (gate.into_parts(), up.into_parts());
        record!(SwigluStep, [node_gate, node_up], {
            let y = B::k_swiglu(gate.clone(), up.clone());
            ((gate, up), y)
        })
    }

    fn lab_causal_softmax(scores: FloatTensor<Self>, scale: f32) -> FloatTensor<Self> {
        let (scores, node) = scores.into_parts();
        record!(SoftmaxStep, [node], {
            let p = B::k_causal_softmax(scores, scale);
            ((p.clone(), scale), p)
        })
    }

    fn lab_self_attention(
        qkv: FloatTensor<Self>,
        heads: Heads,
        scale: f32,
        dropout: Option<AttentionDropout>,
    ) -> FloatTensor<Self> {
        let (qkv, node) = qkv.into_parts();
        record!(AttentionStep, [node], {
            let (y, log_sum) = B::k_self_attention(qkv.clone(), heads, scale, dropout);
            ((qkv, y.clone(), log_sum, heads, scale, dropout), y)
        })
    }

    fn lab_rotate(
        x: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
        rotation: Rotation,
    ) -> FloatTensor<Self> {
        // The angles are constants: no gradient reaches them.
        let (x, node) = x.into_parts();
        let (cos, sin) = (cos.into_primitive(), sin.into_primitive());
        record!(RotateStep, [node], {
            let y = B::k_rotate(x, cos.clone(), sin.clone(), rotation);
            ((cos, sin, rotation), y)
        })
    }

    fn lab_embedding(weight: FloatTensor<Self>, ids: IntTensor<Self>) -> FloatTensor<Self> {
        let (weight, node) = weight.into_parts();
        record!(EmbeddingStep, [node], {
            let vocabulary = weight.shape()[0];
            let y = B::k_embedding(weight, ids.clone());
            ((ids, vocabulary), y)
        })
    }

    fn lab_cross_entropy(logits: FloatTensor<Self>, targets: IntTensor<Self>) -> FloatTensor<Self> {
        let (logits, node) = logits.into_parts();
        record!(CrossEntropyStep, [node], {
            let (loss, log_sum) = B::k_cross_entropy(logits.clone(), targets.clone());
            ((logits, targets, log_sum), loss)
        })
    }

    fn lab_entropy(logits: FloatTensor<Self>) -> FloatTensor<Self> {
        let (logits, node) = logits.into_parts();
        record!(EntropyStep, [node], {
            let (entropy, log_sum) = B::k_entropy(logits.clone());
            ((logits, entropy.clone(), log_sum), entropy)
        })
    }
}
