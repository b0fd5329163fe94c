//! Prompts and answers as batches, and how likely a model finds the answers.

use crate::corpus::{Batch, IGNORED};
use crate::decoder::Decoder;
use crate::dropout::Dropout;
use crate::kernels;
use burn::tensor::{Device, Int, Tensor, TensorData, activation};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// A prompt, which is not empty, and what was written after it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sequence {
    pub prompt: Vec<u32>,
    pub response: Vec<u32>,
}

impl Sequence {
    pub fn len(&self) -> usize {
        self.prompt.len() + self.response.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Sequences in rows, padded on the right: what stands there is seen by nothing before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Packed {
    pub batch: Batch,
    /// Of each row the columns that belong to the answer.
    pub spans: Vec<Range<usize>>,
}

/// Columns are a multiple of this, so that a device meets few shapes.
const GRAIN: usize = 8;

impl Packed {
    /// For predicting: the last token is no input, and a column belongs to the answer if it predicts
    /// one of its tokens, its target; other columns have no target.
    pub fn predicting(sequences: &[&Sequence]) -> Self {
        let longest = sequences.iter().map(|sequence| sequence.len()).max();
        let mut packed = Self::empty(sequences.len(), longest.unwrap_or(1).saturating_sub(1));
        for sequence in sequences {
            let tokens: Vec<i32> = tokens_of(sequence).collect();
            let answer = sequence.prompt.len().saturating_sub(1)..tokens.len().saturating_sub(1);
            packed.push(&tokens[..answer.end], answer, |column| tokens[column + 1]);
        }
        packed
    }

    /// For judging: every token is an input, and there are no targets.
    pub fn whole(sequences: &[&Sequence]) -> Self {
        let longest = sequences.iter().map(|sequence| sequence.len()).max();
        let mut packed = Self::empty(sequences.len(), longest.unwrap_or(1));
        for sequence in sequences {
            let tokens: Vec<i32> = tokens_of(sequence).collect();
            packed.push(&tokens, sequence.prompt.len()..tokens.len(), |_| IGNORED);
        }
        packed.batch.tokens = 0;
        packed
    }

    fn empty(rows: usize, columns: usize) -> Self {
        let columns = columns.max(1).next_multiple_of(GRAIN);
        Self {
            batch: Batch {
                rows,
                columns,
                inputs: Vec::with_capacity(rows * columns),
                targets: Vec::with_capacity(rows * columns),
                tokens: 0,
            },
            spans: Vec::with_capacity(rows),
        }
    }

    fn push(&mut self, inputs: &[i32], answer: Range<usize>, target: impl Fn(usize) -> i32) {
        let end = self.batch.inputs.len() + self.batch.columns;
        self.batch.inputs.extend(inputs);
        self.batch.inputs.resize(end, 0);
        let targets = (0..self.batch.columns).map(|column| {
            if answer.contains(&column) {
                target(column)
            } else {
                IGNORED
            }
        });
        self.batch.targets.extend(targets);
        self.batch.tokens += answer.len();
        self.spans.push(answer);
    }

    /// Cuts columns that only pad beyond a model's window; rows are never longer than it.
    pub fn within(mut self, context: usize) -> Self {
        let columns = self.batch.columns;
        if columns > context {
            let cut = |values: &[i32]| {
                let rows = values.chunks(columns);
                rows.flat_map(|row| row[..context].iter().copied())
                    .collect::<Vec<_>>()
            };
            self.batch.inputs = cut(&self.batch.inputs);
            self.batch.targets = cut(&self.batch.targets);
            self.batch.columns = context;
        }
        self
    }

    /// Token ids `[rows, columns]` on the device.
    pub fn ids(&self, device: &Device) -> Tensor<2, Int> {
        let shape = [self.batch.rows, self.batch.columns];
        let inputs = TensorData::new(self.batch.inputs.clone(), shape);
        Tensor::from_data(inputs, &device.clone().inner())
    }

    /// Which columns belong to answers, `[rows · columns]`.
    pub fn mask(&self) -> Vec<bool> {
        self.spans
            .iter()
            .flat_map(|span| (0..self.batch.columns).map(|column| span.contains(&column)))
            .collect()
    }
}

fn tokens_of(sequence: &Sequence) -> impl Iterator<Item = i32> {
    let tokens = sequence.prompt.iter().chain(&sequence.response);
    tokens.map(|&token| token as i32)
}

/// Log-probabilities `[rows · columns]` in nats of the targets of a packing, under the softmax of
/// `logits / temperature` (`[rows, columns, vocabulary]`); 0 where there is no target.
pub fn token_log_probabilities(logits: Tensor<3>, packed: &Packed, temperature: f64) -> Tensor<1> {
    let [rows, columns, vocabulary] = logits.dims();
    let device = logits.device().inner();
    let targets = TensorData::new(packed.batch.targets.clone(), [rows * columns]);
    let targets = Tensor::<1, Int>::from_data(targets, &device);
    let mut logits = logits.reshape([rows * columns, vocabulary]);
    if temperature != 1.0 {
        logits = logits / temperature;
    }
    kernels::cross_entropy(logits, targets).neg()
}

/// Entropies `[rows · columns]` in nats of what a model would write at each column.
pub fn entropies(logits: Tensor<3>, temperature: f64) -> Tensor<1> {
    let [rows, columns, vocabulary] = logits.dims();
    let logits = logits.reshape([rows * columns, vocabulary]) / temperature;
    let log_probabilities = activation::log_softmax(logits, 1);
    let terms = log_probabilities.clone().exp() * log_probabilities;
    terms.sum_dim(1).reshape([rows * columns]).neg()
}

/// [`token_log_probabilities`] of a decoder.
pub fn log_probabilities(
    model: &Decoder,
    packed: &Packed,
    device: &Device,
    temperature: f64,
    dropout: &mut Dropout,
) -> Tensor<1> {
    let logits = model.forward(packed.ids(device), dropout);
    token_log_probabilities(logits, packed, temperature)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_targets_and_prompts_are_not() {
        let sequences = [
            Sequence {
                prompt: vec![1, 2, 3],
                response: vec![4, 5],
            },
            Sequence {
                prompt: vec![6],
                response: vec![7],
            },
        ];
        let rows: Vec<&Sequence> = sequences.iter().collect();
        let packed = Packed::predicting(&rows).within(5);
        assert_eq!(packed.batch.inputs, [1, 2, 3, 4, 0, 6, 0, 0, 0, 0]);
        assert_eq!(packed.batch.targets, [-1, -1, 4, 5, -1, 7, -1, -1, -1, -1]);
        assert_eq!(packed.batch.tokens, 3);
        let counted = packed.mask();
        let targets = packed.batch.targets.iter().map(|&target| target != IGNORED);
        assert!(targets.eq(counted));
        let whole = Packed::whole(&rows);
        assert_eq!((whole.batch.columns, whole.batch.tokens), (8, 0));
        assert_eq!(whole.batch.inputs[..5], [1, 2, 3, 4, 5]);
        assert_eq!(whole.spans, [3..5, 1..2]);
    }
}
