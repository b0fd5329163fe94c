//! The layout of BEIR (Thakur et al. 2021): `corpus.jsonl`, `queries.jsonl`, `qrels/test.tsv`.

use super::ranking::Judgements;
use lab_protocol::{ErrorCode, LabError, Text, text};
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};

#[derive(Clone, Debug, Deserialize)]
pub struct BeirDocument {
    #[serde(rename = "_id")]
    pub id: String,
    #[serde(default)]
    pub title: String,
    pub text: String,
}

impl BeirDocument {
    /// The indexed text: title and text with a blank between, as in BEIR's own evaluation, also where the
    /// text repeats the title.
    pub fn content(&self) -> String {
        match self.title.trim() {
            "" => self.text.clone(),
            title => format!("{title} {}", self.text),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
pub struct BeirQuery {
    #[serde(rename = "_id")]
    pub id: String,
    pub text: String,
}

/// A collection with queries and judgements.
#[derive(Clone, Debug)]
pub struct BeirSet {
    pub documents: Vec<BeirDocument>,
    /// The queries with judgements.
    pub queries: Vec<BeirQuery>,
    /// The judgements by query.
    pub judgements: BTreeMap<String, Judgements>,
}

impl BeirSet {
    /// Reads the three files' texts.
    pub fn parse(corpus: &str, queries: &str, qrels: &str) -> Result<Self, LabError> {
        let documents: Vec<BeirDocument> = lines("corpus.jsonl", corpus)?;
        let mut ids = HashSet::new();
        if let Some(twice) = documents
            .iter()
            .find(|document| !ids.insert(document.id.as_str()))
        {
            return Err(invalid(text!(
                "corpus.jsonl: the id \"{id}\" comes twice",
                id = twice.id
            )));
        }
        let judgements = judgements(qrels)?;
        let mut queries: Vec<BeirQuery> = lines("queries.jsonl", queries)?;
        queries.retain(|query| judgements.contains_key(&query.id));
        if documents.is_empty() {
            return Err(invalid("corpus.jsonl: it has no document"));
        }
        if queries.is_empty() {
            return Err(invalid(
                "queries.jsonl: none of its queries has a judgement in qrels",
            ));
        }
        Ok(Self {
            documents,
            queries,
            judgements,
        })
    }
}

fn lines<T: for<'de> Deserialize<'de>>(file: &str, text: &str) -> Result<Vec<T>, LabError> {
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| {
            serde_json::from_str(line).map_err(|error| {
                invalid(text!(
                    "{file}: line {line}: {error}",
                    file,
                    line = index + 1,
                    error
                ))
            })
        })
        .collect()
}

/// `query-id`, `corpus-id` and `score`, parted by tabs, under a header.
fn judgements(text: &str) -> Result<BTreeMap<String, Judgements>, LabError> {
    let mut all: BTreeMap<String, Judgements> = BTreeMap::new();
    for (index, line) in text.lines().enumerate().skip(1) {
        if line.trim().is_empty() {
            continue;
        }
        let fields: Vec<&str> = line.split('\t').map(str::trim).collect();
        let &[query, document, score] = fields.as_slice() else {
            return Err(invalid(text!(
                "qrels: line {line} has {fields} fields instead of 3 parted by tabs",
                line = index + 1,
                fields = fields.len()
            )));
        };
        let score: i32 = score
            .parse()
            .ok()
            .filter(|score| (-1000..=1000).contains(score))
            .ok_or_else(|| {
                invalid(text!(
                    "qrels: line {line}: the score \"{score}\" is not a whole number up to 1000",
                    line = index + 1,
                    score
                ))
            })?;
        all.entry(query.to_owned())
            .or_default()
            .insert(document.to_owned(), score);
    }
    Ok(all)
}

fn invalid(message: impl Into<Text>) -> LabError {
    LabError::new(
        ErrorCode::InvalidData,
        message,
        "Give a folder in the layout of BEIR: corpus.jsonl, queries.jsonl, qrels/test.tsv.",
    )
    .at("data")
}
