//! A batch of answers with the numbers that a policy learns from.

use super::rollout::Response;
use lab_model::burn::tensor::{Device, Tensor, TensorData};
use lab_model::decoder::Decoder;
use lab_model::dropout::Dropout;
use lab_model::kernels;
use lab_model::parameters;
use lab_model::random::{Purpose, Random};
use lab_model::rl::{self, PolicyWithValue, Sequence, SequenceBatch, mean_and_deviation};
use lab_protocol::LabError;

/// Answers of one update, with numbers for each of their tokens. The tokens of a sequence are contiguous, in the
/// order of the sequences.
pub(crate) struct Experience {
    pub sequences: Vec<Sequence>,
    /// Log-probabilities under the policy that sampled, computed by the same forward pass as in training.
    pub old: Vec<f64>,
    pub reference: Vec<f64>,
    pub values: Vec<f64>,
    pub advantages: Vec<f64>,
    pub returns: Vec<f64>,
    /// Mean entropy of the policy at the tokens of the answers, in nats.
    pub entropy: f64,
    /// Largest difference between the log-probability of a token when it was drawn and the recomputed one.
    pub sampling_error: f64,
    /// Index of the first token of each sequence.
    starts: Vec<usize>,
}

/// Some sequences of an experience, with the numbers of their tokens.
pub(crate) struct Part {
    pub batch: SequenceBatch,
    pub old: Vec<f64>,
    pub reference: Vec<f64>,
    pub values: Vec<f64>,
    pub advantages: Vec<f64>,
    pub returns: Vec<f64>,
}

impl Experience {
    /// Computes log-probabilities of policy and reference for the answers, `rows` of them at a time.
    pub async fn new(
        policy: &PolicyWithValue,
        reference: &Decoder,
        prompts: &[&[u32]],
        responses: &[Response],
        settings: &Pass<'_>,
    ) -> Result<Self, LabError> {
        let sequences: Vec<Sequence> = prompts
            .iter()
            .zip(responses)
            .map(|(prompt, response)| Sequence {
                prompt: prompt.to_vec(),
                response: response.tokens.clone(),
            })
            .collect();
        let mut found = Self {
            starts: starts(&sequences),
            sequences,
            old: Vec::new(),
            reference: Vec::new(),
            values: Vec::new(),
            advantages: Vec::new(),
            returns: Vec::new(),
            entropy: 0.0,
            sampling_error: 0.0,
        };
        let mut entropies = Vec::new();
        for rows in found.sequences.chunks(settings.rows.max(1)) {
            let rows: Vec<&Sequence> = rows.iter().collect();
            let batch = SequenceBatch::predicting(&rows, settings.context);
            let (device, temperature) = (settings.device, settings.temperature);
            let theirs = rl::log_probabilities(reference, &batch, device, temperature);
            let hidden = batch.hidden(&policy.decoder, device, &mut Dropout::off());
            let values = policy.value.forward(hidden.clone());
            let logits = rl::logits(&policy.decoder, hidden, temperature);
            let entropy = kernels::entropy(logits.clone());
            let ours = batch.log_probabilities(logits);
            let read = parameters::read(vec![ours, theirs, values, entropy]).await?;
            let all = [
                &mut found.old,
                &mut found.reference,
                &mut found.values,
                &mut entropies,
            ];
            for (all, read) in all.into_iter().zip(read) {
                all.extend(read.into_iter().map(f64::from));
            }
        }
        found.entropy = mean_and_deviation(&entropies).0;
        let drawn = responses
            .iter()
            .flat_map(|response| &response.log_probabilities);
        found.sampling_error = drawn
            .zip(&found.old)
            .map(|(drawn, scored)| (drawn - scored).abs())
            .fold(0.0, f64::max);
        Ok(found)
    }

    pub fn tokens(&self) -> usize {
        self.old.len()
    }

