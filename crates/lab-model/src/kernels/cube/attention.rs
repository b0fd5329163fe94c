//! The attention of a packed projection in one launch, and its gradient in two: a unit for each query
//! (or key) of each head walks over the keys (or queries); the matrix of scores is never in memory.

use burn::backend::TensorMetadata;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::super::backend::Heads;
use super::super::dropout::{AttentionDropout, define_threefry};
use super::launch::{contiguous, empty, units};
use super::reduce::within;

/// The layout of a packed projection in memory, in vectors, and its dropout (see [`AttentionDropout`]).
#[derive(CubeLaunch, CubeType, Clone, Copy)]
struct Layout {
    batch: usize,
    time: usize,
    queries: usize,
    keys: usize,
    scale: f32,
    k0: u32,
    k1: u32,
    limit: u32,
    kept: f32,
}

/// Adds with wrapping, like the integers of a shader.
#[cube]
fn add(a: u32, b: u32) -> u32 {
    a + b
}

define_threefry!(#[cube]);

/// The same as [`AttentionDropout::factor`].
#[cube]
fn factor(layout: &Layout, head: usize, query: usize, key: usize) -> f32 {
    let k1 = add(layout.k1, head as u32);
    let (word, _) = threefry(layout.k0, k1, query as u32, key as u32);
    let mut factor = 0.0f32;
    if word < layout.limit {
        factor = layout.kept;
    }
    factor
}

/// A vector that is only read, and one that sums are added to, in variables of the shader.
type Fixed<N> = Sequence<Vector<f32, N>>;
type Sum<N> = Sequence<RuntimeCell<Vector<f32, N>>>;

/// A head's vector of one token: `size` vectors of `N` numbers from `at` on.
#[cube]
fn read<N: Size>(x: &[Vector<f32, N>], at: usize, #[comptime] size: usize) -> Fixed<N> {
    let mut values = Sequence::new();
    #[unroll]
    for i in 0..size {
        values.push(x[at + i]);
    }
    values
}

#[cube]
fn zeros<N: Size>(#[comptime] size: usize) -> Sum<N> {
    let mut values = Sequence::new();
    #[unroll]
    for _ in 0..size {
        values.push(RuntimeCell::new(Vector::<f32, N>::new(0.0)));
    }
    values
}

/// The product of a vector in registers with one in memory.
#[cube]
fn dot<N: Size>(a: &Fixed<N>, x: &[Vector<f32, N>], at: usize, #[comptime] size: usize) -> f32 {
    let mut sum = Vector::<f32, N>::new(0.0);
    #[unroll]
    for i in 0..size {
        sum += a[i] * x[at + i];
    }
    within::<N>(sum)
}

/// Adds a multiple of a vector in memory.
#[cube]
fn add_scaled<N: Size>(
    sum: &Sum<N>,
    x: &[Vector<f32, N>],
    at: usize,
    factor: f32,
    #[comptime] size: usize,
) {
    let factor = Vector::<f32, N>::new(factor);
    #[unroll]
    for i in 0..size {
        sum[i].store(sum[i].read() + x[at + i] * factor);
    }
}

#[cube]
fn write<N: Size>(x: &mut [Vector<f32, N>], at: usize, values: &Sum<N>, #[comptime] size: usize) {
    #[unroll]
    for i in 0..size {
        x[at + i] = values[i].read();
    }
}

/// The softmax is updated key by key: earlier sums shrink when a higher score comes.
#[cube(launch_unchecked)]
fn attention_kernel<N: Size>(
    qkv: &[Vector<f32, N>],
    y: &mut [Vector<f32, N>],
    log_sum: &mut [f32],
    layout: &Layout,
    #[comptime] size: usize,
    #[comptime] drops: bool,
) {
    let time = layout.time;
    let i = ABSOLUTE_POS % time;
    let head = ABSOLUTE_POS / time % layout.queries;
    let batch = ABSOLUTE_POS / time / layout.queries;
    if batch >= layout.batch {
        terminate!();
    }
    let row = (layout.queries + 2 * layout.keys) * size;
    let token = batch * time;
    let key_at = (layout.queries + head / (layout.queries / layout.keys)) * size;
    let value_at = key_at + layout.keys * size;
    let q = read::<N>(qkv, (token + i) * row + head * size, size);
    let sum = zeros::<N>(size);
    let mut highest = dot::<N>(&q, qkv, token * row + key_at, size) * layout.scale;
    let mut total = 0.0f32;
    for j in 0..i + 1 {
        let key = (token + j) * row;
        let score = dot::<N>(&q, qkv, key + key_at, size) * layout.scale;
        let new = highest.max(score);
        let shrink = (highest - new).exp();
        let p = (score - new).exp();
        highest = new;
        total = total * shrink + p;
        let mut share = p;
        if comptime!(drops) {
            share = p * factor(layout, batch * layout.queries + head, i, j);
        }
        #[unroll]
        for c in 0..size {
            let kept = sum[c].read() * Vector::<f32, N>::new(shrink);
            sum[c].store(qkv[key + value_at + c] * Vector::<f32, N>::new(share) + kept);
        }
    }
    #[unroll]
    for c in 0..size {
        sum[c].store(sum[c].read() / Vector::<f32, N>::new(total));
    }
    let out = (token + i) * layout.queries + head;
    write::<N>(y, out * size, &sum, size);
    log_sum[out] = highest + total.ln();
}

/// The gradient of a query, and the product of output and its gradient, which the keys need too.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
fn query_gradient_kernel<N: Size>(
    dy: &[Vector<f32, N>],
    qkv: &[Vector<f32, N>],
    y: &[Vector<f32, N>],
    log_sum: &[f32],
    means: &mut [f32],
    dqkv: &mut [Vector<f32, N>],
    layout: &Layout,
    #[comptime] size: usize,
    #[comptime] drops: bool,
) {
    let time = layout.time;
    let i = ABSOLUTE_POS % time;
    let head = ABSOLUTE_POS / time % layout.queries;
    let batch = ABSOLUTE_POS / time / layout.queries;
    if batch >= layout.batch {
        terminate!();
    }
    let row = (layout.queries + 2 * layout.keys) * size;
    let token = batch * time;
    let key_at = (layout.queries + head / (layout.queries / layout.keys)) * size;
    let value_at = key_at + layout.keys * size;
    let query_at = (token + i) * row + head * size;
    let out = (token + i) * layout.queries + head;
    let q = read::<N>(qkv, query_at, size);
    let d = read::<N>(dy, out * size, size);
    let mean = dot::<N>(&d, y, out * size, size);
    means[out] = mean;
    let log_sum = log_sum[out];
    let dq = zeros::<N>(size);
    for j in 0..i + 1 {
        let key = (token + j) * row;
        let p = (dot::<N>(&q, qkv, key + key_at, size) * layout.scale - log_sum).exp();
        let mut dp = dot::<N>(&d, qkv, key + value_at, size);
        if comptime!(drops) {
            dp *= factor(layout, batch * layout.queries + head, i, j);
        }
        add_scaled::<N>(&dq, qkv, key + key_at, p * (dp - mean) * layout.scale, size);
    }
    write::<N>(dqkv, query_at, &dq, size);
}

/// The gradients of a key and its value, from all queries that see it.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
fn key_gradient_kernel<N: Size>(
    dy: &[Vector<f32, N>],
    qkv: &[Vector<f32, N>],
    log_sum: &[f32],
    means: &[f32],
    dqkv: &mut [Vector<f32, N>],
    layout: &Layout,
    #[comptime] size: usize,
    #[comptime] drops: bool,
) {
    let time = layout.time;
    let j = ABSOLUTE_POS % time;
    let key_head = ABSOLUTE_POS / time % layout.keys;
    let batch = ABSOLUTE_POS / time / layout.keys;
    if batch >= layout.batch {
        terminate!();
    }
    let row = (layout.queries + 2 * layout.keys) * size;
    let token = batch * time;
    let group = layout.queries / layout.keys;
    let key_at = (token + j) * row + (layout.queries + key_head) * size;
    let value_at = key_at + layout.keys * size;
    let k = read::<N>(qkv, key_at, size);
    let v = read::<N>(qkv, value_at, size);
    let dk = zeros::<N>(size);
    let dv = zeros::<N>(size);
    for head in key_head * group..(key_head + 1) * group {
        for i in j..time {
            let query_at = (token + i) * row + head * size;
            let out = (token + i) * layout.queries + head;
            let p = (dot::<N>(&k, qkv, query_at, size) * layout.scale - log_sum[out]).exp();
            let mut dp = dot::<N>(&v, dy, out * size, size);
            let mut share = p;
            if comptime!(drops) {
                let kept = factor(layout, batch * layout.queries + head, i, j);
                dp *= kept;
                share = p * kept;
            }
            add_scaled::<N>(&dv, dy, out * size, share, size);
            add_scaled::<N>(
                &dk,
                qkv,
                query_at,
                p * (dp - means[out]) * layout.scale,
                size,
            );
        }
    }
    write::<N>(dqkv, key_at, &dk, size);
    write::<N>(dqkv, value_at, &dv, size);
}

fn layout(
    qkv: &CubeTensor,
    heads: Heads,
    scale: f32,
    dropout: Option<AttentionDropout>,
) -> (LayoutLaunch, [usize; 4]) {
    let [batch, time, _] = qkv.shape().dims();
    let n = super::launch::vector(heads.width);
    let dropout = dropout.unwrap_or(AttentionDropout::new(0.0, [0, 0]));
    let [k0, k1] = dropout.key;
    let launched = LayoutLaunch::new(
        batch,
        time,
        heads.queries,
        heads.keys,
        scale,
        k0,
        k1,
        dropout.limit,
        dropout.scale,
    );
    (launched, [batch, time, n, heads.width / n])
}

pub fn forward(
    qkv: CubeTensor,
    heads: Heads,
    scale: f32,
    dropout: Option<AttentionDropout>,
) -> (CubeTensor, CubeTensor) {
    let qkv = contiguous(qkv);
    let (layout, [batch, time, n, size]) = layout(&qkv, heads, scale, dropout);
    let y = empty(&qkv, [batch, time, heads.queries * heads.width]);
    let log_sum = empty(&qkv, [batch, time, heads.queries]);
    let (count, dim) = units(&qkv, batch * time * heads.queries);
    let client = qkv.client.clone();
    // SAFETY: units beyond the last query end at once.
    unsafe {
        attention_kernel::launch_unchecked(
            &client,
            count,
            dim,
            n,
            qkv.into_buffer_arg(),
            y.clone().into_buffer_arg(),
            log_sum.clone().into_buffer_arg(),
            layout,
            size,
            dropout.is_some(),
        );
    }
    (y, log_sum)
}

pub fn backward(
    dy: CubeTensor,
    qkv: CubeTensor,
    y: CubeTensor,
    log_sum: CubeTensor,
    heads: Heads,
    scale: f32,
    dropout: Option<AttentionDropout>,
) -> CubeTensor {
    let (dy, qkv, y) = (contiguous(dy), contiguous(qkv), contiguous(y));
    let (query_layout, [batch, time, n, size]) = layout(&qkv, heads, scale, dropout);
    let (key_layout, _) = layout(&qkv, heads, scale, dropout);
    let (dqkv, means) = (empty(&qkv, qkv.shape()), empty(&qkv, log_sum.shape()));
    let (queries, dim) = units(&qkv, batch * time * heads.queries);
    let (keys, _) = units(&qkv, batch * time * heads.keys);
    let client = qkv.client.clone();
    // SAFETY: units beyond the last query or key end at once; the two launches write different parts.
    unsafe {
        query_gradient_kernel::launch_unchecked(
            &client,
            queries,
            dim,
            n,
            dy.clone().into_buffer_arg(),
            qkv.clone().into_buffer_arg(),
            y.into_buffer_arg(),
            log_sum.clone().into_buffer_arg(),
            means.clone().into_buffer_arg(),
            dqkv.clone().into_buffer_arg(),
            query_layout,
            size,
            dropout.is_some(),
        );
        key_gradient_kernel::launch_unchecked(
            &client,
            keys,
            dim,
            n,
            dy.into_buffer_arg(),
            qkv.into_buffer_arg(),
            log_sum.into_buffer_arg(),
            means.into_buffer_arg(),
            dqkv.clone().into_buffer_arg(),
            key_layout,
            size,
            dropout.is_some(),
        );
    }
    dqkv
}
