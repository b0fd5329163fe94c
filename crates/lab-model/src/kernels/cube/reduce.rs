//! Sums over the units of a workgroup, and the sum of all rows of a matrix.

use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{UNITS, contiguous, empty, rows, vector, width};

/// Number of units that share a row of this many vectors. A short row gets one unit: waiting for other units would
/// cost more than they save.
pub fn lanes(vectors: usize) -> usize {
    if vectors <= 32 { 1 } else { 32 }
}

/// The sum of `value` over the `lanes` neighbouring units that share a row; all of them must call it.
#[cube]
pub fn lane_sum(value: f32, #[comptime] lanes: usize) -> f32 {
    let mut total = value;
    if comptime!(lanes > 1) {
        let mut shared = Shared::<[f32]>::new_slice(UNITS);
        let unit = UNIT_POS as usize;
        shared[unit] = value;
        sync_cube();
        let first = unit / lanes * lanes;
        total = 0.0f32;
        for i in 0..lanes {
            total += shared[first + i];
        }
        // Wait until all have read the memory before it is used again.
        sync_cube();
    }
    total
}

/// The largest `value` of the units that share a row.
#[cube]
pub fn lane_max(value: f32, #[comptime] lanes: usize) -> f32 {
    let mut highest = value;
    if comptime!(lanes > 1) {
        let mut shared = Shared::<[f32]>::new_slice(UNITS);
        let unit = UNIT_POS as usize;
        shared[unit] = value;
        sync_cube();
        let first = unit / lanes * lanes;
        for i in 0..lanes {
            highest = highest.max(shared[first + i]);
        }
        sync_cube();
    }
    highest
}

/// The sum of the numbers in a vector.
#[cube]
pub fn within<N: Size>(x: Vector<f32, N>) -> f32 {
    let mut total = 0.0f32;
    #[unroll]
    for i in 0..N::value() {
        total += x.extract(i);
    }
    total
}

/// Columns (in vectors) and rows that a workgroup sums at once.
const COLUMNS: usize = 4;
const STRIPES: usize = UNITS / COLUMNS;

/// The position of a unit in a sum over rows: its column, and its first row.
#[cube]
pub fn column_of_unit() -> (usize, usize) {
    let unit = UNIT_POS as usize;
    (CUBE_POS * COLUMNS + unit % COLUMNS, unit / COLUMNS)
}

/// Adds up the stripes of a column; the first stripe writes the result.
#[cube]
pub fn stripe_sum<N: Size>(value: Vector<f32, N>) -> Vector<f32, N> {
    let mut shared = Shared::<[Vector<f32, N>]>::new_slice(UNITS);
    let unit = UNIT_POS as usize;
    shared[unit] = value;
    sync_cube();
    let column = unit % COLUMNS;
    let mut total = Vector::<f32, N>::new(0.0);
    if unit < COLUMNS {
        for stripe in 0..STRIPES {
            total += shared[stripe * COLUMNS + column];
        }
    }
    sync_cube();
    total
}

/// The step of a unit from row to row.
#[cube]
pub fn stripes() -> comptime_type!(usize) {
    STRIPES
}

#[cube(launch_unchecked)]
fn sum_rows_kernel<N: Size>(
    x: &[Vector<f32, N>],
    y: &mut [Vector<f32, N>],
    rows: usize,
    columns: usize,
) {
    let (column, first) = column_of_unit();
    let mut sum = Vector::<f32, N>::new(0.0);
    if column < columns {
        let mut row = first;
        while row < rows {
            sum += x[row * columns + column];
            row += STRIPES;
        }
    }
    let total = stripe_sum::<N>(sum);
    if first == 0 && column < columns {
        y[column] = total;
    }
}

/// Workgroups for a sum over the rows of a matrix of this many columns (in vectors).
pub fn column_groups(columns: usize) -> (CubeCount, CubeDim) {
    let groups = columns.div_ceil(COLUMNS) as u32;
    (
        CubeCount::Static(groups, 1, 1),
        CubeDim::new_1d(UNITS as u32),
    )
}

pub fn sum_rows(x: CubeTensor) -> CubeTensor {
    let x = contiguous(x);
    let (rows, columns) = (rows(&x), width(&x));
    let (y, n) = (empty(&x, [columns]), vector(columns));
    let (count, dim) = column_groups(columns / n);
    let client = x.client.clone();
    // SAFETY: units beyond the last column neither read nor write.
    unsafe {
        sum_rows_kernel::launch_unchecked(
            &client,
            count,
            dim,
            n,
            x.into_buffer_arg(),
            y.clone().into_buffer_arg(),
            rows,
            columns / n,
        );
    }
    y
}
