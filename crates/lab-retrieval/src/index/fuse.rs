//! Rankings made from other rankings: fusion and variety.

use crate::store::{Hit, dot};
use std::collections::HashMap;

/// The constant of reciprocal rank fusion (Cormack et al. 2009).
pub const RRF_K: f64 = 60.0;

/// Reciprocal rank fusion: an entry scores 1/(60 + rank) in each ranking, with ranks from 1. The best k, best
/// first; equal sums in the order of ids.
pub fn fuse(rankings: &[&[Hit]], k: usize) -> Vec<Hit> {
    let mut sums: HashMap<&str, f64> = HashMap::new();
    for ranking in rankings {
        for (index, hit) in ranking.iter().enumerate() {
            *sums.entry(&hit.id).or_default() += 1.0 / (RRF_K + index as f64 + 1.0);
        }
    }
    let mut fused: Vec<(f64, &str)> = sums.into_iter().map(|(id, sum)| (sum, id)).collect();
    fused.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    fused.truncate(k);
    fused
        .into_iter()
        .map(|(sum, id)| Hit {
            id: id.to_owned(),
            score: sum as f32,
        })
        .collect()
}

/// Maximal marginal relevance (Carbonell and Goldstein 1998): chooses k candidates one after the other, each
/// with the maximum of `balance`·relevance − (1 − `balance`)·similarity, where similarity is the maximum cosine
/// with a chosen candidate. Relevance is the score, scaled to 0 to 1 over the candidates. `vector` gives the
/// vector of an id; a candidate without one has similarity 0.
pub fn diversify<'a>(
    candidates: &[Hit],
    k: usize,
    balance: f32,
    vector: impl Fn(&str) -> Option<&'a [f32]>,
) -> Vec<Hit> {
    let scores = || candidates.iter().map(|hit| hit.score);
    let (low, high) = (
        scores().fold(f32::MAX, f32::min),
        scores().fold(f32::MIN, f32::max),
    );
    let relevance = |hit: &Hit| {
        if high > low {
            (hit.score - low) / (high - low)
        } else {
            1.0
        }
    };
    // Each candidate with its maximum similarity to the chosen ones.
    let mut left: Vec<(&Hit, f32)> = candidates.iter().map(|hit| (hit, 0.0)).collect();
    let mut chosen: Vec<Hit> = Vec::new();
    while chosen.len() < k {
        let value = |&(hit, similarity): &(&Hit, f32)| {
            balance * relevance(hit) - (1.0 - balance) * similarity
        };
        // The first of equal candidates, which is the most relevant.
        let best = (0..left.len()).reduce(|best, next| {
            if value(&left[next]) > value(&left[best]) {
                next
            } else {
                best
            }
        });
        let Some(best) = best else { break };
        let (hit, _) = left.remove(best);
        if let Some(new) = vector(&hit.id) {
            for (other, similarity) in &mut left {
                if let Some(other) = vector(&other.id) {
                    *similarity = similarity.max(cosine(new, other));
                }
            }
        }
        chosen.push(hit.clone());
    }
    chosen
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths > 0.0 {
        dot(a, b) / lengths
    } else {
        0.0
    }
}