    /// The values of each sequence.
    pub fn per_sequence<'v>(&self, values: &'v [f64]) -> impl Iterator<Item = &'v [f64]> {
        let ends = self.starts.iter().skip(1).copied().collect::<Vec<_>>();
        self.starts
            .clone()
            .into_iter()
            .zip(ends)
            .map(move |(start, end)| values.get(start..end).unwrap_or_default())
    }

    /// Rewards of tokens from scores of sequences, advantages and returns: `[tokens]`.
    pub fn estimate(
        &mut self,
        scores: &[f64],
        kl_coefficient: f64,
        settings: &Estimation,
    ) -> Vec<f64> {
        let mut rewards = Vec::with_capacity(self.tokens());
        let rows = self
            .per_sequence(&self.old)
            .zip(self.per_sequence(&self.reference));
        for ((old, reference), score) in rows.zip(scores) {
            let mask = vec![true; old.len()];
            let columns = old.len().max(1);
            let row = rl::token_rewards(old, reference, &mask, columns, &[*score], kl_coefficient);
            rewards.extend(row);
        }
        let everything = vec![true; rewards.len()];
        let shaped = if settings.whiten_rewards {
            rl::whiten(&rewards, &everything, true)
        } else {
            rewards.clone()
        };
        let (mut advantages, mut returns) = (Vec::new(), Vec::new());
        for (rewards, values) in self
            .per_sequence(&shaped)
            .zip(self.per_sequence(&self.values))
        {
            let mask = vec![true; rewards.len()];
            let columns = rewards.len().max(1);
            let row = rl::gae(
                rewards,
                values,
                &mask,
                columns,
                settings.gamma,
                settings.lambda,
            );
            advantages.extend(row.advantages);
            returns.extend(row.returns);
        }
        self.advantages = rl::whiten(&advantages, &everything, false);
        self.returns = returns;
        rewards
    }

    /// Sets the same advantage for all tokens of a sequence.
    pub fn advantages_of_sequences(&mut self, advantages: &[f64]) {
        let lengths = self
            .sequences
            .iter()
            .map(|sequence| sequence.response.len());
        self.advantages = lengths
            .zip(advantages)
            .flat_map(|(length, advantage)| std::iter::repeat_n(*advantage, length))
            .collect();
        self.returns = vec![0.0; self.tokens()];
    }

    /// The order of the sequences in an epoch, which seed and step decide.
    pub fn order(&self, seed: u64, step: usize, epoch: usize) -> Vec<usize> {
        let mut random = Random::new(seed, Purpose::Order, (step as u64) << 12 | epoch as u64);
        shuffled(self.sequences.len(), &mut random)
    }

    /// Number of answer tokens in each of these sequences.
    pub fn lengths(&self, chosen: &[usize]) -> Vec<usize> {
        let sequences = chosen.iter().filter_map(|&index| self.sequences.get(index));
        sequences.map(|sequence| sequence.response.len()).collect()
    }

    /// These sequences, in this order.
    pub fn part(&self, chosen: &[usize], context: usize) -> Part {
        let rows: Vec<&Sequence> = chosen
            .iter()
            .filter_map(|&index| self.sequences.get(index))
            .collect();
        let of = |values: &[f64]| -> Vec<f64> {
            let span =
                |&index: &usize| Some(*self.starts.get(index)?..*self.starts.get(index + 1)?);
            let spans = chosen.iter().filter_map(span);
            spans
                .filter_map(|span| values.get(span))
                .flatten()
                .copied()
                .collect()
        };
        Part {
            batch: SequenceBatch::predicting(&rows, context),
            old: of(&self.old),
            reference: of(&self.reference),
            values: of(&self.values),
            advantages: of(&self.advantages),
            returns: of(&self.returns),
        }
    }
}

/// Settings of the forward passes over answers.
pub(crate) struct Pass<'a> {
    pub device: &'a Device,
    pub context: usize,
    pub temperature: f64,
    /// Sequences in a forward pass.
    pub rows: usize,
}

/// Settings of the advantage estimate.
pub(crate) struct Estimation {
    pub gamma: f64,
    pub lambda: f64,
    pub whiten_rewards: bool,
}

fn starts(sequences: &[Sequence]) -> Vec<usize> {
    let mut starts = vec![0];
    for sequence in sequences {
        starts.push(starts.last().copied().unwrap_or(0) + sequence.response.len());
    }
    starts
}

/// The numbers below `count` in random order (Fisher and Yates).
pub(crate) fn shuffled(count: usize, random: &mut Random) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        order.swap(last, random.below(last as u64 + 1) as usize);
    }
    order
}

/// Copies numbers to the device, without gradients.
pub(crate) fn upload(values: &[f64], device: &Device) -> Tensor<1> {
    let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), &device.clone().inner())
}
