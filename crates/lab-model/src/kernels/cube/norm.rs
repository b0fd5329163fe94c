//! Layer norm and RMS norm, and their gradients.

use burn::backend::TensorMetadata;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{contiguous, empty, rows, units, vector, width};
use super::reduce::{column_groups, column_of_unit, lane_sum, lanes, stripe_sum, stripes, within};

/// The row of a unit, limited to the matrix: units beyond it must wait with the others, so they compute the last row
/// without writing it.
#[cube]
fn row_of_unit(rows: usize, #[comptime] lanes: usize) -> (usize, bool) {
    let row = ABSOLUTE_POS / lanes;
    (row.min(rows - 1), row < rows)
}

/// Mean (0 unless `centred`) and reciprocal deviation of a row.
#[cube]
fn row_stats<N: Size>(
    x: &[Vector<f32, N>],
    first: usize,
    vectors: usize,
    eps: f32,
    #[comptime] lanes: usize,
    #[comptime] centred: bool,
) -> (f32, f32) {
    let lane = ABSOLUTE_POS % lanes;
    let count = f32::cast_from(vectors * N::value());
    let mut mean = 0.0f32;
    if comptime!(centred) {
        let mut sum = Vector::<f32, N>::new(0.0);
        let mut i = lane;
        while i < vectors {
            sum += x[first + i];
            i += lanes;
        }
        mean = lane_sum(within::<N>(sum), lanes) / count;
    }
    let mut squares = Vector::<f32, N>::new(0.0);
    let mut i = lane;
    while i < vectors {
        let off = x[first + i] - Vector::new(mean);
        squares += off * off;
        i += lanes;
    }
    let variance = lane_sum(within::<N>(squares), lanes) / count;
    (mean, 1.0 / (variance + eps).sqrt())
}

#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
fn norm_kernel<N: Size>(
    x: &[Vector<f32, N>],
    weight: &[Vector<f32, N>],
    y: &mut [Vector<f32, N>],
    stats: &mut [f32],
    rows: usize,
    vectors: usize,
    eps: f32,
    #[comptime] lanes: usize,
    #[comptime] centred: bool,
) {
    let (row, valid) = row_of_unit(rows, lanes);
    let first = row * vectors;
    let (mean, scale) = row_stats::<N>(x, first, vectors, eps, lanes, centred);
    if valid {
        let mut i = ABSOLUTE_POS % lanes;
        if i == 0 {
            stats[2 * row] = mean;
            stats[2 * row + 1] = scale;
        }
        while i < vectors {
            y[first + i] = (x[first + i] - Vector::new(mean)) * Vector::new(scale) * weight[i];
            i += lanes;
        }
    }
}

#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
fn norm_bias_kernel<N: Size>(
    x: &[Vector<f32, N>],
    weight: &[Vector<f32, N>],
    bias: &[Vector<f32, N>],
    y: &mut [Vector<f32, N>],
    stats: &mut [f32],
    rows: usize,
    vectors: usize,
    eps: f32,
    #[comptime] lanes: usize,
) {
    let (row, valid) = row_of_unit(rows, lanes);
    let first = row * vectors;
    let (mean, scale) = row_stats::<N>(x, first, vectors, eps, lanes, true);
    if valid {
        let mut i = ABSOLUTE_POS % lanes;
        if i == 0 {
            stats[2 * row] = mean;
            stats[2 * row + 1] = scale;
        }
        while i < vectors {
            let normalised = (x[first + i] - Vector::new(mean)) * Vector::new(scale);
            y[first + i] = normalised * weight[i] + bias[i];
            i += lanes;
        }
    }
}

pub fn forward(
    x: CubeTensor,
    weight: CubeTensor,
    bias: Option<CubeTensor>,
    eps: f32,
    centred: bool,
) -> (CubeTensor, CubeTensor) {
    let (x, weight) = (contiguous(x), contiguous(weight));
    let (rows, n) = (rows(&x), vector(width(&x)));
    let vectors = width(&x) / n;
    let (y, stats) = (empty(&x, x.shape()), empty(&x, [rows, 2]));
    let lanes = lanes(vectors);
    let (count, dim) = units(&x, rows * lanes);
    let client = x.client.clone();
    let (x, weight) = (x.into_buffer_arg(), weight.into_buffer_arg());
    let (y_arg, stats_arg) = (y.clone().into_buffer_arg(), stats.clone().into_buffer_arg());
    // SAFETY: units beyond the last row read the last one and write nothing.
    unsafe {
        match bias {
            None => norm_kernel::launch_unchecked(
                &client, count, dim, n, x, weight, y_arg, stats_arg, rows, vectors, eps, lanes,
                centred,
            ),
            Some(bias) => norm_bias_kernel::launch_unchecked(
                &client,
                count,
                dim,
                n,
                x,
                weight,
                contiguous(bias).into_buffer_arg(),
                y_arg,
                stats_arg,
                rows,
                vectors,
                eps,
                lanes,
            ),
        }
    }
    (y, stats)
}

