//! Causal softmax, and the whole attention of a packed projection, a block of queries at a time: the scores of all
//! queries with all keys are never in memory together.

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;

use super::super::backend::Heads;
use super::super::dropout::AttentionDropout;
use super::gemm::{Matrix, Scratch, multiply};
use super::math::{by_row, dot, exp, exp_into, maximum};
use super::tensors::{contiguous, tensor, values, width};

/// Number of queries whose scores are computed together.
const BLOCK: usize = 32;

pub fn softmax(scores: FlexTensor, scale: f32) -> FlexTensor {
    let shape = scores.shape();
    let [_, _, time, keys] = shape.dims();
    let scores = contiguous(scores);
    let scores = values(&scores);
    let p = by_row(scores.len() / keys, keys, |i, out| {
        let seen = keys - time + i % time + 1;
        softmax_row(out, &scores[i * keys..][..keys], seen, scale);
    });
    tensor(p, shape)
}

/// Probabilities of the first `seen` scores, 0 for the others; returns the logarithm of the sum of `exp(scale ·
/// score)`.
#[inline(always)]
pub fn softmax_row(out: &mut [f32], scores: &[f32], seen: usize, scale: f32) -> f32 {
    let (out, hidden) = out.split_at_mut(seen);
    for (out, score) in out.iter_mut().zip(scores) {
        *out = score * scale;
    }
    let highest = maximum(out);
    let mut total = 0.0;
    for block in out.chunks_mut(64) {
        let mut scaled = [0.0; 64];
        scaled[..block.len()].copy_from_slice(block);
        total += exp_into(block, &scaled, highest);
    }
    let share = 1.0 / total;
    out.iter_mut().for_each(|p| *p *= share);
    hidden.fill(0.0);
    highest + total.ln()
}

pub fn softmax_backward(p: FlexTensor, dp: FlexTensor, scale: f32) -> FlexTensor {
    let (shape, keys) = (p.shape(), width(&p));
    let (p, dp) = (contiguous(p), contiguous(dp));
    let (p, dp) = (values(&p), values(&dp));
    let ds = by_row(p.len() / keys, keys, |i, out| {
        let (p, dp) = (&p[i * keys..][..keys], &dp[i * keys..][..keys]);
        let mean = dot(p, dp);
        for ((out, p), dp) in out.iter_mut().zip(p).zip(dp) {
            *out = p * (dp - mean) * scale;
        }
    });
    tensor(ds, shape)
}

/// The parts of a sequence's packed projection.
struct Packed<'a> {
    values: &'a [f32],
    heads: Heads,
    /// Number of query heads of earlier sequences, an offset for dropout.
    first_head: usize,
    dropout: Option<AttentionDropout>,
}

impl<'a> Packed<'a> {
    /// Vectors of one head, from token `first` on: `[tokens, width]`.
    fn rows(&self, head: usize, first: usize) -> Matrix<'a> {
        let row = self.heads.packed();
        Matrix {
            values: &self.values[first * row + head * self.heads.width..],
            row,
            column: 1,
        }
    }

    fn key_head(&self, query_head: usize) -> usize {
        self.heads.queries + query_head / (self.heads.queries / self.heads.keys)
    }

    /// Multiplies a query's probabilities by dropout's factors.
    #[inline(always)]
    fn drop(&self, head: usize, query: usize, p: &mut [f32]) {
        if let Some(dropout) = self.dropout {
            for (key, p) in p.iter_mut().enumerate() {
                *p *= dropout.factor(self.first_head + head, query, key);
            }
        }
    }
}

fn transposed(x: Matrix) -> Matrix {
    Matrix {
        values: x.values,
        row: x.column,
        column: x.row,
    }
}

fn rows(values: &[f32], row: usize) -> Matrix<'_> {
    Matrix {
        values,
        row,
        column: 1,
    }
}

pub fn forward(
    qkv: FlexTensor,
    heads: Heads,
    scale: f32,
    dropout: Option<AttentionDropout>,
) -> (FlexTensor, FlexTensor) {
    let [batch, time, packed] = qkv.shape().dims();
    let (qkv, out_width) = (contiguous(qkv), heads.queries * heads.width);
    let slab = time * (out_width + heads.queries);
    // Output and log-sums of a sequence together: one thread writes both.
    let both = by_row(batch, slab, |b, out| {
        let packed = Packed {
            values: &values(&qkv)[b * time * packed..][..time * packed],
            heads,
            first_head: b * heads.queries,
            dropout,
        };
        let (y, log_sum) = out.split_at_mut(time * out_width);
        forward_sequence(&packed, time, scale, y, log_sum);
    });
    let (mut y, mut log_sum) = (Vec::with_capacity(batch * time * out_width), Vec::new());
    for slab in both.chunks_exact(slab) {
        y.extend_from_slice(&slab[..time * out_width]);
        log_sum.extend_from_slice(&slab[time * out_width..]);
    }
    (
        tensor(y, [batch, time, out_width]),
        tensor(log_sum, [batch, time, heads.queries]),
    )
}

