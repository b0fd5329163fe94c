//! The search terms of a text.

use rust_stemmers::{Algorithm, Stemmer};
use serde::{Deserialize, Serialize};

/// English words that say little about the topic of a text: Lucene's list.
pub const STOP_WORDS: [&str; 33] = [
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it",
    "no", "not", "of", "on", "or", "such", "that", "the", "their", "then", "there", "these",
    "they", "this", "to", "was", "will", "with",
];

/// Settings of the terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TermConfig {
    /// [`STOP_WORDS`] are left out.
    pub stop_words: bool,
    /// Words are reduced to stems (Snowball's English stemmer, which is Porter's second).
    pub stemming: bool,
    /// The minimum number of characters of a word; shorter words are left out.
    pub shortest: usize,
}

impl Default for TermConfig {
    fn default() -> Self {
        Self {
            stop_words: true,
            stemming: true,
            shortest: 1,
        }
    }
}

/// Runs of letters, digits and underscores, in lower case.
pub fn lowercase_words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

/// The terms of a text, in their order.
pub fn terms(text: &str, config: TermConfig) -> Vec<String> {
    let stemmer = config.stemming.then(|| Stemmer::create(Algorithm::English));
    lowercase_words(text)
        .filter(|word| word.chars().count() >= config.shortest)
        .filter(|word| !(config.stop_words && STOP_WORDS.contains(&word.as_str())))
        .map(|word| match &stemmer {
            Some(stemmer) => stemmer.stem(&word).into_owned(),
            None => word,
        })
        .collect()
}
