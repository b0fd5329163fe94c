//! Rows: their sum, rotary positions, and the embedding's rows by number.

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;

use super::super::backend::Rotation;
use super::math::{by_row, vectorised};
use super::tensors::{contiguous, integers, tensor, values, width};

/// Sum over all rows of `[rows, columns]`.
pub fn sum(x: &[f32], columns: usize) -> Vec<f32> {
    let mut total = vec![0.0; columns];
    vectorised(|| {
        for row in x.chunks_exact(columns) {
            for (total, x) in total.iter_mut().zip(row) {
                *total += x;
            }
        }
    });
    total
}

pub fn rotate(x: FlexTensor, cos: FlexTensor, sin: FlexTensor, rotation: Rotation) -> FlexTensor {
    let (shape, d) = (x.shape(), rotation.width);
    let half = d / 2;
    let (x, cos, sin) = (contiguous(x), contiguous(cos), contiguous(sin));
    let (x, cos, sin) = (values(&x), values(&cos), values(&sin));
    let sign = if rotation.inverse { -1.0 } else { 1.0 };
    let y = by_row(x.len() / d, d, |i, out| {
        let row = &x[i * d..][..d];
        if i % rotation.vectors >= rotation.turned {
            out.copy_from_slice(row);
            return;
        }
        let position = i / rotation.vectors % rotation.time;
        let (cos, sin) = (
            &cos[position * half..][..half],
            &sin[position * half..][..half],
        );
        let ((low, high), (out_low, out_high)) = (row.split_at(half), out.split_at_mut(half));
        for j in 0..half {
            let sin = sign * sin[j];
            out_low[j] = low[j] * cos[j] - high[j] * sin;
            out_high[j] = high[j] * cos[j] + low[j] * sin;
        }
    });
    tensor(y, shape)
}

pub fn embedding(weight: FlexTensor, ids: FlexTensor) -> FlexTensor {
    let d = width(&weight);
    let mut shape = ids.shape().to_vec();
    shape.push(d);
    let (weight, ids) = (contiguous(weight), integers(ids));
    let weight = values(&weight);
    let y = by_row(ids.len(), d, |i, out| {
        out.copy_from_slice(&weight[ids[i] as usize * d..][..d]);
    });
    tensor(y, shape)
}

pub fn embedding_backward(dy: FlexTensor, ids: FlexTensor, vocabulary: usize) -> FlexTensor {
    let d = width(&dy);
    let (dy, ids) = (contiguous(dy), integers(ids));
    let mut dweight = vec![0.0; vocabulary * d];
    // On one thread: it is an addition per number, and the order must not vary.
    vectorised(|| {
        for (id, dy) in ids.iter().zip(values(&dy).chunks_exact(d)) {
            for (dw, dy) in dweight[*id as usize * d..][..d].iter_mut().zip(dy) {
                *dw += dy;
            }
        }
    });
    tensor(dweight, [vocabulary, d])
}
