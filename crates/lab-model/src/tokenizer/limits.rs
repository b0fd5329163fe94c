//! Checks of a `tokenizer.json`: values that would make the `tokenizers` library panic or fill the memory are
//! refused.

use super::unreadable::bad;
use lab_protocol::{LabError, text};
use serde_json::Value;

/// Maximum cost of the patterns of a tokenizer together: their lengths, and for each [`REPETITION`] times the copies
/// that its counts ask for. It limits them to some dozen megabytes; published tokenizers cost a few hundred.
const PATTERNS: usize = 10_000;
/// A copy may be of all letters of Unicode, some 20 kilobytes of automaton.
const REPETITION: usize = 100;

/// The library assumes that a pair of a merge forms an entry of the vocabulary.
pub fn check_merges(model: &Value) -> Result<(), LabError> {
    let (Some(vocabulary), Some(merges)) = (model["vocab"].as_object(), model["merges"].as_array())
    else {
        return Ok(());
    };
    let prefix = model["continuing_subword_prefix"].as_str().unwrap_or("");
    for merge in merges {
        // Written as a text with a space between, or as a list of two.
        let parts = match merge {
            Value::String(text) => text.split_once(' '),
            merge => merge[0].as_str().zip(merge[1].as_str()),
        };
        let known = parts.is_some_and(|(left, right)| {
            let rest = right.strip_prefix(prefix);
            vocabulary.contains_key(left)
                && vocabulary.contains_key(right)
                && rest.is_some_and(|rest| vocabulary.contains_key(&format!("{left}{rest}")))
        });
        if !known {
            return Err(bad(text!(
                "the tokenizer cannot be read: its merge {merge} makes no entry of its vocabulary",
                merge
            )));
        }
    }
    Ok(())
}

/// The library loses count if a normalizer inserts something before a text without replacing any of it.
pub fn check_normalizer(normalizer: &Value) -> Result<(), LabError> {
    let pattern = &normalizer["pattern"];
    // Patterns with features of other regular expressions, such as a look-ahead, may match nothing too.
    let matches_nothing = |pattern: &str| {
        regex_syntax::parse(pattern)
            .map_or(true, |parsed| parsed.properties().minimum_len() == Some(0))
    };
    let puts_before = match normalizer["type"].as_str() {
        Some("Prepend") => normalizer["prepend"] == "",
        Some("Replace") => {
            pattern["String"] == "" || pattern["Regex"].as_str().is_some_and(matches_nothing)
        }
        _ => false,
    };
    if puts_before {
        return Err(bad(
            "the tokenizer cannot be read: its normalizer inserts text without replacing any",
        ));
    }
    let parts = normalizer["normalizers"].as_array();
    parts.into_iter().flatten().try_for_each(check_normalizer)
}

/// A pattern is compiled into an automaton that may be a million times its length: `\p{L}{1000}` has the letters of
/// Unicode a thousand times.
pub fn check_patterns(tokenizer: &Value) -> Result<(), LabError> {
    let parts = ["normalizer", "pre_tokenizer", "decoder"];
    let cost = parts
        .into_iter()
        .map(|part| patterns_cost(&tokenizer[part]));
    if cost.fold(0, usize::saturating_add) > PATTERNS {
        return Err(bad(
            "the tokenizer cannot be read: its patterns are too long or repeat too often",
        ));
    }
    Ok(())
}

/// The cost of all patterns in a part of a tokenizer's description, however deep.
fn patterns_cost(part: &Value) -> usize {
    let costs: Vec<usize> = match part {
        Value::Object(entries) => entries
            .iter()
            .map(|(key, value)| match value {
                Value::String(pattern) if key == "Regex" => pattern_cost(pattern),
                value => patterns_cost(value),
            })
            .collect(),
        Value::Array(list) => list.iter().map(patterns_cost).collect(),
        _ => Vec::new(),
    };
    costs.into_iter().fold(0, usize::saturating_add)
}

/// Nested counts multiply; neighbouring counts are treated as nested.
fn pattern_cost(pattern: &str) -> usize {
    let mut copies = 1usize;
    for (place, _) in pattern.match_indices('{') {
        let (before, after) = (&pattern[..place], &pattern[place + 1..]);
        let is_code = [r"\x", r"\u", r"\U"]
            .iter()
            .any(|sign| before.ends_with(sign));
        let inside = after.split('}').next().unwrap_or_default();
        let bounds = inside.split(',').filter_map(|bound| bound.parse().ok());
        if let Some(count) = bounds.max().filter(|_| !is_code) {
            copies = copies.saturating_mul(std::cmp::max(count, 1));
        }
    }
    let repeated = (copies - 1).saturating_mul(REPETITION);
    pattern.len().saturating_add(repeated)
}
