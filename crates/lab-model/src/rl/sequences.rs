//! Prompts and answers as batches, and the log-probabilities of the answers under a model.

use crate::decoder::Decoder;
use crate::dropout::Dropout;
use crate::kernels;
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// A prompt, which is not empty, and the answer after it.
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

    fn tokens(&self) -> impl Iterator<Item = i32> {
        let tokens = self.prompt.iter().chain(&self.response);
        tokens.map(|&token| token as i32)
    }
}

/// Sequences in rows, padded on the right: no token sees the padding behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct SequenceBatch {
    /// `[rows, columns]`
    inputs: Vec<i32>,
    columns: usize,
    /// The indices into `inputs` that are read: the tokens that predict an answer's, or the last token of a whole
    /// sequence.
    places: Vec<i32>,
    /// The tokens that are predicted there; empty for whole sequences.
    targets: Vec<i32>,
    /// Number of places of each sequence.
    lengths: Vec<usize>,
}

/// Columns are a multiple of this, so a device sees few shapes.
const GRAIN: usize = 8;

impl SequenceBatch {
    /// For predicting: the last token is not an input, and the places are the ones before the answer's tokens.
    /// Sequences must fit into `context` then.
    pub fn predicting(sequences: &[&Sequence], context: usize) -> Self {
        let read = |sequence: &Sequence| sequence.len().saturating_sub(1);
        let mut batch = Self::new(sequences, context, read);
        for (row, sequence) in sequences.iter().enumerate() {
            let start = row * batch.columns + sequence.prompt.len().saturating_sub(1);
            let targets = sequence.tokens().skip(sequence.prompt.len());
            batch.targets.extend(targets);
            let length = sequence.response.len();
            batch
                .places
                .extend((start..start + length).map(|place| place as i32));
            batch.lengths.push(length);
        }
        batch
    }

    /// For scoring: every token is an input, and the place of each sequence is its last token.
    pub fn whole(sequences: &[&Sequence], context: usize) -> Self {
        let mut batch = Self::new(sequences, context, Sequence::len);
        for (row, sequence) in sequences.iter().enumerate() {
            let last = row * batch.columns + sequence.len().saturating_sub(1);
            batch.places.push(last as i32);
            batch.lengths.push(1);
        }
        batch
    }

    /// The first `read` tokens of each sequence as inputs, in rows of at most `context` tokens.
    fn new(sequences: &[&Sequence], context: usize, read: impl Fn(&Sequence) -> usize) -> Self {
        let longest = sequences.iter().map(|sequence| read(sequence)).max();
        let columns = longest.unwrap_or(1).max(1).next_multiple_of(GRAIN);
        let columns = columns.min(context.max(longest.unwrap_or(1)));
        let mut inputs = Vec::with_capacity(sequences.len() * columns);
        for (row, sequence) in sequences.iter().enumerate() {
            inputs.extend(sequence.tokens().take(read(sequence)));
            inputs.resize((row + 1) * columns, 0);
        }
        Self {
            inputs,
            columns,
            places: Vec::new(),
            targets: Vec::new(),
            lengths: Vec::new(),
        }
    }

    /// The trunk's output at the places, `[1, places, width]`, one sequence after the other. For prompts and padding,
    /// neither a head nor a loss is computed.
    pub fn hidden(&self, model: &Decoder, device: &Device, dropout: &mut Dropout) -> Tensor<3> {
        let device = device.clone().inner();
        let shape = [self.inputs.len() / self.columns, self.columns];
        let ids = TensorData::new(self.inputs.clone(), shape);
        let hidden = model.hidden(Tensor::from_data(ids, &device), dropout);
        let [rows, columns, width] = hidden.dims();
        let places = TensorData::new(self.places.clone(), [1, self.places.len()]);
        let places = Tensor::<2, Int>::from_data(places, &device);
        kernels::embedding(hidden.reshape([rows * columns, width]), places)
    }

    /// Log-probabilities `[places]` in nats of the targets under `logits` (`[places, vocabulary]`).
    pub fn log_probabilities(&self, logits: Tensor<2>) -> Tensor<1> {
        let targets = TensorData::new(self.targets.clone(), [self.targets.len()]);
        let targets = Tensor::<1, Int>::from_data(targets, &logits.device().inner());
        kernels::cross_entropy(logits, targets).neg()
    }