#[inline(always)]
fn forward_sequence(packed: &Packed, time: usize, scale: f32, y: &mut [f32], log_sum: &mut [f32]) {
    let Heads {
        queries,
        keys,
        width: d,
    } = packed.heads;
    let mut scratch = Scratch::default();
    let (mut scores, mut p) = (vec![0.0; BLOCK * time], vec![0.0; BLOCK * time]);
    for head in 0..queries {
        let key_head = packed.key_head(head);
        let (k, v) = (packed.rows(key_head, 0), packed.rows(key_head + keys, 0));
        for first in (0..time).step_by(BLOCK) {
            let count = BLOCK.min(time - first);
            let seen = first + count;
            let q = packed.rows(head, first);
            multiply(
                &mut scratch,
                [count, seen, d],
                q,
                transposed(k),
                &mut scores,
                seen,
                false,
            );
            for i in 0..count {
                let (p, scores) = (&mut p[i * seen..][..seen], &scores[i * seen..][..seen]);
                log_sum[(first + i) * queries + head] =
                    softmax_row(p, scores, first + i + 1, scale);
                packed.drop(head, first + i, p);
            }
            let y_row = queries * d;
            let y = &mut y[first * y_row + head * d..];
            multiply(
                &mut scratch,
                [count, d, seen],
                rows(&p, seen),
                v,
                y,
                y_row,
                false,
            );
        }
    }
}

pub fn backward(
    dy: FlexTensor,
    qkv: FlexTensor,
    y: FlexTensor,
    log_sum: FlexTensor,
    heads: Heads,
    scale: f32,
    dropout: Option<AttentionDropout>,
) -> FlexTensor {
    let shape = qkv.shape();
    let [batch, time, packed] = shape.dims();
    let out_width = heads.queries * heads.width;
    let (dy, qkv, y) = (contiguous(dy), contiguous(qkv), contiguous(y));
    let dqkv = by_row(batch, time * packed, |b, out| {
        let part = |size: usize| b * time * size..(b + 1) * time * size;
        let sequence = Sequence {
            packed: Packed {
                values: &values(&qkv)[part(packed)],
                heads,
                first_head: b * heads.queries,
                dropout,
            },
            y: &values(&y)[part(out_width)],
            dy: &values(&dy)[part(out_width)],
            log_sum: &values(&log_sum)[part(heads.queries)],
            time,
            scale,
        };
        sequence.backward(out);
    });
    tensor(dqkv, shape)
}

/// The inputs of one sequence's backward pass.
struct Sequence<'a> {
    packed: Packed<'a>,
    y: &'a [f32],
    dy: &'a [f32],
    log_sum: &'a [f32],
    time: usize,
    scale: f32,
}

impl Sequence<'_> {
    #[inline(always)]
    fn backward(&self, dqkv: &mut [f32]) {
        let Heads {
            queries,
            keys,
            width: d,
        } = self.packed.heads;
        let (time, row, y_row) = (self.time, self.packed.heads.packed(), queries * d);
        let mut scratch = Scratch::default();
        let (mut p, mut ds) = (vec![0.0; BLOCK * time], vec![0.0; BLOCK * time]);
        let (mut dk, mut dv) = (vec![0.0; time * d], vec![0.0; time * d]);
        for head in 0..queries {
            let key_head = self.packed.key_head(head);
            let (k, v) = (
                self.packed.rows(key_head, 0),
                self.packed.rows(key_head + keys, 0),
            );
            for first in (0..time).step_by(BLOCK) {
                let count = BLOCK.min(time - first);
                let seen = first + count;
                let q = self.packed.rows(head, first);
                let dy = rows(&self.dy[first * y_row + head * d..], y_row);
                multiply(
                    &mut scratch,
                    [count, seen, d],
                    q,
                    transposed(k),
                    &mut p,
                    seen,
                    false,
                );
                multiply(
                    &mut scratch,
                    [count, seen, d],
                    dy,
                    transposed(v),
                    &mut ds,
                    seen,
                    false,
                );
                for i in 0..count {
                    let (p, ds) = (&mut p[i * seen..][..seen], &mut ds[i * seen..][..seen]);
                    self.score_gradients(head, first + i, p, ds);
                }
                let (p, ds) = (rows(&p, seen), rows(&ds, seen));
                let dq = &mut dqkv[first * row + head * d..];
                multiply(&mut scratch, [count, d, seen], ds, k, dq, row, false);
                multiply(
                    &mut scratch,
                    [seen, d, count],
                    transposed(ds),
                    q,
                    &mut dk,
                    d,
                    true,
                );
                multiply(
                    &mut scratch,
                    [seen, d, count],
                    transposed(p),
                    dy,
                    &mut dv,
                    d,
                    true,
                );
            }
            // The last of the query heads that share these keys: their gradients are complete.
            if (head + 1) % (queries / keys) == 0 {
                for (head, total) in [(key_head, &mut dk), (key_head + keys, &mut dv)] {
                    for (token, total) in total.chunks_exact(d).enumerate() {
                        dqkv[token * row + head * d..][..d].copy_from_slice(total);
                    }
                    total.fill(0.0);
                }
            }
        }
    }

    /// Turns query `i`'s scores into its probabilities, dropped or not, and their gradients into the scores'.
    #[inline(always)]
    fn score_gradients(&self, head: usize, i: usize, p: &mut [f32], ds: &mut [f32]) {
        let Heads {
            queries, width: d, ..
        } = self.packed.heads;
        let at = (i * queries + head) * d;
        let mean = dot(&self.dy[at..][..d], &self.y[at..][..d]);
        let log_sum = self.log_sum[i * queries + head];
        let (p, hidden_p) = p.split_at_mut(i + 1);
        let (ds, hidden_ds) = ds.split_at_mut(i + 1);
        // Also with dropout `mean` is the sum of p times its gradient, because `y` was computed from the kept
        // probabilities.
        self.packed.drop(head, i, ds);
        for (p, ds) in p.iter_mut().zip(ds) {
            *p = exp(*p * self.scale - log_sum);
            *ds = *p * (*ds - mean) * self.scale;
        }
        self.packed.drop(head, i, p);
        hidden_p.fill(0.0);
        hidden_ds.fill(0.0);
    }
}
