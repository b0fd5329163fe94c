//! A text as tokens, split for training and validation, and the windows drawn from it.

use crate::random::{Purpose, Random};
use crate::tokenizer::Tokenizer;
use lab_protocol::{ErrorCode, LabError, Text, text};

/// Target of a position that does not count.
pub const IGNORED: i32 = -1;

/// Tokens to train on and tokens held out.
#[derive(Clone, Debug)]
pub struct Corpus {
    pub training: Vec<u32>,
    pub validation: Vec<u32>,
}

/// `rows` windows of `columns` tokens, row after row, with the next token of each.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    pub rows: usize,
    pub columns: usize,
    pub inputs: Vec<i32>,
    pub targets: Vec<i32>,
    /// Number of targets that count.
    pub tokens: usize,
}

impl Corpus {
    /// Splits a text: the last `validation_fraction` of its tokens is held out.
    pub fn split(
        text: &str,
        tokenizer: &Tokenizer,
        validation_fraction: f64,
    ) -> Result<Self, LabError> {
        let mut training = tokenizer.encode(text).map_err(|error| error.at("data"))?;
        let kept = (training.len() as f64 * (1.0 - validation_fraction)) as usize;
        let validation = training.split_off(kept.min(training.len()));
        Ok(Self {
            training,
            validation,
        })
    }

    /// An error unless both parts (the held-out one if `validated`) fill at least one window of `context` tokens and
    /// the next token.
    pub fn must_fill(&self, context: usize, validated: bool) -> Result<(), LabError> {
        let needed = context + 1;
        let short = |message: Text| {
            let hint = "Give a longer text, or lower the model's context.";
            LabError::new(ErrorCode::InvalidData, message, hint).at("data")
        };
        if self.training.len() < needed {
            return Err(short(text!(
                "the training part of the text has {found} tokens, and a window of {context} needs {needed}",
                found = self.training.len(),
                context,
                needed,
            )));
        }
        if validated && self.validation.len() < needed {
            return Err(short(text!(
                "the validation part of the text has {found} tokens, and a window of {context} needs {needed}",
                found = self.validation.len(),
                context,
                needed,
            )));
        }
        Ok(())
    }

    /// The training batch of a step: windows at random positions, which `seed`, `step` and `micro` decide.
    pub fn batch(
        &self,
        rows: usize,
        columns: usize,
        seed: u64,
        step: usize,
        micro: usize,
    ) -> Batch {
        let mut random = Random::new(seed, Purpose::Batches, (step as u64) << 12 | micro as u64);
        let places = (self.training.len() - columns) as u64;
        let mut batch = Batch::new(rows, columns);
        for _ in 0..rows {
            let start = random.below(places) as usize;
            batch.push(&self.training[start..=start + columns]);
        }
        batch
    }
}

impl Batch {
    fn new(rows: usize, columns: usize) -> Self {
        let capacity = rows * columns;
        Self {
            rows,
            columns,
            inputs: Vec::with_capacity(capacity),
            targets: Vec::with_capacity(capacity),
            tokens: 0,
        }
    }

    /// Adds the window of a piece: all tokens but the last, and all but the first as their targets. A piece that does
    /// not fill the window is padded with positions that do not count.
    fn push(&mut self, piece: &[u32]) {
        let end = self.inputs.len() + self.columns;
        self.inputs
            .extend(piece[..piece.len() - 1].iter().map(|&id| id as i32));
        self.targets.extend(piece[1..].iter().map(|&id| id as i32));
        self.tokens += piece.len() - 1;
        self.inputs.resize(end, 0);
        self.targets.resize(end, IGNORED);
    }

    fn pad_rows(&mut self) {
        self.inputs.resize(self.rows * self.columns, 0);
        self.targets.resize(self.rows * self.columns, IGNORED);
    }
}

/// Batches that cover tokens from beginning to end, each token but the first a target exactly once. All have the same
/// shape. Windows start `stride` tokens apart: at `columns` they do not overlap; with a smaller stride each token but
/// the first ones has at least `columns - stride` tokens before it. With `limit` > 0 only that many windows, spread
/// evenly.
pub fn covering_batches(
    tokens: &[u32],
    rows: usize,
    columns: usize,
    stride: usize,
    limit: usize,
) -> Vec<Batch> {
    let Some(targets) = tokens.len().checked_sub(1).filter(|&targets| targets > 0) else {
        return Vec::new();
    };
    let windows = 1 + targets.saturating_sub(columns).div_ceil(stride);
    let chosen = if limit == 0 {
        windows
    } else {
        limit.min(windows)
    };
    let starts: Vec<usize> = (0..chosen).map(|i| i * windows / chosen * stride).collect();
    starts
        .chunks(rows)
        .map(|starts| {
            let mut batch = Batch::new(rows, columns);
            for &start in starts {
                let begin = batch.targets.len();
                batch.push(&tokens[start..tokens.len().min(start + columns + 1)]);
                // Targets of an earlier window are only context here.
                if start > 0 {
                    batch.targets[begin..begin + columns - stride].fill(IGNORED);
                    batch.tokens -= columns - stride;
                }
            }
            batch.pad_rows();
            batch
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lab_protocol::TokenizerKind;
    use proptest::prelude::*;

    #[test]
    fn the_split_is_nanogpts() {
        let text: String = ('a'..='z').cycle().take(1_115_394).collect();
        let tokenizer = Tokenizer::train(TokenizerKind::Character, 0, [&text]).unwrap();
        let corpus = Corpus::split(&text, &tokenizer, 0.1).unwrap();
        assert_eq!(
            (corpus.training.len(), corpus.validation.len()),
            (1_003_854, 111_540)
        );
    }

    #[test]
    fn a_short_text_is_refused_with_numbers() {
        let tokenizer = Tokenizer::Byte;
        let corpus = Corpus::split("too short", &tokenizer, 0.1).unwrap();
        let error = corpus.must_fill(64, true).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidData);
        assert_eq!(error.field.as_deref(), Some("data"));
        assert!(error.message.contains("64 needs 65"), "{error}");
    }

    proptest! {
        #[test]
        fn covering_covers_each_target_once(length in 2usize..300, rows in 1usize..5, columns in 1usize..20, overlap in 0usize..20) {
            let tokens: Vec<u32> = (0..length as u32).collect();
            let batches = covering_batches(&tokens, rows, columns, columns - overlap % columns, 0);
            let mut targets: Vec<i32> = batches.iter().flat_map(|b| b.targets.clone()).filter(|&t| t != IGNORED).collect();
            prop_assert_eq!(batches.iter().map(|b| b.tokens).sum::<usize>(), length - 1);
            targets.sort_unstable();
            prop_assert_eq!(targets, (1..length as i32).collect::<Vec<_>>());
            for batch in &batches {
                prop_assert_eq!(batch.inputs.len(), rows * columns);
                prop_assert_eq!(batch.targets.len(), rows * columns);
            }
        }

        #[test]
        fn training_windows_are_of_the_text(seed in 0u64..50, step in 0usize..50) {
            let corpus = Corpus { training: (0..100).collect(), validation: vec![] };
            let batch = corpus.batch(3, 10, seed, step, 0);
            for (input, target) in batch.inputs.iter().zip(&batch.targets) {
                prop_assert_eq!(input + 1, *target);
            }
            prop_assert!(batch.targets.iter().all(|t| *t < 100));
        }
    }
}
