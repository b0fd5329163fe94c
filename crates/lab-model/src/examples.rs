//! Examples to learn from: tokens; some are only read and others are learned.
// Learned tokens are ranges; a range is not a list of its numbers.
#![allow(clippy::single_range_in_vec_init)]

use crate::decoder::{Decoder, Packing};
use crate::dropout::Dropout;
use crate::evaluate::{MicroBatch, Sums};
use crate::kernels;
use crate::random::{Purpose, Random};
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::ops::Range;

/// A prompt and its completion, or a whole conversation, as one sequence of tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    pub tokens: Vec<u32>,
    /// Ranges of the learned tokens: in order, apart from each other, none empty, none at 0.
    pub learned: Vec<Range<usize>>,
}

impl Example {
    /// A prompt and a completion that ends with `end`, which is added if it is missing.
    pub fn new(prompt: Vec<u32>, completion: Vec<u32>, end: u32) -> Self {
        let length = prompt.len();
        let mut tokens = prompt;
        tokens.extend(completion);
        if tokens.len() == length || tokens.last() != Some(&end) {
            tokens.push(end);
        }
        Self {
            learned: vec![length.max(1)..tokens.len()],
            tokens,
        }
    }

    /// Number of tokens that the model reads: all but the last, which it only has to predict.
    pub fn length(&self) -> usize {
        self.tokens.len() - 1
    }

    /// Number of learned tokens.
    pub fn learned_tokens(&self) -> usize {
        self.learned.iter().map(Range::len).sum()
    }

    /// Each token, and whether it is learned.
    pub fn mask(&self) -> Vec<(u32, bool)> {
        let is_learned = |index| self.learned.iter().any(|span| span.contains(&index));
        let tokens = self.tokens.iter().enumerate();
        tokens
            .map(|(index, &token)| (token, is_learned(index)))
            .collect()
    }

    /// The example cut to at most `limit` tokens read: first the tokens before the learned ones are cut, all but one,
    /// then its end.
    pub fn truncated(&self, limit: usize) -> Self {
        let surplus = self.length().saturating_sub(limit.max(1));
        let first = self.learned.first().map_or(0, |span| span.start);
        let cut = surplus.min(first.saturating_sub(1));
        let end = self.tokens.len() - (surplus - cut);
        let learned = self.learned.iter();
        Self {
            tokens: self.tokens[cut..end].to_vec(),
            learned: learned
                .map(|span| span.start - cut..span.end.min(end) - cut)
                .filter(|span| !span.is_empty())
                .collect(),
        }
    }
}

/// Examples that go through the model at once: in rows of one length, or packed.
#[derive(Clone, Debug, PartialEq)]
pub struct ExampleBatch {
    inputs: Vec<i32>,
    layout: Layout,
    /// Indices into `inputs` of the tokens before learned ones, and the learned tokens.
    places: Vec<i32>,
    targets: Vec<i32>,
}

#[derive(Clone, Debug, PartialEq)]
enum Layout {
    Rows { rows: usize, columns: usize },
    Packed { lengths: Vec<usize> },
}

/// Row lengths are a multiple of this, so a GPU sees few shapes.
const COLUMNS: usize = 8;

impl ExampleBatch {
    /// Builds rows as long as the longest, padded at the end. Padding is never learned: positions decide what counts,
    /// not tokens, so an end of text counts although it looks like padding.
    pub fn rows(examples: &[&Example], context: usize) -> Self {
        let longest = examples.iter().map(|example| example.length()).max();
        let columns = longest.unwrap_or(0).next_multiple_of(COLUMNS).min(context);
        let layout = Layout::Rows {
            rows: examples.len(),
            columns,
        };
        Self::filled(examples, layout, |row, _| row * columns)
    }

    /// Concatenates the examples.
    pub fn packed(examples: &[&Example]) -> Self {
        let lengths = examples.iter().map(|example| example.length()).collect();
        Self::filled(examples, Layout::Packed { lengths }, |_, end| end)
    }

