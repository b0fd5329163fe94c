//! Training of byte-pair encoding (Sennrich et al. 2016): the pair of symbols that occurs most often becomes a
//! symbol, again and again. A merge updates only the counts that it changes, so megabytes take seconds.

use super::byte_level::character_of;
use super::split::pieces;
use lab_protocol::{LabError, text};
use serde_json::{Value, json};
use std::collections::{BinaryHeap, HashMap};

/// The text between two texts.
pub const END_OF_TEXT: &str = "<|endoftext|>";
/// Bytes and the end of a text: the minimum of every byte-pair vocabulary.
pub const SMALLEST_VOCABULARY: usize = 257;
/// Merges or texts between two calls of the progress function.
const PROGRESS_INTERVAL: usize = 64;

type Pair = (u32, u32);

/// Learns a vocabulary of at most `vocabulary` entries: fewer if the texts have no more pairs. `progress` gets the
/// number of merges made and of merges to make, and stops the training without a result by returning false. Returns a
/// Hugging Face `tokenizer.json`.
pub fn train<T: AsRef<str>>(
    vocabulary: usize,
    texts: impl IntoIterator<Item = T>,
    mut progress: impl FnMut(usize, usize) -> bool,
) -> Result<Option<Value>, LabError> {
    let Some(merges) = vocabulary.checked_sub(SMALLEST_VOCABULARY) else {
        return Err(LabError::config(
            "vocabulary",
            text!(
                "a vocabulary of {vocabulary} has no room for all bytes and the end of a text",
                vocabulary
            ),
            text!("Use {smallest} or more.", smallest = SMALLEST_VOCABULARY),
        ));
    };
    let mut counts: HashMap<String, u64> = HashMap::new();
    for (number, text) in texts.into_iter().enumerate() {
        if number.is_multiple_of(PROGRESS_INTERVAL) && !progress(0, merges) {
            return Ok(None);
        }
        for text in text.as_ref().split(END_OF_TEXT) {
            for piece in pieces(text) {
                match counts.get_mut(piece) {
                    Some(count) => *count += 1,
                    None => drop(counts.insert(piece.to_owned(), 1)),
                }
            }
        }
    }
    let mut learner = Learner::new(counts);
    for done in 0..merges {
        if done.is_multiple_of(PROGRESS_INTERVAL) && !progress(done, merges) {
            return Ok(None);
        }
        if !learner.merge_most_frequent() {
            break;
        }
    }
    Ok(progress(merges, merges).then(|| learner.tokenizer_json()))
}

/// A piece of text as symbols, and how often it occurs.
struct Word {
    symbols: Vec<u32>,
    count: i64,
}

struct Learner {
    words: Vec<Word>,
    /// Count of each pair, and the words in which it was seen.
    pairs: HashMap<Pair, (i64, Vec<u32>)>,
    /// Pairs by count, the smaller pair first of equals. Counts may be out of date: too high.
    queue: BinaryHeap<(i64, std::cmp::Reverse<Pair>)>,
    /// Symbols as text, by id.
    symbols: Vec<String>,
    ids: HashMap<String, u32>,
    merges: Vec<Pair>,
}

impl Learner {
    fn new(counts: HashMap<String, u64>) -> Self {
        // The end of text, then the bytes in the order of their characters, as in the library.
        let mut bytes: Vec<(char, u8)> = (0..=u8::MAX).map(|b| (character_of(b), b)).collect();
        bytes.sort_unstable();
        let mut id_of_byte = [0; 256];
        let mut symbols = vec![END_OF_TEXT.to_owned()];
        for (character, byte) in bytes {
            id_of_byte[usize::from(byte)] = symbols.len() as u32;
            symbols.push(character.to_string());
        }
        let ids = symbols.iter().cloned().zip(0..).collect();
        let mut words: Vec<(String, u64)> = counts.into_iter().collect();
        words.sort_unstable();
        let words = words
            .into_iter()
            .map(|(text, count)| Word {
                symbols: text.bytes().map(|b| id_of_byte[usize::from(b)]).collect(),
                count: count as i64,
            })
            .collect();
        let mut learner = Self {
            words,
            pairs: HashMap::new(),
            queue: BinaryHeap::new(),
            symbols,
            ids,
            merges: Vec::new(),
        };
        learner.count_pairs();
        learner
    }

    fn count_pairs(&mut self) {
        for (index, word) in self.words.iter().enumerate() {
            for pair in word.symbols.windows(2) {
                let [left, right] = *pair else { continue };
                add(&mut self.pairs, (left, right), word.count, index as u32);
            }
        }
        self.queue = self
            .pairs
            .iter()
            .map(|(&pair, (count, _))| (*count, std::cmp::Reverse(pair)))
            .collect();
    }

    /// Makes the most frequent pair a symbol; false if there is no pair left.
    fn merge_most_frequent(&mut self) -> bool {
        let (pair, places) = loop {
            let Some((count, std::cmp::Reverse(pair))) = self.queue.pop() else {
                return false;
            };
            let now = self.pairs.get(&pair).map_or(0, |(count, _)| *count);
            if now == count && count > 0 {
                break (pair, self.pairs.remove(&pair).unwrap_or_default().1);
            }
            if now > 0 {
                self.queue.push((now, std::cmp::Reverse(pair)));
            }
        };
        let merged = self.symbol(pair);
        self.merges.push(pair);
        let mut changed = Vec::new();
        for index in places {
            if let Some(word) = self.words.get_mut(index as usize) {
                merge(word, index, pair, merged, &mut self.pairs, &mut changed);
            }
        }
        // The pair itself is gone, though neighbours like "aaa" may have touched it meanwhile.
        self.pairs.remove(&pair);
        changed.sort_unstable();
        changed.dedup();
        for pair in changed {
            if let Some((count, _)) = self.pairs.get(&pair).filter(|(count, _)| *count > 0) {
                self.queue.push((*count, std::cmp::Reverse(pair)));
            }
        }
        true
    }

