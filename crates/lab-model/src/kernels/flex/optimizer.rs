//! The global norm of the gradients and AdamW's update.

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;

use super::super::adamw_step::{AdamWStep, CLIP_EPSILON};
use super::math::{squares, vectorised};
use super::tensors::{contiguous, tensor, values};

pub fn global_norm(tensors: Vec<FlexTensor>) -> FlexTensor {
    let mut total = 0.0f64;
    for x in tensors {
        let x = contiguous(x);
        // In blocks, added up in double precision: the sum of millions of squares stays exact enough.
        total += vectorised(|| {
            values(&x)
                .chunks(4096)
                .map(|x| squares(x, 0.0) as f64)
                .sum::<f64>()
        });
    }
    tensor(vec![total.sqrt() as f32], [1])
}

pub fn clip_scale(norm: FlexTensor, max_norm: f32) -> FlexTensor {
    let norm = values(&norm)[0];
    let scale = if !norm.is_finite() {
        -1.0
    } else if max_norm > 0.0 {
        (max_norm / (norm + CLIP_EPSILON as f32)).min(1.0)
    } else {
        1.0
    };
    tensor(vec![scale], [1])
}

pub fn adamw(
    param: FlexTensor,
    grad: FlexTensor,
    m: FlexTensor,
    v: FlexTensor,
    h: AdamWStep,
    clip_scale: FlexTensor,
) -> (FlexTensor, FlexTensor, FlexTensor) {
    let clip = values(&clip_scale)[0];
    if !(clip >= 0.0 && clip.is_finite()) {
        return (param, m, v);
    }
    let grad = contiguous(grad);
    let (mut param, mut m, mut v) = (whole(param), whole(m), whole(v));
    let (correction1, correction2) = h.corrections();
    let (beta1, beta2) = (h.beta1 as f32, h.beta2 as f32);
    let (rest1, rest2) = ((1.0 - h.beta1) as f32, (1.0 - h.beta2) as f32);
    let rate = (h.learning_rate / correction1) as f32;
    let root = (1.0 / correction2.sqrt()) as f32;
    let keep = (1.0 - h.learning_rate * h.weight_decay) as f32;
    let epsilon = h.epsilon as f32;
    let update = |param: &mut [f32], m: &mut [f32], v: &mut [f32], grad: &[f32]| {
        vectorised(|| {
            for (((param, m), v), grad) in param.iter_mut().zip(m).zip(v).zip(grad) {
                let g = clip * grad;
                let new_m = beta1 * *m + rest1 * g;
                let new_v = beta2 * *v + rest2 * g * g;
                let new = *param * keep - rate * new_m / (new_v.sqrt() * root + epsilon);
                let usable = grad.is_finite();
                *param = if usable { new } else { *param };
                *m = if usable { new_m } else { *m };
                *v = if usable { new_v } else { *v };
            }
        });
    };
    let (p, first, second) = (param.storage_mut(), m.storage_mut(), v.storage_mut());
    let grad = values(&grad);
    #[cfg(feature = "rayon")]
    {
        use rayon::prelude::*;
        const PIECE: usize = 1 << 14;
        p.par_chunks_mut(PIECE)
            .zip(first.par_chunks_mut(PIECE))
            .zip(second.par_chunks_mut(PIECE))
            .zip(grad.par_chunks(PIECE))
            .for_each(|(((p, m), v), grad)| update(p, m, v, grad));
    }
    #[cfg(not(feature = "rayon"))]
    update(p, first, second, grad);
    (param, m, v)
}

/// A tensor whose memory holds exactly its elements in order, for changes in place.
pub fn whole(x: FlexTensor) -> FlexTensor {
    let exact = x.bytes().len() == x.shape().num_elements() * size_of::<f32>();
    if exact && x.is_contiguous() {
        x
    } else {
        x.to_contiguous()
    }
}