    fn filled(
        examples: &[&Example],
        layout: Layout,
        place: impl Fn(usize, usize) -> usize,
    ) -> Self {
        let mut batch = Self {
            inputs: Vec::new(),
            layout,
            places: Vec::new(),
            targets: Vec::new(),
        };
        for (row, example) in examples.iter().enumerate() {
            let start = place(row, batch.inputs.len());
            batch.inputs.resize(start, 0);
            let read = &example.tokens[..example.length()];
            batch.inputs.extend(read.iter().map(|&id| id as i32));
            for index in example.learned.iter().cloned().flatten() {
                batch.places.push((start + index - 1) as i32);
                batch.targets.push(example.tokens[index] as i32);
            }
        }
        if let Layout::Rows { rows, columns } = batch.layout {
            batch.inputs.resize(rows * columns, 0);
        }
        batch
    }

    /// Number of tokens that go through the model, padding included.
    pub fn computed(&self) -> usize {
        self.inputs.len()
    }

    fn hidden(&self, model: &Decoder, device: &Device, dropout: &mut Dropout) -> Tensor<3> {
        let inner = device.clone().inner();
        let ids = |shape: [usize; 2]| {
            Tensor::<2, Int>::from_data(TensorData::new(self.inputs.clone(), shape), &inner)
        };
        match &self.layout {
            Layout::Rows { rows, columns } => model.hidden(ids([*rows, *columns]), dropout),
            Layout::Packed { lengths } => {
                let packing = Packing::new(lengths, device);
                model.hidden_packed(ids([1, self.inputs.len()]), &packing, dropout)
            }
        }
    }
}

impl MicroBatch for ExampleBatch {
    fn tokens(&self) -> usize {
        self.targets.len()
    }

    /// The head is computed only at positions before learned tokens.
    fn sums(&self, model: &Decoder, device: &Device, dropout: &mut Dropout) -> Sums {
        let hidden = self.hidden(model, device, dropout);
        let [rows, columns, width] = hidden.dims();
        let device = device.clone().inner();
        let count = self.targets.len();
        let places = TensorData::new(self.places.clone(), [1, count]);
        let places = Tensor::<2, Int>::from_data(places, &device);
        let chosen = kernels::embedding(hidden.reshape([rows * columns, width]), places);
        let logits = model.logits(chosen);
        let vocabulary = logits.dims()[2];
        let logits = logits.reshape([count, vocabulary]);
        let targets = TensorData::new(self.targets.clone(), [count]);
        let targets = Tensor::<1, Int>::from_data(targets, &device);
        let likeliest = logits.clone().without_autodiff().argmax(1);
        let right = likeliest
            .reshape([count])
            .equal(targets.clone())
            .float()
            .sum();
        Sums {
            nll: kernels::cross_entropy(logits, targets).sum(),
            right: Some(right),
        }
    }
}

/// The examples of each micro-batch. An epoch goes through all examples in its own order, examples of similar length
/// together to save padding. The order follows from seed and epoch, and is computed once for each epoch.
pub struct BatchOrder {
    size: usize,
    seed: u64,
    /// The epoch of the last micro-batch, and the indices of its examples, batch by batch.
    epoch: Option<(usize, Vec<Vec<usize>>)>,
}

impl BatchOrder {
    /// Micro-batches of `size` examples, at least one.
    pub fn new(size: usize, seed: u64) -> Self {
        Self {
            size: size.max(1),
            seed,
            epoch: None,
        }
    }