    /// The id of a pair's text: a new one, unless other symbols make the same text.
    fn symbol(&mut self, (left, right): Pair) -> u32 {
        let text = format!(
            "{}{}",
            self.symbols[left as usize], self.symbols[right as usize]
        );
        let next = self.symbols.len() as u32;
        let id = *self.ids.entry(text.clone()).or_insert(next);
        if id == next {
            self.symbols.push(text);
        }
        id
    }

    fn tokenizer_json(&self) -> Value {
        let text = |id: u32| self.symbols[id as usize].as_str();
        let vocabulary: serde_json::Map<String, Value> = self
            .symbols
            .iter()
            .enumerate()
            .map(|(id, text)| (text.clone(), id.into()))
            .collect();
        let merges: Vec<String> = self
            .merges
            .iter()
            .map(|&(left, right)| format!("{} {}", text(left), text(right)))
            .collect();
        let byte_level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
        json!({
            "version": "1.0", "truncation": null, "padding": null,
            "added_tokens": [{
                "id": 0, "content": END_OF_TEXT, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true
            }],
            "normalizer": null, "pre_tokenizer": byte_level, "post_processor": null, "decoder": byte_level,
            "model": {
                "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
                "vocab": vocabulary, "merges": merges
            }
        })
    }
}

/// Changes the count of a pair by a word's contribution, and remembers the word.
fn add(pairs: &mut HashMap<Pair, (i64, Vec<u32>)>, pair: Pair, change: i64, word: u32) {
    let (count, places) = pairs.entry(pair).or_default();
    *count += change;
    if change > 0 && places.last() != Some(&word) {
        places.push(word);
    }
}

/// Replaces a pair by `merged` within a word, from left to right, and the counts of its neighbours.
fn merge(
    word: &mut Word,
    index: u32,
    (left, right): Pair,
    merged: u32,
    pairs: &mut HashMap<Pair, (i64, Vec<u32>)>,
    changed: &mut Vec<Pair>,
) {
    let mut kept: Vec<u32> = Vec::with_capacity(word.symbols.len());
    let mut rest = word.symbols.iter().copied().peekable();
    while let Some(symbol) = rest.next() {
        if symbol != left || rest.peek() != Some(&right) {
            kept.push(symbol);
            continue;
        }
        rest.next();
        if let Some(&before) = kept.last() {
            add(pairs, (before, left), -word.count, index);
            add(pairs, (before, merged), word.count, index);
            changed.push((before, merged));
        }
        if let Some(&after) = rest.peek() {
            add(pairs, (right, after), -word.count, index);
            add(pairs, (merged, after), word.count, index);
            changed.push((merged, after));
        }
        kept.push(merged);
    }
    word.symbols = kept;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokenizers::models::bpe::{BPE, BpeTrainer};
    use tokenizers::pre_tokenizers::byte_level::ByteLevel;

    fn by_the_library(vocabulary: usize, text: &str) -> Value {
        let mut tokenizer = tokenizers::Tokenizer::new(BPE::default());
        tokenizer.with_pre_tokenizer(Some(ByteLevel::new(false, true, true)));
        let mut trainer: tokenizers::models::TrainerWrapper = BpeTrainer::builder()
            .vocab_size(vocabulary)
            .show_progress(false)
            .special_tokens(vec![tokenizers::AddedToken::from(END_OF_TEXT, true)])
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
            .build()
            .into();
        tokenizer.train(&mut trainer, [text].into_iter()).unwrap();
        serde_json::from_str(&tokenizer.to_string(false).unwrap()).unwrap()
    }

    fn check(vocabulary: usize, text: &str) -> Result<(), TestCaseError> {
        let ours = train(vocabulary, [text], |_, _| true).unwrap().unwrap();
        let theirs = by_the_library(vocabulary, text);
        prop_assert_eq!(&ours["model"]["vocab"], &theirs["model"]["vocab"]);
        let merges: Vec<String> = serde_json::from_value(ours["model"]["merges"].clone()).unwrap();
        let expected: Vec<(String, String)> =
            serde_json::from_value(theirs["model"]["merges"].clone()).unwrap();
        let expected: Vec<String> = expected.iter().map(|(a, b)| format!("{a} {b}")).collect();
        prop_assert_eq!(merges, expected);
        Ok(())
    }

    #[test]
    fn merges_of_a_text_are_those_of_the_library() {
        // The library would learn the name of the end as text.
        let text = include_str!("training.rs").replace(END_OF_TEXT, "");
        if let Err(error) = check(700, &text) {
            panic!(
                "{}",
                error.to_string().chars().take(400).collect::<String>()
            );
        }
    }

    proptest! {
        #[test]
        fn merges_are_those_of_the_library(text in "[abc é]{0,80}", merges in 0usize..20) {
            check(SMALLEST_VOCABULARY + merges, &text)?;
        }
    }
}
