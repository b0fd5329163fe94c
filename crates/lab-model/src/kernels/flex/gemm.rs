//! Matrix products. The attention's many small products use [`multiply`]; in a browser all products do, because there
//! it is faster than the library that is used natively.

use burn::backend::Flex;
use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::Shape;

use super::tensors::{contiguous, tensor, values, width, with_width};

/// A tile of the result: rows, and columns, held in registers while its sum is formed.
const TILE_ROWS: usize = 6;
const TILE_COLUMNS: usize = if cfg!(target_arch = "x86_64") { 16 } else { 8 };
/// Terms of the sum that are packed at a time, to keep a panel in the nearest cache.
const DEPTH: usize = 256;

/// A matrix within a slice: element `(i, j)` is at `i · row + j · column`.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    pub values: &'a [f32],
    pub row: usize,
    pub column: usize,
}

/// Memory for packed pieces, reused between products.
#[derive(Default)]
pub struct Scratch {
    a: Vec<f32>,
    b: Vec<f32>,
}

/// `c = a · b`, or `c += a · b` if `add`: `a [m, k]`, `b [k, n]`, row `i` of `c` from `i · c_row`.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
pub fn multiply(
    scratch: &mut Scratch,
    [m, n, k]: [usize; 3],
    a: Matrix,
    b: Matrix,
    c: &mut [f32],
    c_row: usize,
    add: bool,
) {
    let mut start = 0;
    while start < k {
        let depth = DEPTH.min(k - start);
        let a = Matrix {
            values: &a.values[start * a.column..],
            ..a
        };
        let b = Matrix {
            values: &b.values[start * b.row..],
            ..b
        };
        pack_columns(&mut scratch.b, b, depth, n);
        for i in (0..m).step_by(TILE_ROWS) {
            let rows = TILE_ROWS.min(m - i);
            pack_rows(
                &mut scratch.a,
                Matrix {
                    values: &a.values[i * a.row..],
                    ..a
                },
                rows,
                depth,
            );
            for (panel, j) in scratch
                .b
                .chunks_exact(depth * TILE_COLUMNS)
                .zip((0..n).step_by(TILE_COLUMNS))
            {
                let columns = TILE_COLUMNS.min(n - j);
                let sums = tile(&scratch.a, panel);
                for (r, sums) in sums.iter().enumerate().take(rows) {
                    let out = &mut c[(i + r) * c_row + j..][..columns];
                    if add || start > 0 {
                        out.iter_mut().zip(sums).for_each(|(c, sum)| *c += sum);
                    } else if columns == TILE_COLUMNS {
                        out.copy_from_slice(sums);
                    } else {
                        out.copy_from_slice(&sums[..columns]);
                    }
                }
            }
        }
        start += depth;
    }
}

/// One tile of the result from packed rows of `a` and packed columns of `b`.
#[inline(always)]
fn tile(a: &[f32], b: &[f32]) -> [[f32; TILE_COLUMNS]; TILE_ROWS] {
    let mut sums = [[0.0; TILE_COLUMNS]; TILE_ROWS];
    let (a, b) = (
        a.as_chunks::<TILE_ROWS>().0,
        b.as_chunks::<TILE_COLUMNS>().0,
    );
    for (a, b) in a.iter().zip(b) {
        for (sums, a) in sums.iter_mut().zip(a) {
            for (sum, b) in sums.iter_mut().zip(b) {
                *sum += a * b;
            }
        }
    }
    sums
}

/// Up to [`TILE_ROWS`] rows of `a` side by side, missing rows 0.
#[inline(always)]
fn pack_rows(out: &mut Vec<f32>, a: Matrix, rows: usize, depth: usize) {
    out.clear();
    out.resize(depth * TILE_ROWS, 0.0);
    if a.row == 1 {
        for (step, out) in out.as_chunks_mut::<TILE_ROWS>().0.iter_mut().enumerate() {
            out[..rows].copy_from_slice(&a.values[step * a.column..][..rows]);
        }
        return;
    }
    for r in 0..rows {
        let row = a.values[r * a.row..].iter().step_by(a.column.max(1));
        for (out, value) in out.iter_mut().skip(r).step_by(TILE_ROWS).zip(row) {
            *out = *value;
        }
    }
}