    /// The examples of a micro-batch, counted from 0 through all of training. `examples` must be the same at every
    /// call.
    pub fn batch<'e>(&mut self, examples: &'e [Example], index: usize) -> Vec<&'e Example> {
        let batches = examples.len().div_ceil(self.size);
        if batches == 0 {
            return Vec::new();
        }
        let (epoch, number) = (index / batches, index % batches);
        if self.epoch.as_ref().is_none_or(|(made, _)| *made != epoch) {
            self.epoch = Some((epoch, self.order(examples, epoch)));
        }
        let order = self.epoch.as_ref().map(|(_, order)| order);
        let chosen = order.and_then(|order| order.get(number));
        chosen
            .into_iter()
            .flatten()
            .map(|&place| &examples[place])
            .collect()
    }

    fn order(&self, examples: &[Example], epoch: usize) -> Vec<Vec<usize>> {
        let mut random = Random::new(self.seed, Purpose::Batches, epoch as u64);
        let mut order: Vec<usize> = (0..examples.len()).collect();
        shuffle(&mut order, &mut random);
        // Sorted only within stretches: batches of the same few lengths over and over would not be random.
        for stretch in order.chunks_mut(self.size * STRETCH) {
            stretch.sort_by_key(|&place| examples[place].length());
        }
        let sorted: Vec<&[usize]> = order.chunks(self.size).collect();
        let mut places: Vec<usize> = (0..sorted.len()).collect();
        shuffle(&mut places, &mut random);
        places.iter().map(|&place| sorted[place].to_vec()).collect()
    }
}

/// Number of batches among which examples are sorted by length.
const STRETCH: usize = 16;

