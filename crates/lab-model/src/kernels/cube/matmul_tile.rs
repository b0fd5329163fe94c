//! The tile of a matrix product: eight rows and four columns of sums that a unit keeps in registers, four terms at a
//! time. Operands are read in place, in either orientation, as vectors of four if their layout allows it.

use cubecl::prelude::*;

/// Terms of the sum that are read together, and columns of a tile.
type Four = Const<4>;

/// The way in which an operand is read.
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
pub struct Sizes {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    /// From one vector (or number) of the operand to the next line.
    pub a_step: usize,
    /// Within a line, if it is read number by number.
    pub a_along: usize,
    pub b_step: usize,
    pub b_along: usize,
    /// Products are numbered `outer · inner_count + inner`.
    pub inner_count: usize,
    pub a_outer: usize,
    pub a_inner: usize,
    pub b_outer: usize,
    pub b_inner: usize,
}

/// Reads `tile_rows × steps` numbers of the left operand; [`left_index`] gives their order. (Sequences exist only
/// while the shader is written: their elements are plain variables of it, not memory.)
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

/// The index at which [`read_left`] put the number of row `r` and step `s`.
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
    // Vectors along the sum are always whole: no terms remain.
    if comptime!(access.0 != Access::Along && access.1 != Access::Along) {
        for term in sizes.k / 4 * 4..sizes.k {
            add_terms::<NA, NB>(
                &sums, a, b, sizes, bases, place, term, tile_rows, 1usize, access,
            );
        }
    }
    sums
}

/// Writes the part of the tile that lies within the result.
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
pub fn product_kernel<NA: Size, NB: Size, NC: Size>(
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
pub fn product_bias_kernel<NA: Size, NB: Size, NC: Size>(
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
