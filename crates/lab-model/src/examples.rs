//! Examples to learn from: a prompt, which is only read, and a completion, which is learned.

use crate::decoder::{Decoder, Packing};
use crate::dropout::Dropout;
use crate::evaluate::{MicroBatch, Sums};
use crate::kernels;
use crate::random::{Purpose, Random};
use burn::tensor::{Device, Int, Tensor, TensorData};

/// A prompt and its completion as tokens, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    pub tokens: Vec<u32>,
    /// Tokens of the prompt: those after it are learned. At least 1, and fewer than there are.
    pub prompt: usize,
}

impl Example {
    /// A prompt and a completion that ends with `end`, which is added where it is missing.
    pub fn new(prompt: Vec<u32>, completion: Vec<u32>, end: u32) -> Self {
        let length = prompt.len();
        let mut tokens = prompt;
        tokens.extend(completion);
        if tokens.len() == length || tokens.last() != Some(&end) {
            tokens.push(end);
        }
        Self {
            tokens,
            prompt: length,
        }
    }

    /// Tokens that the model reads: all but the last, which only has to be foretold.
    pub fn length(&self) -> usize {
        self.tokens.len() - 1
    }

    /// Tokens that are learned.
    pub fn learned(&self) -> usize {
        self.tokens.len() - self.prompt
    }

    /// The example cut to `most` tokens read: the prompt loses its beginning, and the completion its end
    /// where one token of the prompt is not little enough.
    pub fn truncated(&self, most: usize) -> Self {
        let surplus = self.length().saturating_sub(most.max(1));
        let from_prompt = surplus.min(self.prompt.saturating_sub(1));
        let end = self.tokens.len() - (surplus - from_prompt);
        Self {
            tokens: self.tokens[from_prompt..end].to_vec(),
            prompt: self.prompt - from_prompt,
        }
    }
}

/// Examples that are run through the model at once: in rows of one length, or packed.
#[derive(Clone, Debug, PartialEq)]
pub struct ExampleBatch {
    inputs: Vec<i32>,
    layout: Layout,
    /// Where in `inputs` a token stands whose next one is learned, and that next one.
    places: Vec<i32>,
    targets: Vec<i32>,
}

#[derive(Clone, Debug, PartialEq)]
enum Layout {
    Rows { rows: usize, columns: usize },
    Packed { lengths: Vec<usize> },
}

/// Rows are as long as a multiple of this, so that a GPU sees few shapes.
const COLUMNS: usize = 8;

impl ExampleBatch {
    /// In rows as long as the longest, padded at the end. Padding is never learned: what counts is said
    /// by place, not by token, so that an end of text that looks like padding counts all the same.
    pub fn rows(examples: &[&Example], context: usize) -> Self {
        let longest = examples.iter().map(|example| example.length()).max();
        let columns = longest.unwrap_or(0).next_multiple_of(COLUMNS).min(context);
        let layout = Layout::Rows {
            rows: examples.len(),
            columns,
        };
        Self::filled(examples, layout, |row, _| row * columns)
    }

    /// One behind the other.
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
            for (index, &target) in example
                .tokens
                .iter()
                .enumerate()
                .skip(example.prompt.max(1))
            {
                batch.places.push((start + index - 1) as i32);
                batch.targets.push(target as i32);
            }
        }
        if let Layout::Rows { rows, columns } = batch.layout {
            batch.inputs.resize(rows * columns, 0);
        }
        batch
    }

    /// Tokens run through the model, padding included.
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

    /// The head is computed only where a token is learned.
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

/// The examples of a micro-batch, counted from 0 through all of training: an epoch goes through all
/// examples in an order of its own, those of like length together, so that little is padded.
pub fn examples_of_batch(
    examples: &[Example],
    size: usize,
    seed: u64,
    index: usize,
) -> Vec<&Example> {
    let batches = examples.len().div_ceil(size.max(1));
    if batches == 0 {
        return Vec::new();
    }
    let (epoch, number) = (index / batches, index % batches);
    let mut random = Random::new(seed, Purpose::Batches, epoch as u64);
    let mut order: Vec<usize> = (0..examples.len()).collect();
    shuffle(&mut order, &mut random);
    // Only within stretches: batches of the same few lengths over and over would not be random.
    for stretch in order.chunks_mut(size.max(1) * STRETCH) {
        stretch.sort_by_key(|&example| examples[example].length());
    }
    let mut places: Vec<usize> = (0..batches).collect();
    shuffle(&mut places, &mut random);
    let chosen = order.chunks(size.max(1)).nth(places[number]);
    chosen
        .unwrap_or_default()
        .iter()
        .map(|&example| &examples[example])
        .collect()
}

