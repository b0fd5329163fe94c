//! Rows of a table by number, and the table's gradient. No unit adds to another unit's result, so the order of the
//! additions, and with it the result, is always the same.

use burn::backend::ops::FloatTensorOps;
use burn::backend::{Cube, FloatDType, TensorMetadata};
use burn::tensor::Shape;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{contiguous, empty, integers, units, vector, width};

#[cube(launch_unchecked)]
fn embedding_kernel<N: Size>(
    weight: &[Vector<f32, N>],
    ids: &[i32],
    y: &mut [Vector<f32, N>],
    count: usize,
    vectors: usize,
) {
    if ABSOLUTE_POS >= count {
        terminate!();
    }
    let id = ids[ABSOLUTE_POS / vectors] as usize;
    y[ABSOLUTE_POS] = weight[id * vectors + ABSOLUTE_POS % vectors];
}

pub fn forward(weight: CubeTensor, ids: CubeTensor) -> CubeTensor {
    let (weight, ids) = (contiguous(weight), integers(ids));
    let mut shape = ids.shape().to_vec();
    shape.push(width(&weight));
    let (y, n) = (empty(&weight, shape), vector(width(&weight)));
    let (length, vectors) = (y.shape().num_elements() / n, width(&weight) / n);
    let (count, dim) = units(&y, length);
    let client = y.client.clone();
    // SAFETY: units beyond the last element end at once; ids are within the table, as burn's are.
    unsafe {
        embedding_kernel::launch_unchecked(
            &client,
            count,
            dim,
            n,
            weight.into_buffer_arg(),
            ids.into_buffer_arg(),
            y.clone().into_buffer_arg(),
            length,
            vectors,
        );
    }
    y
}

/// A unit for each part of each row of the table: it searches all tokens for its row.
#[cube(launch_unchecked)]
fn by_row_kernel<N: Size>(
    dy: &[Vector<f32, N>],
    ids: &[i32],
    dweight: &mut [Vector<f32, N>],
    count: usize,
    vectors: usize,
    tokens: usize,
) {
    if ABSOLUTE_POS >= count {
        terminate!();
    }
    let row = (ABSOLUTE_POS / vectors) as i32;
    let part = ABSOLUTE_POS % vectors;
    let mut sum = Vector::<f32, N>::new(0.0);
    for token in 0..tokens {
        if ids[token] == row {
            sum += dy[token * vectors + part];
        }
    }
    dweight[ABSOLUTE_POS] = sum;
}

/// A unit for each part of each token: if no earlier token has the same row, it sums this one and all later ones of
/// the row. The other rows were set to 0 before.
#[cube(launch_unchecked)]
fn by_token_kernel<N: Size>(
    dy: &[Vector<f32, N>],
    ids: &[i32],
    dweight: &mut [Vector<f32, N>],
    count: usize,
    vectors: usize,
    tokens: usize,
) {
    if ABSOLUTE_POS >= count {
        terminate!();
    }
    let mine = ABSOLUTE_POS / vectors;
    let part = ABSOLUTE_POS % vectors;
    let id = ids[mine];
    for token in 0..mine {
        if ids[token] == id {
            terminate!();
        }
    }
    let mut sum = Vector::<f32, N>::new(0.0);
    for token in mine..tokens {
        if ids[token] == id {
            sum += dy[token * vectors + part];
        }
    }
    dweight[id as usize * vectors + part] = sum;
}

pub fn backward(dy: CubeTensor, ids: CubeTensor, vocabulary: usize) -> CubeTensor {
    let (dy, ids) = (contiguous(dy), integers(ids));
    let (d, tokens) = (width(&dy), ids.shape().num_elements());
    let n = vector(d);
    let vectors = d / n;
    let client = dy.client.clone();
    let by_row = vocabulary <= tokens;
    let shape = [vocabulary, d];
    let dweight = if by_row {
        empty(&dy, shape)
    } else {
        Cube::float_zeros(Shape::from(shape), &dy.device, FloatDType::F32)
    };
    let length = if by_row { vocabulary } else { tokens } * vectors;
    let (count, dim) = units(&dy, length);
    let (dy, ids) = (dy.into_buffer_arg(), ids.into_buffer_arg());
    let out = dweight.clone().into_buffer_arg();
    // SAFETY: units beyond the last element end at once; ids are within the table.
    unsafe {
        if by_row {
            by_row_kernel::launch_unchecked(
                &client, count, dim, n, dy, ids, out, length, vectors, tokens,
            );
        } else {
            by_token_kernel::launch_unchecked(
                &client, count, dim, n, dy, ids, out, length, vectors, tokens,
            );
        }
    }
    dweight
}
