//! Writing with a model, one token at a time.

use crate::decoder::Decoder;
use crate::dropout::Dropout;
use crate::parameters;
use crate::random::{Purpose, Random};
use burn::tensor::{Device, Int, Tensor, TensorData};
use lab_protocol::{ErrorCode, LabError};

/// A text in the making.
pub struct Generation<'a> {
    model: &'a Decoder,
    device: Device,
    context: usize,
    temperature: f64,
    random: Random,
    ids: Vec<u32>,
}

impl<'a> Generation<'a> {
    /// Begins after `prompt`, which may not be empty. A temperature of 0 takes the likeliest token.
    pub fn new(
        model: &'a Decoder,
        device: &Device,
        context: usize,
        prompt: Vec<u32>,
        temperature: f64,
        seed: u64,
    ) -> Result<Self, LabError> {
        if prompt.is_empty() {
            return Err(LabError::new(
                ErrorCode::InvalidData,
                "the prompt is empty",
                "Begin with at least one character.",
            )
            .at("prompt"));
        }
        let random = Random::new(seed, Purpose::Samples, 0);
        Ok(Self {
            model,
            device: device.clone().inner(),
            context,
            temperature,
            random,
            ids: prompt,
        })
    }

    /// Writes the next token. The window slides over what was written; it is always full size, so that
    /// a GPU compiles one set of kernels: what stands behind the last token cannot be seen by it.
    pub async fn next(&mut self) -> Result<u32, LabError> {
        let window = &self.ids[self.ids.len().saturating_sub(self.context)..];
        let last = window.len() - 1;
        let mut padded: Vec<i32> = window.iter().map(|&id| id as i32).collect();
        padded.resize(self.context, 0);
        let input =
            Tensor::<2, Int>::from_data(TensorData::new(padded, [1, self.context]), &self.device);
        let logits = self.model.forward(input, &mut Dropout::off());
        let row = logits.narrow(1, last, 1).flatten::<1>(0, 2);
        let logits = parameters::read(vec![row]).await?.pop().unwrap_or_default();
        let next = sample(&logits, self.temperature, &mut self.random);
        self.ids.push(next);
        Ok(next)
    }
}

/// Draws a token from the softmax of `logits / temperature`; the likeliest (the first of equals) at
/// temperature 0. Logits that are not numbers are never drawn.
pub fn sample(logits: &[f32], temperature: f64, random: &mut Random) -> u32 {
    let mut best = 0;
    for (index, &logit) in logits.iter().enumerate() {
        if logit > logits[best] || logits[best].is_nan() {
            best = index;
        }
    }
    if temperature <= 0.0 {
        return best as u32;
    }
    let highest = f64::from(logits.get(best).copied().unwrap_or_default());
    let weights: Vec<f64> = logits
        .iter()
        .map(|&logit| libm::exp((f64::from(logit) - highest) / temperature))
        .map(|w| if w.is_nan() { 0.0 } else { w })
        .collect();
    let mut place = random.uniform() * weights.iter().sum::<f64>();
    for (index, weight) in weights.iter().enumerate() {
        place -= weight;
        if place < 0.0 {
            return index as u32;
        }
    }
    best as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_follow_the_distribution() {
        let probabilities = [0.5f64, 0.3, 0.15, 0.05];
        let logits: Vec<f32> = probabilities.iter().map(|p| p.ln() as f32).collect();
        let mut random = Random::new(5, Purpose::Samples, 0);
        let mut counts = [0f64; 4];
        for _ in 0..20_000 {
            counts[sample(&logits, 1.0, &mut random) as usize] += 1.0;
        }
        let chi: f64 = counts
            .iter()
            .zip(probabilities)
            .map(|(c, p)| (c - 2e4 * p).powi(2) / (2e4 * p))
            .sum();
        // 3 degrees of freedom: 16.27 is passed once in a thousand seeds.
        assert!(chi < 16.27, "{chi}");
        assert_eq!(sample(&logits, 0.0, &mut random), 0);
        assert_eq!(sample(&[f32::NAN, 1.0, 1.0], 0.0, &mut random), 1);
    }
}
