//! The vocabulary is small, and ordinary tokenizers make few tokens of a word.

use lab_village::{Preset, Village, VillageSettings};
use std::collections::{BTreeMap, BTreeSet, HashMap};

#[test]
fn words_are_few_and_each_is_seen_in_training() {
    for (preset, limit) in [
        (Preset::Hamlet, 500),
        (Preset::Village, 700),
        (Preset::Town, 1000),
    ] {
        let village = Village::preset(preset, 2).unwrap();
        let vocabulary = village.vocabulary();
        assert!(
            vocabulary.distinct_words() <= limit,
            "{}: {}",
            preset.name(),
            vocabulary.distinct_words()
        );
        assert!(
            vocabulary.tokens_per_word() <= 1.25,
            "{}",
            vocabulary.tokens_per_word()
        );

        // Held-out data has no word of its own.
        let known: BTreeSet<&str> = vocabulary
            .entries
            .iter()
            .map(|(token, _)| token.as_str())
            .collect();
        let asked = village
            .held_out_questions()
            .map(|question| format!("{}{}\n", question.prompt(), question.reference()));
        let held_out = std::iter::once(village.pretraining.held_out_text());
        for text in asked
            .chain(held_out)
            .chain(village.library.documents.iter().map(|d| d.text.clone()))
        {
            let unknown: Vec<&str> = lab_village::tokens(&text)
                .filter(|token| !known.contains(token))
                .collect();
            assert!(
                unknown.is_empty(),
                "{}: {unknown:?} in {text}",
                preset.name()
            );
        }

        // Names are not also words.
        let people = village.world.people.iter().chain(&village.world.newcomers);
        for part in people.flat_map(|person| [person.name.first, person.name.surname]) {
            assert!(
                !known.contains(part.to_lowercase().as_str()),
                "{part} is also a word"
            );
        }
    }
}

/// Byte-pair encoding as GPT-2 does it, a blank belonging to the word after it, with so many merges.
struct Bpe {
    merges: HashMap<(String, String), usize>,
}

fn pieces(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    for c in text.chars() {
        let joins = pieces.last().is_some_and(|piece| {
            let last = piece.chars().last().unwrap_or(' ');
            c.is_alphabetic() && (last.is_alphabetic() || piece == " ")
        });
        match pieces.last_mut() {
            Some(piece) if joins => piece.push(c),
            _ => pieces.push(c.to_string()),
        }
    }
    pieces
}

impl Bpe {
    fn train(text: &str, merges: usize) -> Self {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        pieces(text)
            .into_iter()
            .for_each(|piece| *counts.entry(piece).or_default() += 1);
        let mut words: Vec<(Vec<String>, usize)> = counts
            .into_iter()
            .map(|(word, count)| (word.chars().map(String::from).collect(), count))
            .collect();
        let mut learned = HashMap::new();
        for rank in 0..merges {
            let mut pairs: BTreeMap<(&str, &str), usize> = BTreeMap::new();
            for (symbols, count) in &words {
                for pair in symbols.windows(2) {
                    *pairs.entry((&pair[0], &pair[1])).or_default() += count;
                }
            }
            let Some((&(left, right), _)) = pairs
                .iter()
                .max_by_key(|(pair, count)| (**count, std::cmp::Reverse(*pair)))
            else {
                break;
            };
            let pair = (left.to_owned(), right.to_owned());
            words
                .iter_mut()
                .for_each(|(symbols, _)| merge(symbols, &pair));
            learned.insert(pair, rank);
        }
        Self { merges: learned }
    }

    fn tokens(&self, text: &str) -> usize {
        let mut known: HashMap<String, usize> = HashMap::new();
        let of = |piece: &str| {
            let mut symbols: Vec<String> = piece.chars().map(String::from).collect();
            loop {
                let pairs = symbols
                    .windows(2)
                    .map(|pair| (pair[0].clone(), pair[1].clone()));
                let Some(best) = pairs
                    .filter(|pair| self.merges.contains_key(pair))
                    .min_by_key(|pair| self.merges[pair])
                else {
                    return symbols.len();
                };
                merge(&mut symbols, &best);
            }
        };
        pieces(text)
            .into_iter()
            .map(|piece| *known.entry(piece.clone()).or_insert_with(|| of(&piece)))
            .sum()
    }
}

fn merge(symbols: &mut Vec<String>, pair: &(String, String)) {
    let mut index = 0;
    while index + 1 < symbols.len() {
        if symbols[index] == pair.0 && symbols[index + 1] == pair.1 {
            let right = symbols.remove(index + 1);
            symbols[index].push_str(&right);
        }
        index += 1;
    }
}

#[test]
fn byte_pairs_trained_on_it_need_at_most_1_3_tokens_a_word() {
    for (preset, size) in [(Preset::Hamlet, 1536), (Preset::Village, 2048)] {
        // The words are the same in less text.
        let settings = VillageSettings {
            documents: 3_000,
            ..VillageSettings::preset(preset, 1)
        };
        let village = Village::new(settings).unwrap();
        let text: String = village.tokenizer_texts().collect();
        let bpe = Bpe::train(&text, size - 256);
        let held_out = village.pretraining.held_out_text();
        let per_word = bpe.tokens(&held_out) as f64 / village.floor().words as f64;
        let all_per_word = bpe.tokens(&text) as f64 / text.split_whitespace().count() as f64;
        println!(
            "{}: {per_word:.3} of held-out text, {all_per_word:.3} of all that is trained",
            preset.name()
        );
        assert!(
            per_word <= 1.3 && all_per_word <= 1.3,
            "{per_word} {all_per_word}"
        );
    }
}
