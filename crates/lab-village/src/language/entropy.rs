//! The entropy of the language: the loss of the best possible model on held-out text, a model that knows the grammar
//! and all facts. The probability of a document is known because every decision that wrote it is; [`exact_nats`]
//! computes it again from the text alone.

use super::stories;
use super::vocabulary::tokens;
use super::writer::Writer;
use crate::choices::{Choices, Path};
use crate::world::population::World;
use serde::Serialize;

/// The loss of the best possible model on a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Floor {
    /// -ln of the text's probability.
    pub nats: f64,
    pub documents: usize,
    /// Characters, the new line that ends each document included.
    pub characters: usize,
    /// Words between blanks.
    pub words: usize,
    /// Words, punctuation marks and new lines, each for itself.
    pub tokens: usize,
}

impl Floor {
    /// Adds a document of known cost.
    pub(crate) fn add(&mut self, text: &str, nats: f64) {
        self.nats += nats;
        self.documents += 1;
        self.characters += text.chars().count() + 1;
        self.words += text.split_whitespace().count();
        self.tokens += tokens(text).count() + 1;
    }

    pub fn nats_per_character(&self) -> f64 {
        self.nats / self.characters as f64
    }

    pub fn nats_per_word(&self) -> f64 {
        self.nats / self.words as f64
    }

    /// For a tokenizer with one token for each word, punctuation mark and new line.
    pub fn nats_per_token(&self) -> f64 {
        self.nats / self.tokens as f64
    }

    /// For any tokenizer, by the number of its tokens for the same text.
    pub fn nats_per_token_of(&self, tokens: usize) -> f64 {
        self.nats / tokens as f64
    }

    pub fn bits_per_character(&self) -> f64 {
        self.nats_per_character() / std::f64::consts::LN_2
    }
}

/// -ln of the exact probability of a document: the sum over every way in which the grammar can write it. `None` if
/// the grammar cannot.
pub fn exact_nats(world: &World, document: &str) -> Option<f64> {
    let mut path = Path::default();
    // The ways differ little in probability: relative to the first, the sum does not underflow.
    let mut first = None;
    let mut sum = 0.0;
    loop {
        let mut writer = Writer::expecting(document, Choices::along(&mut path));
        stories::document(&mut writer, world);
        if let Some(nats) = writer.finish_as_expected() {
            let first = *first.get_or_insert(nats);
            sum += libm::exp(first - nats);
        }
        if !path.advance() {
            break;
        }
    }
    first.map(|nats| nats - libm::log(sum))
}
