//! Causal softmax over the last dimension, and its gradient.

use burn::backend::TensorMetadata;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{contiguous, empty, rows, units, width};
use super::reduce::{lane_max, lane_sum, lanes};

#[cube(launch_unchecked)]
fn softmax_kernel(
    scores: &[f32],
    p: &mut [f32],
    rows: usize,
    time: usize,
    keys: usize,
    scale: f32,
    #[comptime] lanes: usize,
) {
    let row = (ABSOLUTE_POS / lanes).min(rows - 1);
    let lane = ABSOLUTE_POS % lanes;
    let first = row * keys;
    let seen = keys - time + row % time + 1;
    let mut highest = scores[first] * scale;
    let mut i = lane;
    while i < seen {
        highest = highest.max(scores[first + i] * scale);
        i += lanes;
    }
    let highest = lane_max(highest, lanes);
    let mut total = 0.0f32;
    let mut i = lane;
    while i < seen {
        total += (scores[first + i] * scale - highest).exp();
        i += lanes;
    }
    let total = lane_sum(total, lanes);
    if ABSOLUTE_POS / lanes < rows {
        let mut i = lane;
        while i < keys {
            let mut share = 0.0f32;
            if i < seen {
                share = (scores[first + i] * scale - highest).exp() / total;
            }
            p[first + i] = share;
            i += lanes;
        }
    }
}

pub fn forward(scores: CubeTensor, scale: f32) -> CubeTensor {
    let [_, _, time, keys] = scores.shape().dims();
    let scores = contiguous(scores);
    let (rows, p) = (rows(&scores), empty(&scores, scores.shape()));
    let lanes = lanes(keys);
    let (count, dim) = units(&scores, rows * lanes);
    let client = scores.client.clone();
    // SAFETY: units beyond the last row read the last one and write nothing.
    unsafe {
        softmax_kernel::launch_unchecked(
            &client,
            count,
            dim,
            scores.into_buffer_arg(),
            p.clone().into_buffer_arg(),
            rows,
            time,
            keys,
            scale,
            lanes,
        );
    }
    p
}

#[cube(launch_unchecked)]
fn softmax_backward_kernel(
    p: &[f32],
    dp: &[f32],
    ds: &mut [f32],
    rows: usize,
    keys: usize,
    scale: f32,
    #[comptime] lanes: usize,
) {
    let row = (ABSOLUTE_POS / lanes).min(rows - 1);
    let lane = ABSOLUTE_POS % lanes;
    let first = row * keys;
    let mut mean = 0.0f32;
    let mut i = lane;
    while i < keys {
        mean += p[first + i] * dp[first + i];
        i += lanes;
    }
    let mean = lane_sum(mean, lanes);
    if ABSOLUTE_POS / lanes < rows {
        let mut i = lane;
        while i < keys {
            ds[first + i] = p[first + i] * (dp[first + i] - mean) * scale;
            i += lanes;
        }
    }
}

pub fn backward(p: CubeTensor, dp: CubeTensor, scale: f32) -> CubeTensor {
    let (p, dp) = (contiguous(p), contiguous(dp));
    let (rows, keys, ds) = (rows(&p), width(&p), empty(&p, p.shape()));
    let lanes = lanes(keys);
    let (count, dim) = units(&p, rows * lanes);
    let client = p.client.clone();
    // SAFETY: units beyond the last row read the last one and write nothing.
    unsafe {
        softmax_backward_kernel::launch_unchecked(
            &client,
            count,
            dim,
            p.into_buffer_arg(),
            dp.into_buffer_arg(),
            ds.clone().into_buffer_arg(),
            rows,
            keys,
            scale,
            lanes,
        );
    }
    ds
}
