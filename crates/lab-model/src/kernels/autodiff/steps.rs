//! The backward steps of the operations: each operation's saved values, and the gradients computed from them.

use burn::backend::TensorMetadata;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, broadcast_shape};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::tensor::Shape;

use super::super::backend::{Activation, Heads, Kernels, Nf4Format, Rotation};
use super::super::dropout::AttentionDropout;

/// Defines a backward step: its name, the number of its parents, its saved values, and the function that gives each
/// parent's gradient to `grads`.
macro_rules! step {
    ($name:ident, $parents:tt, $state:ty, |$ops:ident, $grads:ident, $dy:ident, $saved:pat_param| $body:block) => {
        #[derive(Debug)]
        pub struct $name;

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

// A frozen weight has no gradient, so its input is not kept.
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

// Kept in 4 bits until then: only one layer's floats exist at a time.
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
    (
        FloatTensor<B>,
        FloatTensor<B>,
        FloatTensor<B>,
        Heads,
        f32,
        Option<AttentionDropout>
    ),
    |ops, grads, dy, (qkv, y, log_sum, heads, scale, dropout)| {
        if let [Some(node)] = ops.parents {
            let dqkv = B::k_self_attention_backward(dy, qkv, y, log_sum, heads, scale, dropout);
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

step!(
    EntropyStep,
    1,
    (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>),
    |ops, grads, dy, (logits, entropy, log_sum)| {
        if let [Some(node)] = ops.parents {
            let dlogits = B::k_entropy_backward(dy, logits, entropy, log_sum);
            grads.register::<B>(node.id, dlogits);
        }
    }
);