/// Batches among which examples are sorted by length.
const STRETCH: usize = 16;

fn shuffle(items: &mut [usize], random: &mut Random) {
    for last in (1..items.len()).rev() {
        items.swap(last, random.below(last as u64 + 1) as usize);
    }
}

/// Each token of an example, and whether it is learned; for a look at what is trained.
pub fn mask(example: &Example) -> Vec<(u32, bool)> {
    let learned = |(index, &id): (usize, &u32)| (id, index >= example.prompt);
    example.tokens.iter().enumerate().map(learned).collect()
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
        // A prompt that ends with the end is not an answer.
        assert_eq!(Example::new(vec![7], vec![], 7).tokens, [7, 7]);
        let example = Example::new(vec![0, 0], vec![0], 0);
        let batch = ExampleBatch::rows(&[&example], 64);
        // Token 0 pads and ends here; it counts where it ends, and nowhere else.
        assert_eq!((batch.places, batch.targets), (vec![1], vec![0]));
        assert_eq!(batch.inputs.len(), 8);
        assert_eq!(mask(&example), [(0, false), (0, false), (0, true)]);
    }

    #[test]
    fn truncation_takes_from_the_prompt_first() {
        let whole = example(6, 3);
        let cut = whole.truncated(5);
        assert_eq!((cut.tokens.len(), cut.prompt), (6, 2));
        assert_eq!(cut.tokens[2..], whole.tokens[6..]);
        let hard = whole.truncated(2);
        assert_eq!((hard.tokens, hard.prompt), (vec![6, 100, 101], 1));
        assert_eq!(whole.truncated(50), whole);
    }

    proptest! {
        #[test]
        fn an_epoch_has_every_example_once(lengths in prop::collection::vec((1usize..20, 0usize..20), 1..80), size in 1usize..9, seed in 0u64..20) {
            let examples: Vec<Example> = lengths.iter().map(|&(p, c)| example(p, c)).collect();
            let batches = examples.len().div_ceil(size);
            for epoch in 0..2 {
                let mut seen: Vec<&Example> = (0..batches)
                    .flat_map(|batch| examples_of_batch(&examples, size, seed, epoch * batches + batch))
                    .collect();
                prop_assert_eq!(seen.len(), examples.len());
                let mut all: Vec<&Example> = examples.iter().collect();
                seen.sort_by_key(|e| (e.prompt, e.tokens.len()));
                all.sort_by_key(|e| (e.prompt, e.tokens.len()));
                prop_assert_eq!(seen, all);
            }
        }

        #[test]
        fn both_layouts_learn_the_same_tokens(lengths in prop::collection::vec((1usize..20, 0usize..20), 1..9)) {
            let examples: Vec<Example> = lengths.iter().map(|&(p, c)| example(p, c)).collect();
            let refs: Vec<&Example> = examples.iter().collect();
            let (rows, packed) = (ExampleBatch::rows(&refs, 64), ExampleBatch::packed(&refs));
            let learned: usize = examples.iter().map(Example::learned).sum();
            prop_assert_eq!(rows.tokens(), learned);
            prop_assert_eq!(&rows.targets, &packed.targets);
            for batch in [&rows, &packed] {
                prop_assert!(batch.places.iter().all(|&place| (place as usize) < batch.inputs.len()));
                // What stands before a target is the token before it.
                let before: Vec<i32> = examples
                    .iter()
                    .flat_map(|e| e.tokens[e.prompt - 1..e.tokens.len() - 1].iter().map(|&id| id as i32))
                    .collect();
                let found: Vec<i32> = batch.places.iter().map(|&place| batch.inputs[place as usize]).collect();
                prop_assert_eq!(found, before);
            }
        }
    }
}