/// The columns of `b` in panels of [`TILE_COLUMNS`], missing columns 0.
#[inline(always)]
fn pack_columns(out: &mut Vec<f32>, b: Matrix, depth: usize, n: usize) {
    let panels = n.div_ceil(TILE_COLUMNS);
    out.clear();
    out.resize(panels * depth * TILE_COLUMNS, 0.0);
    for (panel, out) in out.chunks_exact_mut(depth * TILE_COLUMNS).enumerate() {
        let first = panel * TILE_COLUMNS;
        let columns = TILE_COLUMNS.min(n - first);
        if b.column == 1 {
            for (step, out) in out.as_chunks_mut::<TILE_COLUMNS>().0.iter_mut().enumerate() {
                let row = &b.values[step * b.row + first..];
                if columns == TILE_COLUMNS {
                    out.copy_from_slice(&row[..TILE_COLUMNS]);
                } else {
                    out[..columns].copy_from_slice(&row[..columns]);
                }
            }
            continue;
        }
        for j in 0..columns {
            let column = b.values[(first + j) * b.column..]
                .iter()
                .step_by(b.row.max(1));
            for (out, value) in out.iter_mut().skip(j).step_by(TILE_COLUMNS).zip(column) {
                *out = *value;
            }
        }
    }
}

/// A two-dimensional tensor as a view of its memory; a tensor with negative strides is copied first.
fn matrix(x: &FlexTensor) -> Option<Matrix<'_>> {
    let layout = x.layout();
    let [row, column] = layout.strides() else {
        return None;
    };
    Some(Matrix {
        values: &x.storage::<f32>()[layout.start_offset()..],
        row: usize::try_from(*row).ok()?,
        column: usize::try_from(*column).ok()?,
    })
}

/// Product of two matrices.
pub fn product(a: FlexTensor, b: FlexTensor) -> FlexTensor {
    let ([m, k], n) = (a.shape().dims(), b.shape()[1]);
    let (Some(left), Some(right)) = (matrix(&a), matrix(&b)) else {
        return Flex::float_matmul(a, b);
    };
    tensor(times([m, n, k], left, right), [m, n])
}

/// `a · b`: `a [m, k]`, `b [k, n]`, to `[m, n]`.
#[cfg(target_arch = "wasm32")]
fn times([m, n, k]: [usize; 3], a: Matrix, b: Matrix) -> Vec<f32> {
    let mut c = vec![0.0; m * n];
    multiply(&mut Scratch::default(), [m, n, k], a, b, &mut c, n, false);
    c
}

/// `a · b`: `a [m, k]`, `b [k, n]`, to `[m, n]`. The backend would compute products of fewer than 192³ terms on one
/// thread; most products of a small model are smaller.
#[cfg(not(target_arch = "wasm32"))]
fn times([m, n, k]: [usize; 3], a: Matrix, b: Matrix) -> Vec<f32> {
    let last = |x: Matrix, rows: usize, columns: usize| {
        rows.saturating_sub(1) * x.row + columns.saturating_sub(1) * x.column
    };
    assert!(m * n * k > 0);
    assert!(a.values.len() > last(a, m, k) && b.values.len() > last(b, k, n));
    #[cfg(feature = "rayon")]
    let threads = gemm::Parallelism::Rayon(0);
    #[cfg(not(feature = "rayon"))]
    let threads = gemm::Parallelism::None;
    let steps = |x: Matrix| (x.column as isize, x.row as isize);
    let ((a_column, a_row), (b_column, b_row)) = (steps(a), steps(b));
    let mut c = Vec::with_capacity(m * n);
    // SAFETY: all reads lie within the slices, as asserted above; the writes cover exactly `c`.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            n as isize,
            false,
            a.values.as_ptr(),
            a_column,
            a_row,
            b.values.as_ptr(),
            b_column,
            b_row,
            0.0,
            1.0,
            false,
            false,
            false,
            threads,
        );
        c.set_len(m * n);
    }
    c
}

pub fn matmul(a: FlexTensor, b: FlexTensor) -> FlexTensor {
    if a.shape().num_dims() == 2 && b.shape().num_dims() == 2 {
        return product(a, b);
    }
    Flex::float_matmul(a, b)
}

/// Any leading dimensions as rows.
fn as_rows(x: FlexTensor) -> FlexTensor {
    let (d, x) = (width(&x), contiguous(x));
    let rows = x.shape().num_elements() / d;
    x.reshape(Shape::from([rows, d]))
}

pub fn linear(x: FlexTensor, w: FlexTensor, bias: Option<FlexTensor>) -> FlexTensor {
    let out = w.shape()[1];
    let shape = with_width(x.shape(), out);
    let mut y = product(as_rows(x), w);
    if let Some(bias) = bias {
        let bias = contiguous(bias);
        super::math::for_rows(y.storage_mut(), out, |_, rows| {
            for row in rows.chunks_exact_mut(out) {
                row.iter_mut()
                    .zip(values(&bias))
                    .for_each(|(y, bias)| *y += bias);
            }
        });
    }
    y.reshape(shape)
}

pub fn linear_weight(x: FlexTensor, dy: FlexTensor) -> FlexTensor {
    product(Flex::float_transpose(as_rows(x)), as_rows(dy))
}
