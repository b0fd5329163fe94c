//! Matrix products: the layout of operands in memory, and the launch of the kernels in `matmul_tile.rs`.

use burn::backend::ops::FloatTensorOps;
use burn::backend::{Cube, TensorMetadata};
use burn::tensor::Shape;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{UNITS, contiguous, empty, rows, width, with_width};
use super::matmul_tile::{Access, SizesLaunch, product_bias_kernel, product_kernel};

/// An operand as a batch of matrices with lines `line` apart, numbers within a line `along` apart; "along" is the
/// direction of the sum.
struct Operand {
    tensor: CubeTensor,
    line: usize,
    along: usize,
    outer: usize,
    inner: usize,
    access: Access,
}

impl Operand {
    /// Chooses the widest access. `lines` is the number of rows of the left or columns of the right
    /// operand.
    fn new(
        tensor: CubeTensor,
        [line, along]: [usize; 2],
        [outer, inner]: [usize; 2],
        lines: usize,
        k: usize,
    ) -> Self {
        let whole = |sizes: [usize; 3]| sizes.iter().all(|size| size.is_multiple_of(4));
        let access = if along == 1 && whole([line, k, 4]) && whole([outer, inner, 4]) {
            Access::Along
        } else if line == 1 && whole([along, lines, 4]) && whole([outer, inner, 4]) {
            Access::Across
        } else {
            Access::Single
        };
        Self {
            tensor,
            line,
            along,
            outer,
            inner,
            access,
        }
    }

    fn vector(&self) -> usize {
        if self.access == Access::Single { 1 } else { 4 }
    }

    /// The step between lines of vectors.
    fn step(&self) -> usize {
        match self.access {
            Access::Single => self.line,
            Access::Along => self.line / 4,
            Access::Across => self.along / 4,
        }
    }
}

/// The product of two batches of matrices into `c`, contiguous `[batches, m, n]`.
fn product(a: Operand, b: Operand, bias: Option<CubeTensor>, c: &CubeTensor, sizes: [usize; 5]) {
    let [m, n, k, outer_count, inner_count] = sizes;
    // A few rows, as in generation, would leave most of a tall tile idle.
    let tile_rows = if m < 4 && a.access != Access::Across {
        1
    } else {
        8
    };
    let (across, down) = (n.div_ceil(4), m.div_ceil(tile_rows));
    let wide = if down == 1 {
        UNITS
    } else {
        across.next_power_of_two().min(8)
    };
    let tall = UNITS / wide;
    let count = CubeCount::Static(
        across.div_ceil(wide) as u32,
        down.div_ceil(tall) as u32,
        (outer_count * inner_count) as u32,
    );
    let dim = CubeDim::new_2d(wide as u32, tall as u32);
    let vector_c = if n.is_multiple_of(4) { 4 } else { 1 };
    let launched = SizesLaunch::new(
        m,
        n,
        k,
        a.step(),
        a.along,
        b.step(),
        b.along,
        inner_count,
        a.outer / a.vector(),
        a.inner / a.vector(),
        b.outer / b.vector(),
        b.inner / b.vector(),
    );
    let access = (a.access, b.access);
    let (vector_a, vector_b) = (a.vector(), b.vector());
    let client = c.client.clone();
    let (a, b) = (a.tensor.into_buffer_arg(), b.tensor.into_buffer_arg());
    let c = c.clone().into_buffer_arg();
    // SAFETY: reads are kept within the operands, writes within the result.
    unsafe {
        match bias {
            None => product_kernel::launch_unchecked(
                &client, count, dim, vector_a, vector_b, vector_c, a, b, c, launched, tile_rows,
                access,
            ),
            Some(bias) => product_bias_kernel::launch_unchecked(
                &client,
                count,
                dim,
                vector_a,
                vector_b,
                vector_c,
                a,
                b,
                contiguous(bias).into_buffer_arg(),
                c,
                launched,
                tile_rows,
                access,
            ),
        }
    }
}

/// `x · w (+ bias)` for any leading dimensions of `x`.
pub fn linear(x: CubeTensor, w: CubeTensor, bias: Option<CubeTensor>) -> CubeTensor {
    let x = contiguous(x);
    let (m, k, n) = (rows(&x), width(&x), w.shape()[1]);
    let y = empty(&x, with_width(x.shape(), n));
    let strides = w.meta.strides();
    let lies = [strides[1], strides[0]];
    let a = Operand::new(x, [k, 1], [0, 0], m, k);
    let b = Operand::new(w, lies, [0, 0], n, k);
    product(a, b, bias, &y, [m, n, k, 1, 1]);
    y
}

/// `xᵀ · dy` over all rows.
pub fn linear_weight(x: CubeTensor, dy: CubeTensor) -> CubeTensor {
    let (x, dy) = (contiguous(x), contiguous(dy));
    let (k, m, n) = (rows(&x), width(&x), width(&dy));
    let dw = empty(&x, [m, n]);
    let a = Operand::new(x, [1, m], [0, 0], m, k);
    let b = Operand::new(dy, [1, n], [0, 0], n, k);
    product(a, b, None, &dw, [m, n, k, 1, 1]);
    dw
}

/// The leading dimensions as an outer and an inner one, with their steps; several dimensions are merged into the
/// outer one if they are contiguous.
fn batches(x: &CubeTensor, counts: &[usize]) -> Option<[usize; 2]> {
    let strides = x.meta.strides();
    let step = |i: usize| {
        if x.meta.shape()[i] == 1 {
            0
        } else {
            strides[i]
        }
    };
    let last = counts.len().checked_sub(1);
    let Some(last) = last else {
        return Some([0, 0]);
    };
    let mut outer = 0;
    let mut span = 0;
    // From the inside out: each dimension must step over the whole of the ones within it.
    for i in (0..last).rev() {
        if counts[i] == 1 {
            continue;
        }
        if span == 0 {
            outer = step(i);
        } else if step(i) != outer * span {
            return None;
        }
        span = if span == 0 {
            counts[i]
        } else {
            span * counts[i]
        };
    }
    Some([outer, step(last)])
}

pub fn matmul(a: CubeTensor, b: CubeTensor) -> CubeTensor {
    let (shape_a, shape_b) = (a.shape(), b.shape());
    let leading = shape_a.num_dims() - 2;
    let (m, k, n) = (shape_a[leading], shape_a[leading + 1], shape_b[leading + 1]);
    let counts: Vec<usize> = (0..leading).map(|i| shape_a[i].max(shape_b[i])).collect();
    let inner_count = counts.last().copied().unwrap_or(1);
    let outer_count = counts.iter().product::<usize>() / inner_count;
    let (Some(batches_a), Some(batches_b)) = (batches(&a, &counts), batches(&b, &counts)) else {
        return matmul(contiguous(a), contiguous(b));
    };
    // A launch cannot have this many products.
    if outer_count * inner_count > u16::MAX as usize {
        return Cube::float_matmul(a, b);
    }
    let mut dims = counts;
    dims.extend([m, n]);
    let c = empty(&a, Shape::from(dims));
    let strides = |x: &CubeTensor| [x.meta.strides()[leading], x.meta.strides()[leading + 1]];
    let (lies_a, [b_row, b_column]) = (strides(&a), strides(&b));
    let a = Operand::new(a, lies_a, batches_a, m, k);
    let b = Operand::new(b, [b_column, b_row], batches_b, n, k);
    product(a, b, None, &c, [m, n, k, outer_count, inner_count]);
    c
}
