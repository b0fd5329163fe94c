//! Layer norm and RMS norm, and their gradients.

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;

use super::math::{by_row, dot, squares, sum, vectorised};
use super::tensors::{contiguous, tensor, values, width};

/// Number of rows whose contributions to the weight's gradient are summed together: the sums do not depend on the
/// number of threads.
const ROWS: usize = 256;

pub fn forward(
    x: FlexTensor,
    weight: FlexTensor,
    bias: Option<FlexTensor>,
    eps: f32,
    centred: bool,
) -> (FlexTensor, FlexTensor) {
    let (shape, d) = (x.shape(), width(&x));
    let (x, weight, bias) = (contiguous(x), contiguous(weight), bias.map(contiguous));
    let (x, weight, bias) = (values(&x), values(&weight), bias.as_ref().map(values));
    let rows = x.len() / d;
    let row = |i: usize| &x[i * d..][..d];
    let stats = by_row(rows, 2, |i, out| {
        let mean = if centred { sum(row(i)) / d as f32 } else { 0.0 };
        out[0] = mean;
        out[1] = 1.0 / (squares(row(i), mean) / d as f32 + eps).sqrt();
    });
    let y = by_row(rows, d, |i, out| {
        let (mean, scale) = (stats[2 * i], stats[2 * i + 1]);
        for ((out, x), w) in out.iter_mut().zip(row(i)).zip(weight) {
            *out = (x - mean) * scale * w;
        }
        if let Some(bias) = bias {
            for (out, bias) in out.iter_mut().zip(bias) {
                *out += bias;
            }
        }
    });
    (tensor(y, shape), tensor(stats, [rows, 2]))
}

/// With `n` the normalised row and `g = dy · weight`: `dx = (g - mean(g) - n · mean(g n)) / deviation`;
/// RMS norm has no `mean(g)`.
pub fn backward(
    dy: FlexTensor,
    x: FlexTensor,
    weight: FlexTensor,
    stats: FlexTensor,
    centred: bool,
) -> (FlexTensor, FlexTensor, FlexTensor) {
    let (shape, d) = (x.shape(), width(&x));
    let (dy, x, weight) = (contiguous(dy), contiguous(x), contiguous(weight));
    let (dy, x, weight, stats) = (values(&dy), values(&x), values(&weight), values(&stats));
    let rows = x.len() / d;
    let dx = by_row(rows, d, |i, out| {
        let (x, dy) = (&x[i * d..][..d], &dy[i * d..][..d]);
        let (mean, scale) = (stats[2 * i], stats[2 * i + 1]);
        for ((out, dy), w) in out.iter_mut().zip(dy).zip(weight) {
            *out = dy * w;
        }
        let total = sum(out);
        // sum(g n) = (sum(g x) - mean · sum(g)) / deviation
        let along = (dot(out, x) - mean * total) * scale / d as f32;
        let level = if centred { total / d as f32 } else { 0.0 };
        for (out, x) in out.iter_mut().zip(x) {
            *out = scale * (*out - level - (x - mean) * scale * along);
        }
    });
    let (dweight, dbias) = weight_gradients(dy, x, stats, d);
    (tensor(dx, shape), tensor(dweight, [d]), tensor(dbias, [d]))
}

fn weight_gradients(dy: &[f32], x: &[f32], stats: &[f32], d: usize) -> (Vec<f32>, Vec<f32>) {
    let piece = |piece: usize| {
        let (mut dweight, mut dbias) = (vec![0.0; d], vec![0.0; d]);
        vectorised(|| {
            let rows = piece * ROWS..((piece + 1) * ROWS).min(x.len() / d);
            for i in rows {
                let (x, dy) = (&x[i * d..][..d], &dy[i * d..][..d]);
                let (mean, scale) = (stats[2 * i], stats[2 * i + 1]);
                for ((dw, dy), x) in dweight.iter_mut().zip(dy).zip(x) {
                    *dw += dy * ((x - mean) * scale);
                }
                for (db, dy) in dbias.iter_mut().zip(dy) {
                    *db += dy;
                }
            }
        });
        (dweight, dbias)
    };
    let pieces = (x.len() / d).div_ceil(ROWS);
    #[cfg(feature = "rayon")]
    let parts: Vec<_> = {
        use rayon::prelude::*;
        (0..pieces)
            .into_par_iter()
            .with_min_len(8)
            .map(piece)
            .collect()
    };
    #[cfg(not(feature = "rayon"))]
    let parts: Vec<_> = (0..pieces).map(piece).collect();
    let mut parts = parts.into_iter();
    let (mut dweight, mut dbias) = parts.next().unwrap_or_default();
    for (dw, db) in parts {
        dweight.iter_mut().zip(dw).for_each(|(a, b)| *a += b);
        dbias.iter_mut().zip(db).for_each(|(a, b)| *a += b);
    }
    (dweight, dbias)
}