/// With `n` the normalised row and `g = dy · weight`: `dx = (g - mean(g) - n · mean(g n)) / deviation`;
/// RMS norm has no `mean(g)`.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
fn input_gradient_kernel<N: Size>(
    dy: &[Vector<f32, N>],
    x: &[Vector<f32, N>],
    weight: &[Vector<f32, N>],
    stats: &[f32],
    dx: &mut [Vector<f32, N>],
    rows: usize,
    vectors: usize,
    #[comptime] lanes: usize,
    #[comptime] centred: bool,
) {
    let (row, valid) = row_of_unit(rows, lanes);
    let lane = ABSOLUTE_POS % lanes;
    let first = row * vectors;
    let mean = Vector::<f32, N>::new(stats[2 * row]);
    let scale = Vector::<f32, N>::new(stats[2 * row + 1]);
    let count = f32::cast_from(vectors * N::value());
    let mut level = Vector::<f32, N>::new(0.0);
    let mut along = Vector::<f32, N>::new(0.0);
    let mut i = lane;
    while i < vectors {
        let g = dy[first + i] * weight[i];
        level += g;
        along += g * (x[first + i] - mean) * scale;
        i += lanes;
    }
    let along = Vector::<f32, N>::new(lane_sum(within::<N>(along), lanes) / count);
    let mut shift = Vector::<f32, N>::new(0.0);
    if comptime!(centred) {
        shift = Vector::<f32, N>::new(lane_sum(within::<N>(level), lanes) / count);
    }
    if valid {
        let mut i = lane;
        while i < vectors {
            let normalised = (x[first + i] - mean) * scale;
            dx[first + i] = scale * (dy[first + i] * weight[i] - shift - normalised * along);
            i += lanes;
        }
    }
}

/// Sums over all rows: `dweight = dy · normalised`, `dbias = dy`.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
fn weight_gradient_kernel<N: Size>(
    dy: &[Vector<f32, N>],
    x: &[Vector<f32, N>],
    stats: &[f32],
    dweight: &mut [Vector<f32, N>],
    dbias: &mut [Vector<f32, N>],
    rows: usize,
    columns: usize,
) {
    let (column, first) = column_of_unit();
    let mut weight_sum = Vector::<f32, N>::new(0.0);
    let mut bias_sum = Vector::<f32, N>::new(0.0);
    if column < columns {
        let mut row = first;
        while row < rows {
            let mean = Vector::<f32, N>::new(stats[2 * row]);
            let scale = Vector::<f32, N>::new(stats[2 * row + 1]);
            let d = dy[row * columns + column];
            weight_sum += d * (x[row * columns + column] - mean) * scale;
            bias_sum += d;
            row += stripes();
        }
    }
    let weight_sum = stripe_sum::<N>(weight_sum);
    let bias_sum = stripe_sum::<N>(bias_sum);
    if first == 0 && column < columns {
        dweight[column] = weight_sum;
        dbias[column] = bias_sum;
    }
}

pub fn backward(
    dy: CubeTensor,
    x: CubeTensor,
    weight: CubeTensor,
    stats: CubeTensor,
    centred: bool,
) -> (CubeTensor, CubeTensor, CubeTensor) {
    let (dy, x, weight) = (contiguous(dy), contiguous(x), contiguous(weight));
    let (rows, d, n) = (rows(&x), width(&x), vector(width(&x)));
    let vectors = d / n;
    let (dx, dweight, dbias) = (empty(&x, x.shape()), empty(&x, [d]), empty(&x, [d]));
    let lanes = lanes(vectors);
    let (count, dim) = units(&x, rows * lanes);
    let client = x.client.clone();
    let (groups, group_dim) = column_groups(vectors);
    // SAFETY: units beyond the last row or column write nothing and read within the matrix.
    unsafe {
        input_gradient_kernel::launch_unchecked(
            &client,
            count,
            dim,
            n,
            dy.clone().into_buffer_arg(),
            x.clone().into_buffer_arg(),
            weight.into_buffer_arg(),
            stats.clone().into_buffer_arg(),
            dx.clone().into_buffer_arg(),
            rows,
            vectors,
            lanes,
            centred,
        );
        weight_gradient_kernel::launch_unchecked(
            &client,
            groups,
            group_dim,
            n,
            dy.into_buffer_arg(),
            x.into_buffer_arg(),
            stats.into_buffer_arg(),
            dweight.clone().into_buffer_arg(),
            dbias.clone().into_buffer_arg(),
            rows,
            vectors,
        );
    }
    (dx, dweight, dbias)
}
