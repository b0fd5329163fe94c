//! Cross-entropy of logits with target classes, and the entropy of the predicted distribution.

use burn::backend::TensorMetadata;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{contiguous, empty, integers, rows, units, width};
use super::reduce::{lane_max, lane_sum, lanes};

#[cube(launch_unchecked)]
fn loss_kernel(
    logits: &[f32],
    targets: &[i32],
    loss: &mut [f32],
    log_sum: &mut [f32],
    rows: usize,
    classes: usize,
    #[comptime] lanes: usize,
) {
    let row = (ABSOLUTE_POS / lanes).min(rows - 1);
    let lane = ABSOLUTE_POS % lanes;
    let first = row * classes;
    let mut highest = logits[first];
    let mut i = lane;
    while i < classes {
        highest = highest.max(logits[first + i]);
        i += lanes;
    }
    let highest = lane_max(highest, lanes);
    let mut total = 0.0f32;
    let mut i = lane;
    while i < classes {
        total += (logits[first + i] - highest).exp();
        i += lanes;
    }
    let total = lane_sum(total, lanes);
    if lane == 0 && ABSOLUTE_POS / lanes < rows {
        let sum = highest + total.ln();
        log_sum[row] = sum;
        let target = targets[row];
        let mut nats = 0.0f32;
        if target >= 0 {
            nats = sum - logits[first + target as usize];
        }
        loss[row] = nats;
    }
}

pub fn forward(logits: CubeTensor, targets: CubeTensor) -> (CubeTensor, CubeTensor) {
    let (logits, targets) = (contiguous(logits), integers(targets));
    let (rows, classes) = (rows(&logits), width(&logits));
    let (loss, log_sum) = (empty(&logits, [rows]), empty(&logits, [rows]));
    let lanes = lanes(classes / 4);
    let (count, dim) = units(&logits, rows * lanes);
    let client = logits.client.clone();
    // SAFETY: units beyond the last row read the last one and write nothing.
    unsafe {
        loss_kernel::launch_unchecked(
            &client,
            count,
            dim,
            logits.into_buffer_arg(),
            targets.into_buffer_arg(),
            loss.clone().into_buffer_arg(),
            log_sum.clone().into_buffer_arg(),
            rows,
            classes,
            lanes,
        );
    }
    (loss, log_sum)
}

#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
fn loss_backward_kernel(
    dy: &[f32],
    logits: &[f32],
    targets: &[i32],
    log_sum: &[f32],
    dlogits: &mut [f32],
    count: usize,
    classes: usize,
) {
    if ABSOLUTE_POS >= count {
        terminate!();
    }
    let row = ABSOLUTE_POS / classes;
    let class = ABSOLUTE_POS % classes;
    let target = targets[row];
    let mut gradient = 0.0f32;
    if target >= 0 {
        gradient = (logits[ABSOLUTE_POS] - log_sum[row]).exp();
        if target as usize == class {
            gradient -= 1.0;
        }
        gradient *= dy[row];
    }
    dlogits[ABSOLUTE_POS] = gradient;
}

pub fn backward(
    dy: CubeTensor,
    logits: CubeTensor,
    targets: CubeTensor,
    log_sum: CubeTensor,
) -> CubeTensor {
    let (dy, logits, targets) = (contiguous(dy), contiguous(logits), integers(targets));
    let (dlogits, classes) = (empty(&logits, logits.shape()), width(&logits));
    let length = logits.shape().num_elements();
    let (count, dim) = units(&logits, length);
    let client = logits.client.clone();
    // SAFETY: units beyond the last element end at once.
    unsafe {
        loss_backward_kernel::launch_unchecked(
            &client,
            count,
            dim,
            dy.into_buffer_arg(),
            logits.into_buffer_arg(),
            targets.into_buffer_arg(),
            log_sum.into_buffer_arg(),
            dlogits.clone().into_buffer_arg(),
            length,
            classes,
        );
    }
    dlogits
}

/// With `e = exp(x - highest)` the entropy is `ln Σe - Σe·(x - highest) / Σe`.
#[cube(launch_unchecked)]
fn entropy_kernel(
    logits: &[f32],
    entropy: &mut [f32],
    log_sum: &mut [f32],
    rows: usize,
    classes: usize,
    #[comptime] lanes: usize,
) {
    let row = (ABSOLUTE_POS / lanes).min(rows - 1);
    let lane = ABSOLUTE_POS % lanes;
    let first = row * classes;
    let mut highest = logits[first];
    let mut i = lane;
    while i < classes {
        highest = highest.max(logits[first + i]);
        i += lanes;
    }
    let highest = lane_max(highest, lanes);
    let mut total = 0.0f32;
    let mut weighted = 0.0f32;
    let mut i = lane;
    while i < classes {
        let x = logits[first + i] - highest;
        let power = x.exp();
        total += power;
        weighted += power * x;
        i += lanes;
    }
    let total = lane_sum(total, lanes);
    let weighted = lane_sum(weighted, lanes);
    if lane == 0 && ABSOLUTE_POS / lanes < rows {
        let log = total.ln();
        entropy[row] = log - weighted / total;
        log_sum[row] = highest + log;
    }
}

pub fn entropy(logits: CubeTensor) -> (CubeTensor, CubeTensor) {
    let logits = contiguous(logits);
    let (rows, classes) = (rows(&logits), width(&logits));
    let (entropy, log_sum) = (empty(&logits, [rows]), empty(&logits, [rows]));
    let lanes = lanes(classes / 4);
    let (count, dim) = units(&logits, rows * lanes);
    let client = logits.client.clone();
    // SAFETY: units beyond the last row read the last one and write nothing.
    unsafe {
        entropy_kernel::launch_unchecked(
            &client,
            count,
            dim,
            logits.into_buffer_arg(),
            entropy.clone().into_buffer_arg(),
            log_sum.clone().into_buffer_arg(),
            rows,
            classes,
            lanes,
        );
    }
    (entropy, log_sum)
}

#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
fn entropy_backward_kernel(
    dy: &[f32],
    logits: &[f32],
    entropy: &[f32],
    log_sum: &[f32],
    dlogits: &mut [f32],
    count: usize,
    classes: usize,
) {
    if ABSOLUTE_POS >= count {
        terminate!();
    }
    let row = ABSOLUTE_POS / classes;
    let log_probability = logits[ABSOLUTE_POS] - log_sum[row];
    let surprise = log_probability + entropy[row];
    dlogits[ABSOLUTE_POS] = -dy[row] * log_probability.exp() * surprise;
}

pub fn entropy_backward(
    dy: CubeTensor,
    logits: CubeTensor,
    entropy: CubeTensor,
    log_sum: CubeTensor,
) -> CubeTensor {
    let (dy, logits) = (contiguous(dy), contiguous(logits));
    let (dlogits, classes) = (empty(&logits, logits.shape()), width(&logits));
    let length = logits.shape().num_elements();
    let (count, dim) = units(&logits, length);
    let client = logits.client.clone();
    // SAFETY: units beyond the last element end at once.
    unsafe {
        entropy_backward_kernel::launch_unchecked(
            &client,
            count,
            dim,
            dy.into_buffer_arg(),
            logits.into_buffer_arg(),
            entropy.into_buffer_arg(),
            log_sum.into_buffer_arg(),
            dlogits.clone().into_buffer_arg(),
            length,
            classes,
        );
    }
    dlogits
}
