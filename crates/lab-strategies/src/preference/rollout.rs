//! Answers sampled from a policy, without filters.

use lab_model::burn::tensor::{Device, Int, Tensor, TensorData};
use lab_model::decoder::Decoder;
use lab_model::dropout::Dropout;
use lab_model::generate::sample;
use lab_model::parameters;
use lab_model::random::{Purpose, Random};
use lab_protocol::{LabError, RolloutConfig};

/// How answers are sampled, and where they end.
#[derive(Clone, Debug)]
pub(crate) struct Sampler {
    pub response_tokens: usize,
    pub temperature: f64,
    pub end: Option<u32>,
    pub seed: u64,
}

/// An answer and how likely each of its tokens was, in nats, when it was drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Response {
    /// With the token that ended it.
    pub tokens: Vec<u32>,
    pub log_probabilities: Vec<f64>,
    /// Whether it came to its end.
    pub ended: bool,
}

/// Prompts that are answered at once.
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

    /// Answers prompts, in their order. `model` records no gradients. What is drawn follows from the
    /// seed, the step and the place of the prompt.
    pub async fn answer(
        &self,
        model: &Decoder,
        prompts: &[&[u32]],
        step: u64,
        device: &Device,
    ) -> Result<Vec<Response>, LabError> {
        let mut responses = Vec::with_capacity(prompts.len());
        for (group, prompts) in prompts.chunks(ROWS).enumerate() {
            let random = |row: usize| {
                let place = (group * ROWS + row) as u64;
                Random::new(self.seed, Purpose::Rollouts, (step << 20) | place)
            };
            let randoms = (0..prompts.len()).map(random).collect();
            responses.extend(self.answer_rows(model, prompts, randoms, device).await?);
        }
        Ok(responses)
    }

    async fn answer_rows(
        &self,
        model: &Decoder,
        prompts: &[&[u32]],
        mut randoms: Vec<Random>,
        device: &Device,
    ) -> Result<Vec<Response>, LabError> {
        let mut responses = vec![Response::default(); prompts.len()];
        for _ in 0..self.response_tokens {
            let open: Vec<usize> = (0..prompts.len())
                .filter(|&row| !responses[row].ended)
                .collect();
            if open.is_empty() {
                break;
            }
            let texts: Vec<Vec<u32>> = open
                .iter()
                .map(|&row| [prompts[row], responses[row].tokens.as_slice()].concat())
                .collect();
            let logits = next_logits(model, &texts, device).await?;
            for (&row, logits) in open.iter().zip(&logits) {
                let token = sample(logits, self.temperature, &mut randoms[row]);
                let response = &mut responses[row];
                response.tokens.push(token);
                response
                    .log_probabilities
                    .push(log_probability(logits, token, self.temperature));
                response.ended = Some(token) == self.end;
            }
        }
        Ok(responses)
    }
}

/// Logits of what follows each text.
async fn next_logits(
    model: &Decoder,
    texts: &[Vec<u32>],
    device: &Device,
) -> Result<Vec<Vec<f32>>, LabError> {
    let rows = texts.len();
    let columns = texts.iter().map(Vec::len).max().unwrap_or(1);
    let mut ids = Vec::with_capacity(rows * columns);
    let mut last = Vec::with_capacity(rows);
    for (row, text) in texts.iter().enumerate() {
        ids.extend(text.iter().map(|&id| id as i32));
        ids.resize((row + 1) * columns, 0);
        last.push((row * columns + text.len() - 1) as i32);
    }
    let device = device.clone().inner();
    let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [rows, columns]), &device);
    let last = Tensor::<1, Int>::from_data(TensorData::new(last, [rows]), &device);
    let hidden = model.hidden(ids, &mut Dropout::off());
    let width = hidden.dims()[2];
    let hidden = hidden.reshape([rows * columns, width]).select(0, last);
    let logits = model.logits(hidden.reshape([rows, 1, width]));
    let vocabulary = logits.dims()[2];
    let values = parameters::read(vec![logits]).await?;
    let values = values.into_iter().next().unwrap_or_default();
    Ok(values.chunks(vocabulary).map(<[f32]>::to_vec).collect())
}

/// Of a token under the softmax of `logits / temperature`.
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
