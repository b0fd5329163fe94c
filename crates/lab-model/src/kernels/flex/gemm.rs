//! Matrix products. The attention's many small ones go through [`multiply`]; so do all products in a
//! browser, where it is faster than the library that is used natively.

use burn::backend::Flex;
use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::Shape;

use super::tensors::{contiguous, tensor, values, width, with_width};
use super::tile::{self, COLUMNS as TILE_COLUMNS, ROWS as TILE_ROWS};

/// Terms of the sum that are packed at a time, so that a panel stays in the nearest cache.
const DEPTH: usize = 256;

/// A matrix within a slice: element `(i, j)` is at `i · row + j · column`.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    pub values: &'a [f32],
    pub row: usize,
    pub column: usize,
}

impl Matrix<'_> {
    /// The part from row `row` and column `column`.
    #[inline(always)]
    fn from(self, row: usize, column: usize) -> Self {
        Self {
            values: &self.values[row * self.row + column * self.column..],
            ..self
        }
    }
}

/// Where packed pieces are kept between products.
#[derive(Default)]
pub struct Scratch {
    a: Vec<f32>,
    b: Vec<f32>,
}

#[cfg(target_arch = "wasm32")]
thread_local! {
    /// Kept from product to product: a new buffer would be filled with zeros first.
    static SCRATCH: std::cell::RefCell<Scratch> = std::cell::RefCell::default();
}

/// The first `length` numbers of a buffer, whatever they are.
fn piece(buffer: &mut Vec<f32>, length: usize) -> &mut [f32] {
    if buffer.len() < length {
        buffer.resize(length, 0.0);
    }
    &mut buffer[..length]
}

