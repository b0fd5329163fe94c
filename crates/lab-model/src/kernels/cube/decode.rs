//! Attention of one new token for each sequence over its cached keys and values: one launch writes the new key and
//! value into the cache, a second one attends, with several units for a head.

use burn::backend::TensorMetadata;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::super::backend::Heads;
use super::launch::{UNITS, contiguous, empty, integers, units, vector};
use super::optimizer::own;
use super::reduce::{lane_max, lane_sum, within};

/// Number of units that share a head's keys.
const LANES: usize = 32;

#[cube(launch_unchecked)]
fn append_kernel<N: Size>(
    qkv: &[Vector<f32, N>],
    lengths: &[i32],
    keys: &mut [Vector<f32, N>],
    values: &mut [Vector<f32, N>],
    count: usize,
    row: usize,
    packed: usize,
    capacity: usize,
) {
    if ABSOLUTE_POS >= count {
        terminate!();
    }
    let sequence = ABSOLUTE_POS / row;
    let part = ABSOLUTE_POS % row;
    let to = (sequence * capacity + lengths[sequence] as usize) * row + part;
    let from = (sequence + 1) * packed - 2 * row + part;
    keys[to] = qkv[from];
    values[to] = qkv[from + row];
}

/// The layout of the cache in memory, in vectors.
#[derive(CubeLaunch, CubeType, Clone, Copy)]
struct Layout {
    rows: usize,
    queries: usize,
    keys: usize,
    capacity: usize,
    scale: f32,
}

/// The sum of a vector over the units that share a head; all of them must call it.
#[cube]
fn lane_vector_sum<N: Size>(value: Vector<f32, N>) -> Vector<f32, N> {
    let mut shared = Shared::<[Vector<f32, N>]>::new_slice(UNITS);
    let unit = UNIT_POS as usize;
    shared[unit] = value;
    sync_cube();
    let first = unit / LANES * LANES;
    let mut total = Vector::<f32, N>::new(0.0);
    for i in 0..LANES {
        total += shared[first + i];
    }
    sync_cube();
    total
}

/// Each unit updates the softmax over every 32nd key; at the end the units' parts are scaled to the same highest
/// score and summed.
#[cube(launch_unchecked)]
fn attend_kernel<N: Size>(
    qkv: &[Vector<f32, N>],
    lengths: &[i32],
    keys: &[Vector<f32, N>],
    values: &[Vector<f32, N>],
    y: &mut [Vector<f32, N>],
    layout: &Layout,
    #[comptime] size: usize,
) {
    let asked = ABSOLUTE_POS / LANES;
    let lane = ABSOLUTE_POS % LANES;
    let item = asked.min(layout.rows - 1);
    let sequence = item / layout.queries;
    let head = item % layout.queries;
    let row = layout.keys * size;
    let query = sequence * (layout.queries + 2 * layout.keys) * size + head * size;
    let first = sequence * layout.capacity * row + head / (layout.queries / layout.keys) * size;
    let seen = lengths[sequence] as usize + 1;
    let sums = Sequence::<RuntimeCell<Vector<f32, N>>>::new();
    let mut sums = sums;
    #[unroll]
    for _ in 0..size {
        sums.push(RuntimeCell::new(Vector::<f32, N>::new(0.0)));
    }
    let mut highest = f32::new(-1e30);
    let mut total = 0.0f32;
    let mut j = lane;
    while j < seen {
        let at = first + j * row;
        let mut product = Vector::<f32, N>::new(0.0);
        #[unroll]
        for c in 0..size {
            product += qkv[query + c] * keys[at + c];
        }
        let score = within::<N>(product) * layout.scale;
        let new = highest.max(score);
        let shrink = (highest - new).exp();
        let p = (score - new).exp();
        highest = new;
        total = total * shrink + p;
        #[unroll]
        for c in 0..size {
            let kept = sums[c].read() * Vector::<f32, N>::new(shrink);
            sums[c].store(values[at + c] * Vector::<f32, N>::new(p) + kept);
        }
        j += LANES;
    }
    let overall = lane_max(highest, LANES);
    let shrink = (highest - overall).exp();
    let total = lane_sum(total * shrink, LANES);
    #[unroll]
    for c in 0..size {
        let sum = lane_vector_sum::<N>(sums[c].read() * Vector::<f32, N>::new(shrink));
        if lane == 0 && asked < layout.rows {
            y[item * size + c] = sum / Vector::<f32, N>::new(total);
        }
    }
}

pub fn attend(
    qkv: CubeTensor,
    keys: CubeTensor,
    values: CubeTensor,
    lengths: CubeTensor,
    heads: Heads,
    scale: f32,
) -> (CubeTensor, CubeTensor, CubeTensor) {
    let [batch, capacity, row] = keys.shape().dims();
    let (qkv, lengths) = (contiguous(qkv), integers(lengths));
    let (keys, values) = (own(keys), own(values));
    let n = vector(heads.width);
    let packed = (heads.queries + 2 * heads.keys) * heads.width;
    let y = empty(&qkv, [batch, 1, heads.queries * heads.width]);
    let length = batch * row / n;
    let (append_count, dim) = units(&qkv, length);
    let rows = batch * heads.queries;
    let (attend_count, _) = units(&qkv, rows * LANES);
    let client = qkv.client.clone();
    // SAFETY: units beyond the last element end at once, units beyond the last head read its data and
    // write nothing; lengths are below the capacity.
    unsafe {
        append_kernel::launch_unchecked(
            &client,
            append_count,
            dim,
            n,
            qkv.clone().into_buffer_arg(),
            lengths.clone().into_buffer_arg(),
            keys.clone().into_buffer_arg(),
            values.clone().into_buffer_arg(),
            length,
            row / n,
            packed / n,
            capacity,
        );
        attend_kernel::launch_unchecked(
            &client,
            attend_count,
            dim,
            n,
            qkv.into_buffer_arg(),
            lengths.into_buffer_arg(),
            keys.clone().into_buffer_arg(),
            values.clone().into_buffer_arg(),
            y.clone().into_buffer_arg(),
            LayoutLaunch::new(rows, heads.queries, heads.keys, capacity, scale),
            heads.width / n,
        );
    }
    (y, keys, values)
}
