//! The gradients: each operation with what it saves and what its backward step computes from it.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, broadcast_shape};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, TensorMetadata};
use burn::tensor::Shape;

use super::backend::{Activation, Heads, Kernels, LabKernels, Nf4Format, Rotation};

/// Defines a backward step: its name, how many parents, what it saved, and the function that gives
/// each parent's gradient to `grads`.
macro_rules! step {
    ($name:ident, $parents:tt, $state:ty, |$ops:ident, $grads:ident, $dy:ident, $saved:pat_param| $body:block) => {
        #[derive(Debug)]
        struct $name;

        impl<B: Kernels> Backward<B, $parents> for $name {
            type State = $state;

            fn backward(
                self,
                $ops: Ops<Self::State, $parents>,
                $grads: &mut Gradients,
                _checkpointer: &mut Checkpointer,
            ) {
                let $dy = $grads.consume::<B>(&$ops.node);
                let $saved = $ops.state;
                $body
            }
        }
    };
}

step!(
    MatmulStep,
    2,
    (FloatTensor<B>, FloatTensor<B>),
    |ops, grads, dy, (a, b)| {
        let [node_a, node_b] = ops.parents;
        let (shape_a, shape_b) = (a.shape(), b.shape());
        let last = shape_a.num_dims() - 1;
        if let Some(node) = node_a {
            let b = B::float_swap_dims(b, last - 1, last);
            let da = reduce_to::<B>(B::k_matmul(dy.clone(), b), &shape_a);
            grads.register::<B>(node.id, da);
        }
        if let Some(node) = node_b {
            let a = B::float_swap_dims(a, last - 1, last);
            let db = reduce_to::<B>(B::k_matmul(a, dy), &shape_b);
            grads.register::<B>(node.id, db);
        }
    }
);

/// Sums over the dimensions along which an operand was repeated.
fn reduce_to<B: Kernels>(grad: FloatTensor<B>, shape: &Shape) -> FloatTensor<B> {
    if grad.shape() == *shape {
        grad
    } else {
        broadcast_shape::<B>(grad, shape)
    }
}

step!(LinearStep, 2, (FloatTensor<B>, FloatTensor<B>, bool), |ops,
                                                              grads,
                                                              dy,
                                                              (
    x,
    w,
    transposed,
)| {
    let [node_x, node_w] = ops.parents;
    if let Some(node) = node_x {
        let back = if transposed { w } else { B::float_transpose(w) };
        grads.register::<B>(node.id, B::k_linear(dy.clone(), back, None));
    }
    if let Some(node) = node_w {
        let dw = if transposed {
            B::k_linear_weight(dy, x)
        } else {
            B::k_linear_weight(x, dy)
        };
        grads.register::<B>(node.id, dw);
    }
});

step!(LinearBiasStep, 3, (FloatTensor<B>, FloatTensor<B>), |ops,
                                                            grads,
                                                            dy,
                                                            (
    x,
    w,
)| {
    let [node_x, node_w, node_bias] = ops.parents;
    if let Some(node) = node_bias {
        grads.register::<B>(node.id, B::k_sum_rows(dy.clone()));
    }
    if let Some(node) = node_x {
        let dx = B::k_linear(dy.clone(), B::float_transpose(w), None);
        grads.register::<B>(node.id, dx);
    }
    if let Some(node) = node_w {
        grads.register::<B>(node.id, B::k_linear_weight(x, dy));
    }
});

// A frozen weight has no gradient, so the input need not be kept for one.
step!(FrozenLinearStep, 1, (FloatTensor<B>, bool), |ops,
                                                    grads,
                                                    dy,
                                                    (
    w,
    transposed,
)| {
    if let [Some(node)] = ops.parents {
        let back = if transposed { w } else { B::float_transpose(w) };
        grads.register::<B>(node.id, B::k_linear(dy, back, None));
    }
});

// Kept in 4 bits until then: the floats of one layer at a time are all there ever is.
step!(
    Nf4LinearStep,
    1,
    (IntTensor<B>, IntTensor<B>, FloatTensor<B>, Nf4Format),
    |ops, grads, dy, (codes, scales, tables, format)| {
        if let [Some(node)] = ops.parents {
            let w = B::k_nf4(codes, scales, tables, format);
            grads.register::<B>(node.id, B::k_linear(dy, w, None));
        }
    }
);

