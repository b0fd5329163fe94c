//! Matrix products. A unit forms a tile of eight rows and four columns in registers, four terms of the
//! sum at a time; operands are read in place, whichever way round they lie, as vectors of four where
//! their memory allows it.

use burn::backend::ops::FloatTensorOps;
use burn::backend::{Cube, TensorMetadata};
use burn::tensor::Shape;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{UNITS, contiguous, empty, rows, width, with_width};

/// Terms of the sum that are read together, and columns of a tile.
type Four = Const<4>;

/// How an operand is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Number by number.
    Single,
    /// As vectors along the sum.
    Along,
    /// As vectors along the rows of the left or the columns of the right operand.
    Across,
}

/// Sizes and steps of a launch. Steps of an operand that is read as vectors count vectors.
#[derive(CubeLaunch, CubeType, Clone, Copy)]
struct Sizes {
    m: usize,
    n: usize,
    k: usize,
    /// From one vector (or number) of the operand to the next line.
    a_step: usize,
    /// Within a line, where it is read number by number.
    a_along: usize,
    b_step: usize,
    b_along: usize,
    /// Products are numbered `outer · inner_count + inner`.
    inner_count: usize,
    a_outer: usize,
    a_inner: usize,
    b_outer: usize,
    b_inner: usize,
}

/// `tile_rows × steps` numbers of the left operand; [`left_index`] says in which order. (Sequences
/// exist only while the shader is written: their elements are plain variables of it, not memory.)
#[cube]
fn read_left<N: Size>(
    a: &[Vector<f32, N>],
    sizes: &Sizes,
    base: usize,
    row: usize,
    term: usize,
    #[comptime] tile_rows: usize,
    #[comptime] steps: usize,
    #[comptime] access: Access,
) -> Sequence<f32> {
    let mut values = Sequence::<f32>::new();
    match comptime!(access) {
        Access::Along =>
        {
            #[unroll]
            for r in 0..tile_rows {
                let line = (row + r).min(sizes.m - 1);
                let vector = a[base + line * sizes.a_step + term / 4];
                #[unroll]
                for s in 0..steps {
                    values.push(vector.extract(s));
                }
            }
        }
        Access::Across =>
        {
            #[unroll]
            for s in 0..steps {
                #[unroll]
                for quad in 0..tile_rows / 4 {
                    let at = (row / 4 + quad).min(sizes.m / 4 - 1);
                    let vector = a[base + (term + s) * sizes.a_step + at];
                    #[unroll]
                    for i in 0..4usize {
                        values.push(vector.extract(i));
                    }
                }
            }
        }
        Access::Single =>
        {
            #[unroll]
            for r in 0..tile_rows {
                let line = (row + r).min(sizes.m - 1);
                #[unroll]
                for s in 0..steps {
                    let at = base + line * sizes.a_step + (term + s) * sizes.a_along;
                    values.push(a[at].extract(0usize));
                }
            }
        }
    }
    values
}

/// Where [`read_left`] put the number of row `r` and step `s`.
fn left_index(r: usize, s: usize, rows: usize, steps: usize, access: Access) -> usize {
    if access == Access::Across {
        s * rows + r
    } else {
        r * steps + s
    }
}

/// `steps` vectors of four columns of the right operand.
#[cube]
fn read_right<N: Size>(
    b: &[Vector<f32, N>],
    sizes: &Sizes,
    base: usize,
    column: usize,
    term: usize,
    #[comptime] steps: usize,
    #[comptime] access: Access,
) -> Sequence<Vector<f32, Four>> {
    let mut values = Sequence::<Vector<f32, Four>>::new();
    match comptime!(access) {
        Access::Across => {
            let at = (column / 4).min(sizes.n / 4 - 1);
            #[unroll]
            for s in 0..steps {
                let vector = b[base + (term + s) * sizes.b_step + at];
                values.push(Vector::<f32, Four>::cast_from(vector));
            }
        }
        Access::Along => {
            let mut lines = Sequence::<Vector<f32, N>>::new();
            #[unroll]
            for i in 0..4usize {
                let line = (column + i).min(sizes.n - 1);
                lines.push(b[base + line * sizes.b_step + term / 4]);
            }
            #[unroll]
            for s in 0..steps {
                let mut vector = Vector::<f32, Four>::new(0.0);
                #[unroll]
                for i in 0..4usize {
                    vector.insert(i, lines[i].extract(s));
                }
                values.push(vector);
            }
        }
        Access::Single =>
        {
            #[unroll]
            for s in 0..steps {
                let mut vector = Vector::<f32, Four>::new(0.0);
                #[unroll]
                for i in 0..4usize {
                    let line = (column + i).min(sizes.n - 1);
                    let at = base + line * sizes.b_step + (term + s) * sizes.b_along;
                    vector.insert(i, b[at].extract(0usize));
                }
                values.push(vector);
            }
        }
    }
    values
}

/// The sums of a tile, a vector of four columns for each row.
type Sums = Sequence<RuntimeCell<Vector<f32, Four>>>;

