//! Lexical measures of an answer: a right answer in other words counts as wrong. The measures are SQuAD's (Rajpurkar et al. 2016).

use crate::text::{TermConfig, sentences, terms};
use std::collections::{HashMap, HashSet};

/// An answer in the form that is compared: lower case, without punctuation, articles and double spaces.
pub fn normalize(answer: &str) -> String {
    let lower = answer.to_lowercase();
    let plain: String = lower
        .chars()
        .filter(|c| c.is_alphanumeric() || c.is_whitespace())
        .collect();
    let words = plain
        .split_whitespace()
        .filter(|word| !["a", "an", "the"].contains(word));
    words.collect::<Vec<_>>().join(" ")
}

/// True if the answer equals one of the references.
pub fn exact_match(answer: &str, references: &[&str]) -> bool {
    let answer = normalize(answer);
    references
        .iter()
        .any(|reference| normalize(reference) == answer)
}

/// The harmonic mean of precision and recall of the answer's words, against the reference that fits best.
pub fn token_f1(answer: &str, references: &[&str]) -> f64 {
    references
        .iter()
        .map(|reference| f1(answer, reference))
        .fold(0.0, f64::max)
}

fn f1(answer: &str, reference: &str) -> f64 {
    let (answer, reference) = (normalize(answer), normalize(reference));
    let (answer, reference): (Vec<_>, Vec<_>) =
        (answer.split(' ').collect(), reference.split(' ').collect());
    let mut left: HashMap<&str, usize> = HashMap::new();
    for word in &reference {
        *left.entry(word).or_default() += 1;
    }
    let mut common = 0;
    for word in &answer {
        if let Some(count) = left.get_mut(word).filter(|count| **count > 0) {
            *count -= 1;
            common += 1;
        }
    }
    2.0 * common as f64 / (answer.len() + reference.len()) as f64
}

/// The share of the answer's sentences of which at least four fifths of the terms are in one passage. It is
/// lexical: it ignores negation and synonyms. None for an empty answer.
pub fn supported(answer: &str, passages: &[&str]) -> Option<f64> {
    let config = TermConfig {
        stemming: true,
        ..TermConfig::default()
    };
    let passages: Vec<HashSet<String>> = passages
        .iter()
        .map(|passage| terms(passage, config).into_iter().collect())
        .collect();
    let sentences = sentences(answer, 0..answer.len());
    let claims: Vec<Vec<String>> = sentences
        .into_iter()
        .map(|range| terms(&answer[range], config))
        .filter(|terms| !terms.is_empty())
        .collect();
    let holds = |claim: &&Vec<String>| {
        passages.iter().any(|passage| {
            let found = claim.iter().filter(|term| passage.contains(*term)).count();
            5 * found >= 4 * claim.len()
        })
    };
    let supported = claims.iter().filter(holds).count();
    (!claims.is_empty()).then(|| supported as f64 / claims.len() as f64)
}