    /// Sums `[sequences]` over each sequence's places, of `values` (`[places]`).
    pub fn sums(&self, values: Tensor<1>) -> Tensor<1> {
        let device = values.device();
        let (count, sequences) = (self.places.len(), self.lengths.len());
        let longest = self.lengths.iter().copied().max().unwrap_or(0);
        // Rows of equal length: the values of a sequence are padded with 0.
        let mut rows = Vec::with_capacity(sequences * longest);
        let mut start = 0;
        for (row, &length) in self.lengths.iter().enumerate() {
            rows.extend((start..start + length).map(|place| place as i32));
            rows.resize((row + 1) * longest, count as i32);
            start += length;
        }
        let rows = TensorData::new(rows, [sequences, longest]);
        let rows = Tensor::<2, Int>::from_data(rows, &device.clone().inner());
        let values = Tensor::cat(vec![values, Tensor::zeros([1], &device)], 0);
        let values = kernels::embedding(values.reshape([count + 1, 1]), rows);
        values.sum_dim(1).reshape([sequences])
    }
}

/// Logits `[places, vocabulary]` from the output of [`SequenceBatch::hidden`], divided by a temperature. (The head
/// has no bias, so the smaller tensor can be divided.)
pub fn logits(model: &Decoder, hidden: Tensor<3>, temperature: f64) -> Tensor<2> {
    let [_, places, _] = hidden.dims();
    let hidden = if temperature == 1.0 {
        hidden
    } else {
        hidden / temperature
    };
    let logits = model.logits(hidden);
    let vocabulary = logits.dims()[2];
    logits.reshape([places, vocabulary])
}

/// Log-probabilities of answers, token by token, one sequence after the other.
pub fn log_probabilities(
    model: &Decoder,
    batch: &SequenceBatch,
    device: &Device,
    temperature: f64,
) -> Tensor<1> {
    let hidden = batch.hidden(model, device, &mut Dropout::off());
    batch.log_probabilities(logits(model, hidden, temperature))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_predicted_and_prompts_are_not() {
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
        let batch = SequenceBatch::predicting(&rows, 5);
        assert_eq!(batch.inputs, [1, 2, 3, 4, 0, 6, 0, 0, 0, 0]);
        assert_eq!(
            (batch.places, batch.targets),
            (vec![2, 3, 5], vec![4, 5, 7])
        );
        assert_eq!(batch.lengths, [2, 1]);
        let whole = SequenceBatch::whole(&rows, 64);
        assert_eq!((whole.columns, whole.places), (8, vec![4, 9]));
        assert_eq!(whole.inputs[..5], [1, 2, 3, 4, 5]);
        assert_eq!(whole.targets, [0; 0]);
    }

    /// No logits are computed for prompts and padding; the logits of answers equal the whole model's.
    #[test]
    fn only_answers_reach_the_head() {
        let device = Device::flex();
        let shape = lab_protocol::ModelConfig {
            layers: 1,
            heads: 2,
            width: 8,
            context: 16,
            ..Default::default()
        };
        let model = Decoder::new(&shape, 9, 1, &device);
        let sequence = |prompt: Vec<u32>, response: Vec<u32>| Sequence { prompt, response };
        let sequences = [
            sequence(vec![1, 2, 3, 4, 5, 6, 7], vec![8, 1]),
            sequence(vec![3], vec![2, 6, 5]),
        ];
        let batch = SequenceBatch::predicting(&sequences.each_ref(), 16);
        let hidden = batch.hidden(&model, &device, &mut Dropout::off());
        assert_eq!(hidden.dims(), [1, 5, 8]);
        let read = |x: Tensor<1>| pollster::block_on(crate::parameters::read(vec![x])).unwrap();
        let found = read(log_probabilities(&model, &batch, &device, 1.0)).concat();
        let mut expected = Vec::new();
        for sequence in &sequences {
            let tokens: Vec<i32> = sequence.tokens().collect();
            let ids = TensorData::new(tokens.clone(), [1, tokens.len()]);
            let logits = model.forward(Tensor::from_data(ids, &device), &mut Dropout::off());
            let all = burn::tensor::activation::log_softmax(logits, 2);
            let all = read(all.reshape([tokens.len() * 9])).concat();
            for at in sequence.prompt.len()..tokens.len() {
                expected.push(all[(at - 1) * 9 + tokens[at] as usize]);
            }
        }
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-5, "{found}, {expected}");
        }
    }

    #[test]
    fn sums_are_over_each_sequence() {
        let sequence = |length: u32| Sequence {
            prompt: vec![0],
            response: (0..length).collect(),
        };
        let sequences = [sequence(1), sequence(0), sequence(3), sequence(2)];
        let batch = SequenceBatch::predicting(&sequences.each_ref(), 8);
        let values = Tensor::from_floats([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &Device::flex());
        let sums = crate::parameters::read(vec![batch.sums(values)]);
        assert_eq!(pollster::block_on(sums).unwrap(), [[1.0, 0.0, 9.0, 11.0]]);
    }
}