/// Puts items into random order (Fisher and Yates).
pub fn shuffle<T>(items: &mut [T], random: &mut Random) {
    for last in (1..items.len()).rev() {
        items.swap(last, random.below(last as u64 + 1) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn example(prompt: usize, completion: usize) -> Example {
        let prompt: Vec<u32> = (1..=prompt as u32).collect();
        let completion: Vec<u32> = (100..100 + completion as u32).collect();
        Example::new(prompt, completion, 7)
    }

    #[test]
    fn the_end_is_added_once_and_always_learned() {
        assert_eq!(Example::new(vec![1], vec![2], 7).tokens, [1, 2, 7]);
        assert_eq!(Example::new(vec![1], vec![2, 7], 7).tokens, [1, 2, 7]);
        // A prompt that ends with the end token is not an answer.
        assert_eq!(Example::new(vec![7], vec![], 7).tokens, [7, 7]);
        let example = Example::new(vec![0, 0], vec![0], 0);
        let batch = ExampleBatch::rows(&[&example], 64);
        // Here token 0 is both padding and the end; it counts only as the end.
        assert_eq!((batch.places, batch.targets), (vec![1], vec![0]));
        assert_eq!(batch.inputs.len(), 8);
        assert_eq!(example.mask(), [(0, false), (0, false), (0, true)]);
    }

    #[test]
    fn truncation_takes_from_the_prompt_first() {
        let whole = example(6, 3);
        let cut = whole.truncated(5);
        assert_eq!((cut.tokens.len(), &cut.learned[..]), (6, &[2..6][..]));
        assert_eq!(cut.tokens[2..], whole.tokens[6..]);
        let hard = whole.truncated(2);
        assert_eq!(
            (&hard.tokens[..], &hard.learned[..]),
            (&[6, 100, 101][..], &[1..3][..])
        );
        assert_eq!(whole.truncated(50), whole);
        // A conversation loses later turns if its beginning is not enough.
        let turns = Example {
            tokens: (0..10).collect(),
            learned: vec![2..4, 6..8, 9..10],
        };
        let cut = turns.truncated(7);
        assert_eq!(
            (&cut.tokens[..], &cut.learned[..]),
            (&[1, 2, 3, 4, 5, 6, 7, 8][..], &[1..3, 5..7][..])
        );
        assert_eq!(turns.learned_tokens(), 5);
    }

    #[test]
    fn the_turns_of_a_conversation_are_learned_and_nothing_else() {
        let turns = Example {
            tokens: (10..20).collect(),
            learned: vec![2..4, 6..7],
        };
        let batch = ExampleBatch::rows(&[&example(1, 1), &turns], 64);
        assert_eq!(batch.targets, [100, 7, 12, 13, 16]);
        let read: Vec<i32> = batch
            .places
            .iter()
            .map(|&place| batch.inputs[place as usize])
            .collect();
        assert_eq!(read, [1, 100, 11, 12, 15]);
    }

    /// The order computed anew for each micro-batch, without a cache.
    fn reference(examples: &[Example], size: usize, seed: u64, index: usize) -> Vec<&Example> {
        let batches = examples.len().div_ceil(size);
        let mut random = Random::new(seed, Purpose::Batches, (index / batches) as u64);
        let mut order: Vec<usize> = (0..examples.len()).collect();
        shuffle(&mut order, &mut random);
        for stretch in order.chunks_mut(size * STRETCH) {
            stretch.sort_by_key(|&place| examples[place].length());
        }
        let mut places: Vec<usize> = (0..batches).collect();
        shuffle(&mut places, &mut random);
        let chosen = order.chunks(size).nth(places[index % batches]);
        chosen
            .unwrap()
            .iter()
            .map(|&place| &examples[place])
            .collect()
    }

    #[test]
    fn an_order_is_made_once_an_epoch_and_is_the_one_of_before() {
        let examples: Vec<Example> = (0..70)
            .map(|n| example(1 + n * 7 % 11, n * 5 % 13))
            .collect();
        let (size, batches) = (4, 18);
        let mut whole = BatchOrder::new(size, 9);
        let mut made = None;
        for index in 0..3 * batches {
            assert_eq!(
                whole.batch(&examples, index),
                reference(&examples, size, 9, index)
            );
            let order = whole.epoch.as_ref().map(|(_, order)| order.as_ptr());
            assert!(
                index % batches == 0 || order == made,
                "made again for {index}"
            );
            made = order;
            // A run that is resumed here has the same batch.
            assert_eq!(
                BatchOrder::new(size, 9).batch(&examples, index),
                whole.batch(&examples, index)
            );
        }
        assert!(BatchOrder::new(size, 9).batch(&[], 3).is_empty());
    }

    proptest! {
        #[test]
        fn an_epoch_has_every_example_once(lengths in prop::collection::vec((1usize..20, 0usize..20), 1..80), size in 1usize..9, seed in 0u64..20) {
            let examples: Vec<Example> = lengths.iter().map(|&(p, c)| example(p, c)).collect();
            let batches = examples.len().div_ceil(size);
            for epoch in 0..2 {
                let mut order = BatchOrder::new(size, seed);
                let mut seen: Vec<&Example> = (0..batches)
                    .flat_map(|batch| order.batch(&examples, epoch * batches + batch))
                    .collect();
                prop_assert_eq!(seen.len(), examples.len());
                let mut all: Vec<&Example> = examples.iter().collect();
                seen.sort_by_key(|e| e.tokens.clone());
                all.sort_by_key(|e| e.tokens.clone());
                prop_assert_eq!(seen, all);
            }
        }

        #[test]
        fn both_layouts_learn_the_same_tokens(lengths in prop::collection::vec((1usize..20, 0usize..20), 1..9)) {
            let examples: Vec<Example> = lengths.iter().map(|&(p, c)| example(p, c)).collect();
            let refs: Vec<&Example> = examples.iter().collect();
            let (rows, packed) = (ExampleBatch::rows(&refs, 64), ExampleBatch::packed(&refs));
            let learned: usize = examples.iter().map(Example::learned_tokens).sum();
            prop_assert_eq!(rows.tokens(), learned);
            prop_assert_eq!(&rows.targets, &packed.targets);
            for batch in [&rows, &packed] {
                prop_assert!(batch.places.iter().all(|&place| (place as usize) < batch.inputs.len()));
                // The token before a target is the one before it in its example.
                let before: Vec<i32> = examples
                    .iter()
                    .flat_map(|e| e.tokens[e.learned[0].start - 1..e.tokens.len() - 1].iter().map(|&id| id as i32))
                    .collect();
                let found: Vec<i32> = batch.places.iter().map(|&place| batch.inputs[place as usize]).collect();
                prop_assert_eq!(found, before);
            }
        }
    }
}
