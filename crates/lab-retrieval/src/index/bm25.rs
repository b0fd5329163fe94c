//! BM25 (Robertson and Zaragoza 2009) in Lucene's form, over texts that come and go:
//! Σ idf(t)·tf/(tf + k1·(1 − b + b·length/mean length)), idf = ln(1 + (N − df + ½)/(df + ½)).

use crate::store::Hit;
use crate::text::{TermConfig, terms};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bm25Config {
    /// Saturation: how soon more of the same term stops counting.
    pub k1: f64,
    /// Normalisation by the length of texts, from 0 (none) to 1.
    pub b: f64,
    pub terms: TermConfig,
}

impl Default for Bm25Config {
    fn default() -> Self {
        Self {
            k1: 1.2,
            b: 0.75,
            terms: TermConfig::default(),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Bm25 {
    config: Bm25Config,
    ids: Vec<String>,
    /// The terms of each text; `None` if it was removed.
    texts: Vec<Option<TextTerms>>,
    places: HashMap<String, u32>,
    total_length: u64,
    /// Number of each term in `postings`.
    numbers: HashMap<String, u32>,
    postings: Vec<Postings>,
}

#[derive(Clone, Debug)]
struct TextTerms {
    /// Number of terms, repetitions counted.
    length: u32,
    /// Their numbers, each once.
    distinct: Vec<u32>,
}

#[derive(Clone, Debug, Default)]
struct Postings {
    /// Number of texts with this term; `of` still lists removed texts.
    live: u32,
    /// Texts with the number of times that they have the term.
    of: Vec<(u32, u32)>,
}

impl Bm25 {
    pub fn new(config: Bm25Config) -> Self {
        Self {
            config,
            ids: Vec::new(),
            texts: Vec::new(),
            places: HashMap::new(),
            total_length: 0,
            numbers: HashMap::new(),
            postings: Vec::new(),
        }
    }

    pub fn len(&self) -> usize {
        self.places.len()
    }

    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Adds a text. It replaces an earlier one with the same id.
    pub fn put(&mut self, id: &str, text: &str) {
        self.remove(id);
        let place = self.ids.len() as u32;
        let words = terms(text, self.config.terms);
        let length = words.len() as u32;
        let mut counts: HashMap<u32, u32> = HashMap::new();
        for word in words {
            let next = self.postings.len() as u32;
            let number = *self.numbers.entry(word).or_insert(next);
            if number == next {
                self.postings.push(Postings::default());
            }
            *counts.entry(number).or_default() += 1;
        }
        for (&number, &count) in &counts {
            let postings = &mut self.postings[number as usize];
            postings.live += 1;
            postings.of.push((place, count));
        }
        self.ids.push(id.to_owned());
        self.texts.push(Some(TextTerms {
            length,
            distinct: counts.into_keys().collect(),
        }));
        self.places.insert(id.to_owned(), place);
        self.total_length += u64::from(length);
    }

    /// Removes a text. Returns whether it was there.
    pub fn remove(&mut self, id: &str) -> bool {
        let Some(place) = self.places.remove(id) else {
            return false;
        };
        self.ids[place as usize] = String::new();
        if let Some(text) = self.texts[place as usize].take() {
            self.total_length -= u64::from(text.length);
            for number in text.distinct {
                self.postings[number as usize].live -= 1;
            }
        }
        if self.ids.len() > 2 * self.places.len() + 64 {
            self.compact();
        }
        true
    }

    /// Leaves out the texts that were removed.
    fn compact(&mut self) {
        let mut new_place = vec![None; self.ids.len()];
        let (mut ids, mut texts) = (Vec::new(), Vec::new());
        for (place, text) in std::mem::take(&mut self.texts).into_iter().enumerate() {
            if text.is_some() {
                new_place[place] = Some(ids.len() as u32);
                ids.push(std::mem::take(&mut self.ids[place]));
                texts.push(text);
            }
        }
        for postings in &mut self.postings {
            let of = std::mem::take(&mut postings.of).into_iter();
            postings.of = of
                .filter_map(|(place, count)| Some((new_place[place as usize]?, count)))
                .collect();
        }
        self.places = ids
            .iter()
            .enumerate()
            .map(|(place, id)| (id.clone(), place as u32))
            .collect();
        (self.ids, self.texts) = (ids, texts);
    }

    /// The k best texts for a query that `allow` accepts, best first; equal scores in the order of ids. They
    /// have at least one term of the query.
    pub fn search(&self, query: &str, k: usize, allow: &dyn Fn(&str) -> bool) -> Vec<Hit> {
        let number = self.places.len() as f64;
        let mean = (self.total_length as f64 / number).max(1e-9);
        let Bm25Config { k1, b, .. } = self.config;
        let mut scores = vec![0.0f64; self.ids.len()];
        for term in terms(query, self.config.terms) {
            let Some(&term) = self.numbers.get(&term) else {
                continue;
            };
            let postings = &self.postings[term as usize];
            let live = f64::from(postings.live);
            let idf = libm::log(1.0 + (number - live + 0.5) / (live + 0.5));
            for &(place, count) in &postings.of {
                let Some(text) = &self.texts[place as usize] else {
                    continue;
                };
                let count = f64::from(count);
                let norm = k1 * (1.0 - b + b * f64::from(text.length) / mean);
                scores[place as usize] += idf * count / (count + norm);
            }
        }
        let mut found: Vec<(f64, &str)> = scores
            .into_iter()
            .zip(&self.ids)
            .filter(|(score, _)| *score > 0.0)
            .map(|(score, id)| (score, id.as_str()))
            .collect();
        found.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        found
            .into_iter()
            .filter(|(_, id)| allow(id))
            .take(k)
            .map(|(score, id)| Hit {
                id: id.to_owned(),
                score: score as f32,
            })
            .collect()
    }
}
