//! Words, and their number of tokens.

use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// The pieces of a text that an ordinary word tokenizer makes: words, punctuation marks, new lines.
pub fn tokens(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive('\n').flat_map(|line| {
        let end = line.ends_with('\n').then_some("\n");
        line.split_whitespace()
            .flat_map(split_punctuation)
            .chain(end)
    })
}

/// "day!" is "day" and "!".
fn split_punctuation(word: &str) -> impl Iterator<Item = &str> {
    let is_mark = |c: char| c.is_ascii_punctuation() && c != '-' && c != '\'';
    let end = word.trim_end_matches(is_mark).len();
    let marks = word[end..]
        .char_indices()
        .map(move |(start, mark)| &word[end + start..end + start + mark.len_utf8()]);
    std::iter::once(&word[..end])
        .filter(|word| !word.is_empty())
        .chain(marks)
}

/// SHA-256 in hexadecimal.
pub(crate) fn sha256(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The words of everything that is written in a village.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Vocabulary {
    /// Every word, mark and new line with the number of times it occurs, in alphabetical order.
    pub entries: Vec<(String, usize)>,
    /// Words between blanks, repetitions included.
    pub words: usize,
    /// Pieces that [`tokens`] makes of them.
    pub tokens: usize,
}

impl Vocabulary {
    pub(crate) fn of<'t>(texts: impl Iterator<Item = &'t str>) -> Self {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        let (mut words, mut total) = (0, 0);
        for text in texts {
            words += text.split_whitespace().count();
            for token in tokens(text) {
                *counts.entry(token).or_default() += 1;
                total += 1;
            }
        }
        let mut entries: Vec<(String, usize)> = counts
            .into_iter()
            .map(|(token, count)| (token.to_owned(), count))
            .collect();
        entries.sort_unstable();
        Self {
            entries,
            words,
            tokens: total,
        }
    }

    /// For a tokenizer in which every entry is one token.
    pub fn tokens_per_word(&self) -> f64 {
        self.tokens as f64 / self.words as f64
    }

    /// Different words, marks and new lines not counted.
    pub fn distinct_words(&self) -> usize {
        self.entries
            .iter()
            .filter(|(token, _)| token.starts_with(char::is_alphanumeric))
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_new_lines_are_tokens() {
        let found: Vec<&str> = tokens("Anna, who sings, lives!\nWhy?\n").collect();
        assert_eq!(
            found,
            [
                "Anna", ",", "who", "sings", ",", "lives", "!", "\n", "Why", "?", "\n"
            ]
        );
    }

    #[test]
    fn digests_are_sha256() {
        assert_eq!(
            sha256(&[b"a", b"bc"]),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