/// Adds `steps` terms to a tile.
#[cube]
#[allow(clippy::too_many_arguments)]
fn add_terms<NA: Size, NB: Size>(
    sums: &Sums,
    a: &[Vector<f32, NA>],
    b: &[Vector<f32, NB>],
    sizes: &Sizes,
    bases: (usize, usize),
    place: (usize, usize),
    term: usize,
    #[comptime] tile_rows: usize,
    #[comptime] steps: usize,
    #[comptime] access: (Access, Access),
) {
    let left = read_left::<NA>(a, sizes, bases.0, place.0, term, tile_rows, steps, access.0);
    let right = read_right::<NB>(b, sizes, bases.1, place.1, term, steps, access.1);
    #[unroll]
    for r in 0..tile_rows {
        #[unroll]
        for s in 0..steps {
            let number = left[comptime!(left_index(r, s, tile_rows, steps, access.0))];
            sums[r].store(sums[r].read() + right[s] * Vector::<f32, Four>::new(number));
        }
    }
}

/// The tile of this unit.
#[cube]
fn tile<NA: Size, NB: Size>(
    a: &[Vector<f32, NA>],
    b: &[Vector<f32, NB>],
    sizes: &Sizes,
    place: (usize, usize),
    #[comptime] tile_rows: usize,
    #[comptime] access: (Access, Access),
) -> Sums {
    let outer = CUBE_POS_Z as usize / sizes.inner_count;
    let inner = CUBE_POS_Z as usize % sizes.inner_count;
    let bases = (
        outer * sizes.a_outer + inner * sizes.a_inner,
        outer * sizes.b_outer + inner * sizes.b_inner,
    );
    let mut sums = Sequence::new();
    #[unroll]
    for _ in 0..tile_rows {
        sums.push(RuntimeCell::new(Vector::<f32, Four>::new(0.0)));
    }
    for group in 0..sizes.k / 4 {
        let term = group * 4;
        add_terms::<NA, NB>(
            &sums, a, b, sizes, bases, place, term, tile_rows, 4usize, access,
        );
    }
    // Vectors along the sum are whole ones, so that nothing remains.
    if comptime!(access.0 != Access::Along && access.1 != Access::Along) {
        for term in sizes.k / 4 * 4..sizes.k {
            add_terms::<NA, NB>(
                &sums, a, b, sizes, bases, place, term, tile_rows, 1usize, access,
            );
        }
    }
    sums
}

/// Writes what lies within the result.
#[cube]
fn write_tile<NC: Size>(
    c: &mut [Vector<f32, NC>],
    sums: &Sums,
    sizes: &Sizes,
    place: (usize, usize),
    #[comptime] tile_rows: usize,
) {
    let base = CUBE_POS_Z as usize * sizes.m;
    let whole = NC::value().comptime() == 4;
    #[unroll]
    for r in 0..tile_rows {
        let row = place.0 + r;
        if row < sizes.m {
            if comptime!(whole) {
                if place.1 < sizes.n {
                    let at = (base + row) * (sizes.n / 4) + place.1 / 4;
                    c[at] = Vector::<f32, NC>::cast_from(sums[r].read());
                }
            } else {
                #[unroll]
                for i in 0..4usize {
                    if place.1 + i < sizes.n {
                        let at = (base + row) * sizes.n + place.1 + i;
                        c[at] = Vector::<f32, NC>::new(sums[r].read().extract(i));
                    }
                }
            }
        }
    }
}

/// First row and column of this unit's tile.
#[cube]
fn place(#[comptime] tile_rows: usize) -> (usize, usize) {
    (
        ABSOLUTE_POS_Y as usize * tile_rows,
        ABSOLUTE_POS_X as usize * 4,
    )
}

#[cube(launch_unchecked)]
fn product_kernel<NA: Size, NB: Size, NC: Size>(
    a: &[Vector<f32, NA>],
    b: &[Vector<f32, NB>],
    c: &mut [Vector<f32, NC>],
    sizes: &Sizes,
    #[comptime] tile_rows: usize,
    #[comptime] access: (Access, Access),
) {
    let place = place(tile_rows);
    if place.0 >= sizes.m || place.1 >= sizes.n {
        terminate!();
    }
    let sums = tile::<NA, NB>(a, b, sizes, place, tile_rows, access);
    write_tile::<NC>(c, &sums, sizes, place, tile_rows);
}

#[cube(launch_unchecked)]
fn product_bias_kernel<NA: Size, NB: Size, NC: Size>(
    a: &[Vector<f32, NA>],
    b: &[Vector<f32, NB>],
    bias: &[f32],
    c: &mut [Vector<f32, NC>],
    sizes: &Sizes,
    #[comptime] tile_rows: usize,
    #[comptime] access: (Access, Access),
) {
    let place = place(tile_rows);
    if place.0 >= sizes.m || place.1 >= sizes.n {
        terminate!();
    }
    let sums = tile::<NA, NB>(a, b, sizes, place, tile_rows, access);
    let mut four = Vector::<f32, Four>::new(0.0);
    #[unroll]
    for i in 0..4usize {
        four.insert(i, bias[(place.1 + i).min(sizes.n - 1)]);
    }
    #[unroll]
    for r in 0..tile_rows {
        sums[r].store(sums[r].read() + four);
    }
    write_tile::<NC>(c, &sums, sizes, place, tile_rows);
}

/// An operand as a batch of matrices whose lines are `line` apart, numbers within a line `along`;
/// "along" is the direction of the sum.
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
    // A few rows, as when generating, would leave most of a tall tile idle.
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

/// The leading dimensions as an outer and an inner one, with their steps; several are merged into the
/// outer one where they lie one after the other.
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
    // More products than a launch may have.
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
