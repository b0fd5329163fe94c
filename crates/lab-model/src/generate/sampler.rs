//! The choice of the next token: logits become a distribution, and a random number draws from it.

use crate::random::Random;
use lab_protocol::{GenerateRequest, LabError};

/// Settings of the distribution. The filters apply in the order of the fields, each to the tokens that the previous
/// one kept; the remaining probabilities are scaled to sum to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Scores of tokens that are already in the text are divided by this if positive, multiplied if negative (Keskar
    /// et al. 2019). 1: off.
    pub repetition_penalty: f64,
    /// Scores are divided by this. 0: the likeliest token, the first of equals.
    pub temperature: f64,
    /// Number of tokens with the highest scores to keep; tokens with the same score as the last one stay too. 0: off.
    pub top_k: usize,
    /// Keeps the smallest set of likeliest tokens whose probabilities reach this sum (Holtzman et al. 2020). 1: off.
    pub top_p: f64,
    /// Keeps tokens whose probability is at least this share of the highest. 0: off.
    pub min_p: f64,
}

impl Default for Sampling {
    /// The model's own distribution.
    fn default() -> Self {
        Self {
            repetition_penalty: 1.0,
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
        }
    }
}

impl From<&GenerateRequest> for Sampling {
    fn from(request: &GenerateRequest) -> Self {
        Self {
            repetition_penalty: request.repetition_penalty,
            temperature: request.temperature,
            top_k: request.top_k,
            top_p: request.top_p,
            min_p: request.min_p,
        }
    }
}

impl Sampling {
    /// The likeliest token every time.
    pub fn greedy() -> Self {
        Self {
            temperature: 0.0,
            ..Self::default()
        }
    }

    /// A setting outside its range is an error that names it.
    pub fn validate(&self) -> Result<(), LabError> {
        GenerateRequest {
            repetition_penalty: self.repetition_penalty,
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            ..Default::default()
        }
        .validate()
    }

    /// The tokens that may come next, with their probabilities, which sum to 1. `previous` is the text so far. Tokens
    /// whose logits are NaN are never drawn; there is always at least one token.
    pub fn distribution(&self, logits: &[f32], previous: &[u32]) -> Vec<(u32, f64)> {
        let mut scores = usable(logits);
        self.penalise(&mut scores, previous);
        let best = argmax(&scores);
        if self.temperature <= 0.0 {
            return vec![(best as u32, 1.0)];
        }
        let highest = scores.get(best).copied().unwrap_or_default();
        let lowest = self.lowest_kept_score(&scores);
        let mut tokens: Vec<(u32, f64)> = (0u32..)
            .zip(scores)
            .filter(|&(_, score)| score >= lowest && score > f64::NEG_INFINITY)
            .map(|(id, score)| (id, libm::exp((score - highest) / self.temperature)))
            .collect();
        if tokens.is_empty() {
            return vec![(best as u32, 1.0)];
        }
        if self.top_p < 1.0 {
            keep_mass(&mut tokens, self.top_p);
        }
        // The likeliest token has weight 1 before scaling: it is never filtered out.
        tokens.retain(|&(_, weight)| weight >= self.min_p);
        scale(&mut tokens);
        tokens
    }

    /// A token from [`Sampling::distribution`].
    pub fn sample(&self, logits: &[f32], previous: &[u32], random: &mut Random) -> u32 {
        let tokens = self.distribution(logits, previous);
        let last = tokens.last().map_or(0, |&(id, _)| id);
        if tokens.len() == 1 {
            return last;
        }
        let mut place = random.uniform();
        let drawn = tokens.iter().find(|&&(_, probability)| {
            place -= probability;
            place < 0.0
        });
        drawn.map_or(last, |&(id, _)| id)
    }

    fn penalise(&self, scores: &mut [f64], previous: &[u32]) {
        if self.repetition_penalty == 1.0 {
            return;
        }
        let seen: std::collections::BTreeSet<u32> = previous.iter().copied().collect();
        for id in seen {
            if let Some(score) = scores.get_mut(id as usize) {
                *score = if *score < 0.0 {
                    *score * self.repetition_penalty
                } else {
                    *score / self.repetition_penalty
                };
            }
        }
    }

    /// The lowest score that top-k keeps.
    fn lowest_kept_score(&self, scores: &[f64]) -> f64 {
        if self.top_k == 0 || self.top_k >= scores.len() {
            return f64::NEG_INFINITY;
        }
        let mut sorted = scores.to_vec();
        let (_, lowest, _) = sorted.select_nth_unstable_by(self.top_k - 1, |a, b| b.total_cmp(a));
        *lowest
    }
}

/// Draws a token from the softmax of `logits / temperature`; the likeliest at temperature 0.
pub fn sample(logits: &[f32], temperature: f64, random: &mut Random) -> u32 {
    let sampling = Sampling {
        temperature,
        ..Sampling::default()
    };
    sampling.sample(logits, &[], random)
}

/// The likeliest `count` tokens of a model's own distribution, with the natural logarithms of their
/// probabilities.
pub fn likeliest(logits: &[f32], count: usize) -> Vec<(u32, f64)> {
    let scores = usable(logits);
    let total = log_sum(&scores);
    let mut tokens: Vec<(u32, f64)> = (0u32..).zip(scores).collect();
    let order = |a: &(u32, f64), b: &(u32, f64)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    if count < tokens.len() && count > 0 {
        tokens.select_nth_unstable_by(count - 1, order);
    }
    tokens.truncate(count);
    tokens.sort_unstable_by(order);
    tokens
        .into_iter()
        .map(|(id, score)| (id, score - total))
        .collect()
}

