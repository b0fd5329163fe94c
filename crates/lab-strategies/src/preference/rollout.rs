//! Answers sampled from a policy, without top-k or top-p.

use crate::run::base::Base;
use lab_model::burn::tensor::Tensor;
use lab_model::decoder::Decoder;
use lab_model::generate::sample;
use lab_model::memory::MemoryNeeded;
use lab_model::parameters;
use lab_model::random::{Purpose, Random};
use lab_protocol::{LabError, RolloutConfig};

/// Settings of sampling, and the tokens that end an answer.
#[derive(Clone, Debug)]
pub(crate) struct Sampler {
    pub response_tokens: usize,
    pub temperature: f64,
    pub end: Option<u32>,
    pub seed: u64,
}

/// An answer, and the log-probability of each of its tokens when it was drawn, in nats.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Response {
    /// The token that ended it included.
    pub tokens: Vec<u32>,
    pub log_probabilities: Vec<f64>,
    /// Whether it reached its end.
    pub ended: bool,
}

/// Number of prompts that are answered at once.
const ROWS: usize = 64;

impl Sampler {
    pub fn new(config: &RolloutConfig, end: Option<u32>, seed: u64) -> Self {
        Self {
            response_tokens: config.response_tokens,
            temperature: config.temperature,
            end,
            seed,
        }
    }

    /// The temporary memory for answering this many prompts of up to `longest` tokens.
    pub fn memory(&self, base: &Base, longest: usize, prompts: usize) -> MemoryNeeded {
        base.writing_memory(prompts.min(ROWS), longest + self.response_tokens)
    }

    /// Answers prompts, in their order. `model` records no gradients. The draws follow from the seed, the step and
    /// the index of the prompt.
    pub async fn answer(
        &self,
        model: &Decoder,
        prompts: &[&[u32]],
        step: u64,
    ) -> Result<Vec<Response>, LabError> {
        let mut responses = Vec::with_capacity(prompts.len());
        for (group, prompts) in prompts.chunks(ROWS).enumerate() {
            let random = |row: usize| {
                let place = (group * ROWS + row) as u64;
                Random::new(self.seed, Purpose::Rollouts, (step << 20) | place)
            };
            let randoms = (0..prompts.len()).map(random).collect();
            responses.extend(self.answer_rows(model, prompts, randoms).await?);
        }
        Ok(responses)
    }

    async fn answer_rows(
        &self,
        model: &Decoder,
        prompts: &[&[u32]],
        mut randoms: Vec<Random>,
    ) -> Result<Vec<Response>, LabError> {
        let mut responses = vec![Response::default(); prompts.len()];
        let (logits, mut cache) = model.prefill(prompts)?;
        let mut logits = rows_of(logits).await?;
        // The index of the prompt of each row of the cache.
        let mut rows: Vec<usize> = (0..prompts.len()).collect();
        for written in 1..=self.response_tokens {
            let mut next = vec![None; rows.len()];
            for (place, &row) in rows.iter().enumerate() {
                let response = &mut responses[row];
                if response.ended {
                    continue;
                }
                let token = sample(&logits[place], self.temperature, &mut randoms[row]);
                response.tokens.push(token);
                response.log_probabilities.push(log_probability(
                    &logits[place],
                    token,
                    self.temperature,
                ));
                response.ended = Some(token) == self.end;
                next[place] = (!response.ended).then_some(token);
            }
            let open: Vec<usize> = (0..rows.len()).filter(|&p| next[p].is_some()).collect();
            if open.is_empty() || written == self.response_tokens {
                break;
            }
            // Ended rows cost as much as others. They are removed once they are half of the cache.
            if open.len() * 2 <= rows.len() {
                cache.select(&open);
                rows = open.iter().map(|&place| rows[place]).collect();
                next = open.iter().map(|&place| next[place]).collect();
            }
            logits = rows_of(model.step(&next, &mut cache)?).await?;
        }
        Ok(responses)
    }
}

/// Copies the rows of a matrix to the host.
async fn rows_of(logits: Tensor<2>) -> Result<Vec<Vec<f32>>, LabError> {
    let width = logits.dims()[1];
    let values = parameters::read(vec![logits]).await?.concat();
    Ok(values.chunks(width).map(<[f32]>::to_vec).collect())
}

/// The log-probability of a token under the softmax of `logits / temperature`.
fn log_probability(logits: &[f32], token: u32, temperature: f64) -> f64 {
    let scaled = |logit: &f32| f64::from(*logit) / temperature;
    let highest = logits.iter().map(scaled).fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logits
        .iter()
        .map(|logit| libm::exp(scaled(logit) - highest))
        .sum();
    let chosen = logits.get(token as usize).map_or(f64::NAN, scaled);
    chosen - highest - libm::log(sum)
}