/// `c = a · b`, or `c += a · b` where `add`: `a [m, k]`, `b [k, n]`, row `i` of `c` from `i · c_row`.
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
        let (a, add) = (a.from(0, start), add || start > 0);
        let panels = piece(
            &mut scratch.b,
            n.div_ceil(TILE_COLUMNS) * depth * TILE_COLUMNS,
        );
        pack_columns(panels, b.from(start, 0), depth, n);
        let panels = panels.chunks_exact(depth * TILE_COLUMNS);
        for i in (0..m).step_by(TILE_ROWS) {
            let (rows, a) = (TILE_ROWS.min(m - i), a.from(i, 0));
            let packed = piece(&mut scratch.a, depth * TILE_ROWS);
            // Rows are read where they lie, unless they would be read with great steps. Natively, where these products
            // are the attention's small ones, packing them is as fast.
            let lies_right = cfg!(target_arch = "wasm32") && rows == TILE_ROWS && a.column == 1;
            if !lies_right {
                pack_rows(packed, a, rows, depth);
            }
            for (panel, j) in panels.clone().zip((0..n).step_by(TILE_COLUMNS)) {
                let columns = TILE_COLUMNS.min(n - j);
                #[cfg(target_arch = "wasm32")]
                let sums = match lies_right {
                    true => in_place(a, panel, depth),
                    false => tile::packed(packed, panel),
                };
                #[cfg(not(target_arch = "wasm32"))]
                let sums = tile::packed(packed, panel);
                for (r, sums) in sums.iter().enumerate().take(rows) {
                    let out = &mut c[(i + r) * c_row + j..][..columns];
                    if add {
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

/// [`tile::packed`] of rows of `a` whose numbers lie one beside the next.
#[cfg(target_arch = "wasm32")]
#[inline(always)]
fn in_place(a: Matrix, b: &[f32], depth: usize) -> [[f32; TILE_COLUMNS]; TILE_ROWS] {
    let row = |r: usize| &a.values[r * a.row..][..depth];
    let columns = b.as_chunks::<TILE_COLUMNS>().0.iter();
    let mut sums = tile::Sums::zero();
    for ((((b, a0), a1), a2), a3) in columns.zip(row(0)).zip(row(1)).zip(row(2)).zip(row(3)) {
        sums.add(&[*a0, *a1, *a2, *a3], b);
    }
    sums.values()
}

/// Up to [`TILE_ROWS`] rows of `a` side by side, the missing ones 0.
#[inline(always)]
fn pack_rows(out: &mut [f32], a: Matrix, rows: usize, depth: usize) {
    if rows < TILE_ROWS {
        out.fill(0.0);
    }
    if a.row == 1 {
        for (step, out) in out.as_chunks_mut::<TILE_ROWS>().0.iter_mut().enumerate() {
            let values = &a.values[step * a.column..];
            if rows == TILE_ROWS {
                out.copy_from_slice(&values[..TILE_ROWS]);
            } else {
                out[..rows].copy_from_slice(&values[..rows]);
            }
        }
        return;
    }
    for r in 0..rows {
        let row = a.values[r * a.row..].iter().step_by(a.column.max(1));
        for (out, value) in out
            .iter_mut()
            .skip(r)
            .step_by(TILE_ROWS)
            .zip(row.take(depth))
        {
            *out = *value;
        }
    }
}

/// The columns of `b` in panels of [`TILE_COLUMNS`], the missing ones 0.
#[inline(always)]
fn pack_columns(out: &mut [f32], b: Matrix, depth: usize, n: usize) {
    for (panel, out) in out.chunks_exact_mut(depth * TILE_COLUMNS).enumerate() {
        let first = panel * TILE_COLUMNS;
        let columns = TILE_COLUMNS.min(n - first);
        if columns < TILE_COLUMNS {
            out.fill(0.0);
        }
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

/// `c = a · b` for a single row `a` (`[k]`) and `b [k, n]`, which is read where it lies.
#[cfg(any(test, target_arch = "wasm32"))]
fn multiply_row(a: impl Iterator<Item = f32>, b: Matrix, c: &mut [f32]) {
    let n = c.len();
    if b.column == 1 {
        c.fill(0.0);
        for (step, a) in a.enumerate() {
            let row = &b.values[step * b.row..][..n];
            c.iter_mut().zip(row).for_each(|(c, b)| *c += a * b);
        }
        return;
    }
    let a: Vec<f32> = a.collect();
    for (j, c) in c.iter_mut().enumerate() {
        let column = &b.values[j * b.column..];
        *c = match b.row {
            1 => dot(&a, &column[..a.len()]),
            row => a
                .iter()
                .zip(column.iter().step_by(row))
                .map(|(a, b)| a * b)
                .sum(),
        };
    }
}

/// In eight sums side by side, which the processor forms at once.
#[cfg(any(test, target_arch = "wasm32"))]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; 8];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (a, b) in a.iter().zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(a, b)| a * b);
    sums.iter().sum::<f32>() + rest.sum::<f32>()
}

/// A two-dimensional tensor as it lies in memory; one that runs backwards is copied first.
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
    if m == 1 {
        let row = a.values.iter().copied().step_by(a.column.max(1));
        multiply_row(row.take(k), b, &mut c);
    } else {
        SCRATCH.with_borrow_mut(|scratch| {
            multiply(scratch, [m, n, k], a, b, &mut c, n, false);
        });
    }
    c
}

/// `a · b`: `a [m, k]`, `b [k, n]`, to `[m, n]`. The backend would leave products of fewer than 192³ terms on one
/// thread, which are most of a small model's.
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
    // SAFETY: what is read lies within the slices, as was just asserted; what is written is all of `c`.
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A matrix of these dimensions in random numbers, its columns or its rows side by side.
    fn numbers(seed: u64, [rows, columns]: [usize; 2], transposed: bool) -> (Vec<f32>, [usize; 2]) {
        let number = |i: u64| ((i * 2_654_435_761 + seed * 97) % 1000) as f32 / 500.0 - 1.0;
        let values = (0..(rows * columns) as u64).map(number).collect();
        let steps = if transposed { [1, rows] } else { [columns, 1] };
        (values, steps)
    }

    proptest! {
        #[test]
        fn products_of_any_shape_and_order_are_sums_of_products(
            m in 1..20usize, n in 1..40usize, k in 1..600usize, seed in 0..1000u64,
            a_transposed: bool, b_transposed: bool, add: bool,
        ) {
            let (a, [a_row, a_column]) = numbers(seed, [m, k], a_transposed);
            let (b, [b_row, b_column]) = numbers(seed + 1, [k, n], b_transposed);
            let a = Matrix { values: &a, row: a_row, column: a_column };
            let b = Matrix { values: &b, row: b_row, column: b_column };
            let before = if add { 0.5 } else { 0.0 };
            let mut c = vec![before; m * n];
            // The buffers start full of NaN: an earlier product must not count.
            let mut scratch = Scratch { a: vec![f32::NAN; 9000], b: vec![f32::NAN; 9000] };
            multiply(&mut scratch, [m, n, k], a, b, &mut c, n, add);
            let mut row = vec![f32::NAN; n];
            multiply_row(a.values.iter().copied().step_by(a.column.max(1)).take(k), b, &mut row);
            for (place, found) in c.iter().enumerate() {
                let (i, j) = (place / n, place % n);
                let term = |t: usize| {
                    f64::from(a.values[i * a.row + t * a.column]) * f64::from(b.values[t * b.row + j * b.column])
                };
                let expected = (0..k).map(term).sum::<f64>();
                prop_assert!((f64::from(*found) - f64::from(before) - expected).abs() < 1e-3);
                prop_assert!(i > 0 || (f64::from(row[j]) - expected).abs() < 1e-3);
            }
        }
    }
}
