//! Attention of one new token for each sequence over its cached keys and values.

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;

use super::super::backend::Heads;
use super::attention::softmax_row;
use super::math::{dot, vectorised};
use super::optimizer::whole;
use super::tensors::{contiguous, integers, tensor, values};

/// Fewer products than this stay on one thread.
#[cfg(feature = "rayon")]
const PARALLEL: usize = 1 << 18;

pub fn attend(
    qkv: FlexTensor,
    keys: FlexTensor,
    cached: FlexTensor,
    lengths: FlexTensor,
    heads: Heads,
    scale: f32,
) -> (FlexTensor, FlexTensor, FlexTensor) {
    let [batch, capacity, row] = keys.shape().dims();
    let (qkv, lengths) = (contiguous(qkv), integers(lengths));
    let (mut keys, mut cached) = (whole(keys), whole(cached));
    let new = values(&qkv).chunks_exact(heads.packed());
    let (k, v) = (keys.storage_mut(), cached.storage_mut());
    for (sequence, (new, &length)) in new.clone().zip(&lengths).enumerate() {
        let at = (sequence * capacity + length as usize) * row;
        let (new_key, new_value) = new[heads.queries * heads.width..].split_at(row);
        k[at..][..row].copy_from_slice(new_key);
        v[at..][..row].copy_from_slice(new_value);
    }
    let d = heads.width;
    let mut y = vec![0.0; batch * heads.queries * d];
    let (k, v, q) = (&*k, &*v, values(&qkv));
    let one = |i: usize, out: &mut [f32]| {
        let (sequence, head) = (i / heads.queries, i % heads.queries);
        let q = &q[sequence * heads.packed() + head * d..][..d];
        let at = sequence * capacity * row + head / (heads.queries / heads.keys) * d;
        let seen = lengths[sequence] as usize + 1;
        vectorised(|| head_output(q, &k[at..], &v[at..], row, seen, scale, out));
    };
    #[cfg(feature = "rayon")]
    {
        let seen: usize = lengths.iter().map(|&length| length as usize + 1).sum();
        if seen * heads.queries * d >= PARALLEL {
            use rayon::prelude::*;
            y.par_chunks_mut(d)
                .enumerate()
                .for_each(|(i, out)| one(i, out));
            return (tensor(y, [batch, 1, heads.queries * d]), keys, cached);
        }
    }
    for (i, out) in y.chunks_exact_mut(d).enumerate() {
        one(i, out);
    }
    (tensor(y, [batch, 1, heads.queries * d]), keys, cached)
}

/// One head: `softmax(scale · q kᵀ) v` over `seen` keys, `row` numbers apart.
#[inline(always)]
fn head_output(
    q: &[f32],
    k: &[f32],
    v: &[f32],
    row: usize,
    seen: usize,
    scale: f32,
    out: &mut [f32],
) {
    let d = q.len();
    let scores: Vec<f32> = (0..seen).map(|j| dot(q, &k[j * row..][..d])).collect();
    let mut p = vec![0.0; seen];
    softmax_row(&mut p, &scores, seen, scale);
    for (j, p) in p.iter().enumerate() {
        for (out, v) in out.iter_mut().zip(&v[j * row..][..d]) {
            *out += p * v;
        }
    }
}