/// The natural logarithm of a token's probability in a model's own distribution.
pub fn log_probability(logits: &[f32], id: u32) -> f64 {
    let scores = usable(logits);
    let score = scores.get(id as usize).copied();
    score.unwrap_or(f64::NEG_INFINITY) - log_sum(&scores)
}

/// Scores, with negative infinity in place of NaN.
fn usable(logits: &[f32]) -> Vec<f64> {
    let score = |&logit: &f32| {
        if logit.is_nan() {
            f64::NEG_INFINITY
        } else {
            f64::from(logit)
        }
    };
    logits.iter().map(score).collect()
}

fn argmax(scores: &[f64]) -> usize {
    let better = |best: usize, index: usize| {
        if scores[index] > scores[best] {
            index
        } else {
            best
        }
    };
    (0..scores.len()).reduce(better).unwrap_or(0)
}

fn log_sum(scores: &[f64]) -> f64 {
    let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if highest == f64::NEG_INFINITY {
        return 0.0;
    }
    let sum: f64 = scores.iter().map(|score| libm::exp(score - highest)).sum();
    highest + libm::log(sum)
}

/// Keeps the likeliest tokens until their sum reaches `mass`, in descending order.
fn keep_mass(tokens: &mut Vec<(u32, f64)>, mass: f64) {
    let total: f64 = tokens.iter().map(|&(_, weight)| weight).sum();
    tokens.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut before = 0.0;
    let kept = tokens.iter().take_while(|&&(_, weight)| {
        let wanted = before < mass * total;
        before += weight;
        wanted
    });
    let kept = kept.count().max(1);
    tokens.truncate(kept);
}

fn scale(tokens: &mut [(u32, f64)]) {
    let total: f64 = tokens.iter().map(|&(_, weight)| weight).sum();
    for (_, weight) in tokens {
        *weight /= total;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;
    use proptest::prelude::*;

    #[test]
    fn samples_follow_the_distribution() {
        let probabilities = [0.5f64, 0.3, 0.15, 0.05];
        let logits: Vec<f32> = probabilities.iter().map(|p| p.ln() as f32).collect();
        let mut random = Random::new(5, Purpose::Samples, 0);
        let mut counts = [0f64; 4];
        for _ in 0..20_000 {
            counts[Sampling::default().sample(&logits, &[], &mut random) as usize] += 1.0;
        }
        let chi: f64 = counts
            .iter()
            .zip(probabilities)
            .map(|(c, p)| (c - 2e4 * p).powi(2) / (2e4 * p))
            .sum();
        // 3 degrees of freedom: 16.27 is passed once in a thousand seeds.
        assert!(chi < 16.27, "{chi}");
        let greedy = Sampling::greedy();
        assert_eq!(greedy.sample(&logits, &[], &mut random), 0);
        assert_eq!(greedy.sample(&[f32::NAN, 1.0, 1.0], &[], &mut random), 1);
        assert_eq!(greedy.sample(&[f32::NAN; 3], &[], &mut random), 0);
    }

    fn sampling() -> impl Strategy<Value = Sampling> {
        (
            0.5f64..2.0,
            0.01f64..3.0,
            0usize..8,
            0.01f64..=1.0,
            0.0f64..1.0,
        )
            .prop_map(
                |(repetition_penalty, temperature, top_k, top_p, min_p)| Sampling {
                    repetition_penalty,
                    temperature,
                    top_k,
                    top_p,
                    min_p,
                },
            )
    }

    proptest! {
        #[test]
        fn what_filters_leave_holds_the_likeliest_and_sums_to_one(
            sampling in sampling(),
            logits in prop::collection::vec(prop_oneof![9 => -1e3f32..1e3, 1 => Just(f32::NAN), 1 => Just(f32::NEG_INFINITY)], 1..20),
            previous in prop::collection::vec(0u32..20, 0..5),
        ) {
            let tokens = sampling.distribution(&logits, &previous);
            let sum: f64 = tokens.iter().map(|token| token.1).sum();
            prop_assert!((sum - 1.0).abs() < 1e-9);
            let greedy = Sampling { temperature: 0.0, ..sampling }.distribution(&logits, &previous)[0].0;
            let highest = tokens.iter().map(|token| token.1).fold(0.0, f64::max);
            let found = tokens.iter().find(|token| token.0 == greedy);
            prop_assert!(found.is_some_and(|token| token.1 >= highest - 1e-12));
            prop_assert!(tokens.iter().all(|token| token.1 >= sampling.min_p * highest * (1.0 - 1e-9)));
        }

        #[test]
        fn logarithms_are_those_of_the_softmax(logits in prop::collection::vec(-30f32..30.0, 1..30)) {
            let all = likeliest(&logits, logits.len());
            let sum: f64 = all.iter().map(|token| token.1.exp()).sum();
            prop_assert!((sum - 1.0).abs() < 1e-9);
            prop_assert!(all.windows(2).all(|pair| pair[0].1 >= pair[1].1));
            for &(id, log) in &all {
                prop_assert!((log_probability(&logits, id) - log).abs() < 1e-12);
            }
            prop_assert_eq!(&likeliest(&logits, 3)[..], &all[..3.min(all.len())]);
        }
    }
}
