//! Vectors of hashed n-grams, which need no model. Words, pairs of words and the character n-grams of words are
//! hashed into a fixed number of dimensions, with a sign from the hash so that collisions cancel on average (Weinberger et al. 2009, "Feature hashing for large scale multitask
//! learning"). Character n-grams bring together the forms of a word (Bojanowski et al. 2017).

use super::embedder::{Embedder, TextKind};
use super::terms::lowercase_words;
use async_trait::async_trait;
use lab_protocol::{LabError, from_value, text};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

/// Settings of the vectors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HashedConfig {
    /// Length of the vectors.
    pub dimensions: usize,
    /// Lengths of the character n-grams, from the first to the second; 0, 0 for none.
    pub character_ngrams: [usize; 2],
    /// Pairs of neighbouring words count too.
    pub word_pairs: bool,
    /// Weight of a word's character n-grams and pairs, relative to 1 for the word itself.
    pub part_weight: f32,
}

impl Default for HashedConfig {
    fn default() -> Self {
        Self {
            dimensions: 1024,
            character_ngrams: [3, 5],
            word_pairs: true,
            part_weight: 0.3,
        }
    }
}

impl HashedConfig {
    pub fn validate(&self) -> Result<(), LabError> {
        if !(1..=65_536).contains(&self.dimensions) {
            return Err(LabError::config(
                "dimensions",
                text!("vectors of {numbers} numbers", numbers = self.dimensions),
                "Use a whole number from 1 to 65536.",
            ));
        }
        let [low, high] = self.character_ngrams;
        if high > 16 || low > high || (low == 0) != (high == 0) {
            return Err(LabError::config(
                "character_ngrams",
                text!("character n-grams from {low} to {high}", low, high),
                "Use two lengths from 1 to 16, the smaller first, or 0 and 0 for none.",
            ));
        }
        if !(self.part_weight.is_finite() && (0.0..=100.0).contains(&self.part_weight)) {
            return Err(LabError::config(
                "part_weight",
                text!("a weight of {weight}", weight = self.part_weight),
                "Use a number from 0 to 100.",
            ));
        }
        Ok(())
    }
}

/// The number of texts in a collection that have each word, by hashed places. Rare words weigh more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Frequencies {
    texts: u32,
    /// By place; places without a text are left out.
    by_place: HashMap<u32, u32>,
}

/// Places of the frequencies: enough for the words of a large collection to be nearly alone.
const FREQUENCY_PLACES: u64 = 1 << 18;

#[derive(Clone, Debug)]
pub struct HashedEmbedder {
    config: HashedConfig,
    frequencies: Option<Frequencies>,
}

impl HashedEmbedder {
    pub fn new(config: HashedConfig) -> Result<Self, LabError> {
        config.validate()?;
        Ok(Self {
            config,
            frequencies: None,
        })
    }

    /// Weights words by their rarity in `texts`: ln((N + 1)/(df + 1)) + 1.
    pub fn weighted<'a>(mut self, texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut frequencies = Frequencies {
            texts: 0,
            by_place: HashMap::new(),
        };
        for text in texts {
            frequencies.texts += 1;
            let places: HashSet<u32> = lowercase_words(text)
                .map(|word| frequency_place(&word))
                .collect();
            for place in places {
                *frequencies.by_place.entry(place).or_default() += 1;
            }
        }
        self.frequencies = Some(frequencies);
        self
    }

    /// The embedder of a description.
    pub fn from_description(description: &Value) -> Result<Self, LabError> {
        let part = |name: &str| description.get(name).cloned().unwrap_or(Value::Null);
        let mut embedder = Self::new(from_value(part("config"))?)?;
        embedder.frequencies = from_value(part("frequencies"))?;
        Ok(embedder)
    }

    /// The vector of a text, of length 1; all zero for a text without words.
    pub fn vector(&self, text: &str) -> Vec<f32> {
        // Term frequencies first: a word said ten times does not count ten times.
        let mut features: HashMap<u64, (f32, u32)> = HashMap::new();
        let mut add = |hash: u64, weight: f32| {
            let entry = features.entry(hash).or_insert((weight, 0));
            entry.1 += 1;
        };
        let mut before: Option<(String, f32)> = None;
        for word in lowercase_words(text) {
            let rarity = self.rarity(&word);
            add(hash(b"w", word.as_bytes()), rarity);
            self.parts(&word, |part, parts| {
                let share = self.config.part_weight * rarity / (parts as f32).sqrt();
                add(hash(b"c", part.as_bytes()), share);
            });
            if let Some((first, weight)) = before.filter(|_| self.config.word_pairs) {
                let pair = format!("{first} {word}");
                add(
                    hash(b"p", pair.as_bytes()),
                    self.config.part_weight * (weight + rarity) / 2.0,
                );
            }
            before = Some((word, rarity));
        }
        self.collect(features)
    }

    /// Sums the features in a fixed order, so the rounding is the same everywhere.
    fn collect(&self, features: HashMap<u64, (f32, u32)>) -> Vec<f32> {
        let mut features: Vec<_> = features.into_iter().collect();
        features.sort_unstable_by_key(|(hash, _)| *hash);
        let mut vector = vec![0.0f32; self.config.dimensions];
        for (hash, (weight, count)) in features {
            let place = (hash % self.config.dimensions as u64) as usize;
            let sign = if hash >> 63 == 0 { 1.0 } else { -1.0 };
            // The square root grows with the count as the usual logarithm does, and is exact everywhere.
            vector[place] += sign * weight * (count as f32).sqrt();
        }
        let length = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
        if length > 0.0 {
            vector.iter_mut().for_each(|v| *v /= length);
        }
        vector
    }

    /// Calls `each` with every character n-gram of `<word>` and their number.
    fn parts(&self, word: &str, mut each: impl FnMut(&str, usize)) {
        let [low, high] = self.config.character_ngrams;
        if high == 0 {
            return;
        }
        let marked = format!("<{word}>");
        let mut bounds: Vec<usize> = marked.char_indices().map(|(at, _)| at).collect();
        bounds.push(marked.len());
        let characters = bounds.len() - 1;
        let number = (low..=high)
            .map(|length| (characters + 1).saturating_sub(length))
            .sum();
        for length in low..=high.min(characters) {
            for ends in bounds.windows(length + 1) {
                each(&marked[ends[0]..ends[length]], number);
            }
        }
    }

    fn rarity(&self, word: &str) -> f32 {
        let Some(frequencies) = &self.frequencies else {
            return 1.0;
        };
        let found = frequencies
            .by_place
            .get(&frequency_place(word))
            .copied()
            .unwrap_or(0);
        let ratio = (f64::from(frequencies.texts) + 1.0) / (f64::from(found) + 1.0);
        (libm::log(ratio) + 1.0).max(0.0) as f32
    }
}

#[async_trait(?Send)]
impl Embedder for HashedEmbedder {
    fn description(&self) -> Value {
        json!({"kind": "hashed", "config": self.config, "frequencies": self.frequencies})
    }

    fn dimensions(&self) -> usize {
        self.config.dimensions
    }

    async fn embed(&self, texts: &[&str], _: TextKind) -> Result<Vec<Vec<f32>>, LabError> {
        Ok(texts.iter().map(|text| self.vector(text)).collect())
    }
}

fn frequency_place(word: &str) -> u32 {
    (hash(b"f", word.as_bytes()) % FREQUENCY_PLACES) as u32
}

/// FNV-1a over both, then the finaliser of MurmurHash3, as FNV's high bits alone mix badly.
fn hash(kind: &[u8], bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for &byte in kind.iter().chain(bytes) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}