step!(
    NormStep,
    2,
    (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, bool),
    |ops, grads, dy, (x, w, stats, centred)| {
        let [node_x, node_w] = ops.parents;
        let (dx, dw, _) = B::k_norm_backward(dy, x, w, stats, centred);
        if let Some(node) = node_x {
            grads.register::<B>(node.id, dx);
        }
        if let Some(node) = node_w {
            grads.register::<B>(node.id, dw);
        }
    }
);

step!(
    NormBiasStep,
    3,
    (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>),
    |ops, grads, dy, (x, w, stats)| {
        let [node_x, node_w, node_bias] = ops.parents;
        let (dx, dw, dbias) = B::k_norm_backward(dy, x, w, stats, true);
        for (node, gradient) in [(node_x, dx), (node_w, dw), (node_bias, dbias)] {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
);

step!(ActivateStep, 1, (FloatTensor<B>, Activation), |ops,
                                                      grads,
                                                      dy,
                                                      (
    x,
    kind,
)| {
    if let [Some(node)] = ops.parents {
        grads.register::<B>(node.id, B::k_activate_backward(x, dy, kind));
    }
});

step!(SwigluStep, 2, (FloatTensor<B>, FloatTensor<B>), |ops,
                                                        grads,
                                                        dy,
                                                        (
    gate,
    up,
)| {
    let [node_gate, node_up] = ops.parents;
    let (dgate, dup) = B::k_swiglu_backward(gate, up, dy);
    if let Some(node) = node_gate {
        grads.register::<B>(node.id, dgate);
    }
    if let Some(node) = node_up {
        grads.register::<B>(node.id, dup);
    }
});

step!(
    SoftmaxStep,
    1,
    (FloatTensor<B>, f32),
    |ops, grads, dp, (p, scale)| {
        if let [Some(node)] = ops.parents {
            grads.register::<B>(node.id, B::k_causal_softmax_backward(p, dp, scale));
        }
    }
);

step!(
    AttentionStep,
    1,
    (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, Heads, f32),
    |ops, grads, dy, (qkv, y, log_sum, heads, scale)| {
        if let [Some(node)] = ops.parents {
            let dqkv = B::k_self_attention_backward(dy, qkv, y, log_sum, heads, scale);
            grads.register::<B>(node.id, dqkv);
        }
    }
);

step!(
    RotateStep,
    1,
    (FloatTensor<B>, FloatTensor<B>, Rotation),
    |ops, grads, dy, (cos, sin, rotation)| {
        if let [Some(node)] = ops.parents {
            let back = Rotation {
                inverse: !rotation.inverse,
                ..rotation
            };
            grads.register::<B>(node.id, B::k_rotate(dy, cos, sin, back));
        }
    }
);

step!(EmbeddingStep, 1, (IntTensor<B>, usize), |ops,
                                                grads,
                                                dy,
                                                (
    ids,
    vocabulary,
)| {
    if let [Some(node)] = ops.parents {
        grads.register::<B>(node.id, B::k_embedding_backward(dy, ids, vocabulary));
    }
});

step!(
    CrossEntropyStep,
    1,
    (FloatTensor<B>, IntTensor<B>, FloatTensor<B>),
    |ops, grads, dy, (logits, targets, log_sum)| {
        if let [Some(node)] = ops.parents {
            let dlogits = B::k_cross_entropy_backward(dy, logits, targets, log_sum);
            grads.register::<B>(node.id, dlogits);
        }
    }
);

/// Records `$step` over `$parents` where one of them is tracked: `$run` gives the state and the
/// output; untracked, only the output is kept.
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

    fn lab_self_attention(qkv: FloatTensor<Self>, heads: Heads, scale: f32) -> FloatTensor<Self> {
        let (qkv, node) = qkv.into_parts();
        record!(AttentionStep, [node], {
            let (y, log_sum) = B::k_self_attention(qkv.clone(), heads, scale);
            ((qkv, y.clone(), log_sum, heads, scale), y)
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
}
