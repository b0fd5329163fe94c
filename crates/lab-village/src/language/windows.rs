//! Long runs of words that texts have in common.

use std::collections::{BTreeMap, BTreeSet};

/// Held-out text and training data share no run of this many words, nor is a shorter held-out document part of
/// training data.
pub const WINDOW: usize = 24;

/// The runs of words that training data must not contain.
#[derive(Default)]
pub(crate) struct Windows {
    /// Digests of the runs by their length.
    runs: BTreeMap<usize, Digests>,
}

/// A set with a fast test for items that it does not contain, which nearly all items are.
struct Digests {
    set: BTreeSet<u64>,
    /// A bit for each digest, by its highest bits.
    bits: Vec<u64>,
}

const SIZE: u32 = 20;

impl Default for Digests {
    fn default() -> Self {
        Self {
            set: BTreeSet::new(),
            bits: vec![0; (1 << SIZE) / 64],
        }
    }
}

impl Digests {
    fn place(digest: u64) -> (usize, u64) {
        let bit = digest >> (64 - SIZE);
        ((bit / 64) as usize, 1 << (bit % 64))
    }

    fn insert(&mut self, digest: u64) {
        let (word, bit) = Self::place(digest);
        self.bits[word] |= bit;
        self.set.insert(digest);
    }

    fn contains(&self, digest: u64) -> bool {
        let (word, bit) = Self::place(digest);
        self.bits[word] & bit != 0 && self.set.contains(&digest)
    }
}

impl Windows {
    pub fn add(&mut self, text: &str) {
        let hashed = Hashed::new(text);
        let length = WINDOW.min(hashed.words());
        if length > 0 {
            let runs = self.runs.entry(length).or_default();
            hashed.runs(length).for_each(|run| runs.insert(run));
        }
    }

    /// Number of different runs.
    pub fn len(&self) -> usize {
        self.runs.values().map(|digests| digests.set.len()).sum()
    }

    /// Whether a text contains one of the runs. (By digests: once in many billions, a text without any is taken for
    /// one with a run.)
    pub fn occur_in(&self, text: &str) -> bool {
        let hashed = Hashed::new(text);
        self.runs
            .iter()
            .any(|(&length, runs)| hashed.runs(length).any(|run| runs.contains(run)))
    }
}

/// A polynomial over the words: the digest of any run follows from two prefixes.
struct Hashed {
    /// Digest of the first words, up to this number.
    prefixes: Vec<u64>,
}

const BASE: u64 = 0x9e37_79b9_7f4a_7c15;

impl Hashed {
    fn new(text: &str) -> Self {
        let mut prefixes = vec![0u64];
        let mut state = 0u64;
        for word in text.split_whitespace() {
            state = state.wrapping_mul(BASE).wrapping_add(digest(word));
            prefixes.push(state);
        }
        Self { prefixes }
    }

    fn words(&self) -> usize {
        self.prefixes.len() - 1
    }

    fn runs(&self, length: usize) -> impl Iterator<Item = u64> {
        let power = (0..length).fold(1u64, |power, _| power.wrapping_mul(BASE));
        let ends = self.prefixes.get(length..).unwrap_or_default();
        ends.iter()
            .zip(&self.prefixes)
            .map(move |(end, start)| end.wrapping_sub(start.wrapping_mul(power)))
    }
}

/// FNV-1a.
fn digest(word: &str) -> u64 {
    word.bytes().fold(0xcbf2_9ce4_8422_2325, |state, byte| {
        (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(range: std::ops::Range<usize>) -> String {
        range.map(|n| format!("w{n}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn long_runs_are_found_wherever_they_are() {
        let mut windows = Windows::default();
        windows.add(&words(0..60));
        assert!(windows.occur_in(&format!("a b {} c", words(20..20 + WINDOW))));
        assert!(!windows.occur_in(&format!("a b {} c", words(20..20 + WINDOW - 1))));
        assert!(!windows.occur_in(""));
    }

    #[test]
    fn a_short_text_is_found_as_a_whole() {
        let mut windows = Windows::default();
        windows.add("a b c");
        assert!(windows.occur_in("x a b c y"));
        assert!(!windows.occur_in("a b x c"));
    }
}
