//! Cross-entropy of logits with target classes, and the entropy of the predicted distribution.

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;

use super::math::{by_row, exp, maximum};
use super::tensors::{contiguous, integers, tensor, values, width};

pub fn forward(logits: FlexTensor, targets: FlexTensor) -> (FlexTensor, FlexTensor) {
    let classes = width(&logits);
    let (logits, targets) = (contiguous(logits), integers(targets));
    let logits = values(&logits);
    let row = |i: usize| &logits[i * classes..][..classes];
    let log_sum = by_row(targets.len(), 1, |i, out| {
        let highest = maximum(row(i));
        let mut total = 0.0;
        // A block at a time, to vectorise the exponentials without a buffer of a row.
        for block in row(i).chunks(64) {
            let mut powers = [0.0; 64];
            for (power, x) in powers.iter_mut().zip(block) {
                *power = exp(x - highest);
            }
            total += super::math::sum(&powers);
        }
        out[0] = highest + total.ln();
    });
    let loss = targets
        .iter()
        .zip(&log_sum)
        .enumerate()
        .map(|(i, (&target, log_sum))| {
            if target < 0 {
                0.0
            } else {
                log_sum - row(i)[target as usize]
            }
        });
    let loss = loss.collect::<Vec<_>>();
    let rows = loss.len();
    (tensor(loss, [rows]), tensor(log_sum, [rows]))
}

pub fn backward(
    dy: FlexTensor,
    logits: FlexTensor,
    targets: FlexTensor,
    log_sum: FlexTensor,
) -> FlexTensor {
    let (shape, classes) = (logits.shape(), width(&logits));
    let (dy, logits, targets) = (contiguous(dy), contiguous(logits), integers(targets));
    let (dy, logits, log_sum) = (values(&dy), values(&logits), values(&log_sum));
    let dlogits = by_row(targets.len(), classes, |i, out| {
        let Ok(target) = usize::try_from(targets[i]) else {
            return;
        };
        let (dy, log_sum) = (dy[i], log_sum[i]);
        for (out, x) in out.iter_mut().zip(&logits[i * classes..]) {
            *out = dy * exp(x - log_sum);
        }
        out[target] -= dy;
    });
    tensor(dlogits, shape)
}

/// A block at a time, as above: with `e = exp(x - highest)` the entropy is `ln Σe - Σe·(x - highest) / Σe`.
pub fn entropy(logits: FlexTensor) -> (FlexTensor, FlexTensor) {
    let classes = width(&logits);
    let logits = contiguous(logits);
    let logits = values(&logits);
    let rows = logits.len() / classes;
    let both = by_row(rows, 2, |i, out| {
        let row = &logits[i * classes..][..classes];
        let highest = maximum(row);
        let (mut total, mut weighted) = (0.0, 0.0);
        for block in row.chunks(64) {
            let (mut powers, mut terms) = ([0.0; 64], [0.0; 64]);
            for ((power, term), x) in powers.iter_mut().zip(&mut terms).zip(block) {
                *power = exp(x - highest);
                *term = *power * (x - highest);
            }
            total += super::math::sum(&powers);
            weighted += super::math::sum(&terms);
        }
        let log = total.ln();
        out.copy_from_slice(&[log - weighted / total, highest + log]);
    });
    let column = |which: usize| both.iter().skip(which).step_by(2).copied().collect();
    (tensor(column(0), [rows]), tensor(column(1), [rows]))
}

pub fn entropy_backward(
    dy: FlexTensor,
    logits: FlexTensor,
    entropy: FlexTensor,
    log_sum: FlexTensor,
) -> FlexTensor {
    let (shape, classes) = (logits.shape(), width(&logits));
    let (dy, logits) = (contiguous(dy), contiguous(logits));
    let (dy, logits) = (values(&dy), values(&logits));
    let (entropy, log_sum) = (values(&entropy), values(&log_sum));
    let dlogits = by_row(dy.len(), classes, |i, out| {
        for (out, x) in out.iter_mut().zip(&logits[i * classes..]) {
            let log_probability = x - log_sum[i];
            *out = -dy[i] * exp(log_probability) * (log_probability + entropy[i]);
        }
    });
    tensor(dlogits, shape)
}
