//! A village as files that other programs read: text, JSON lines with the columns that Hugging Face's
//! trainers expect, and a retrieval task in the layout of BEIR.

use crate::language::vocabulary::{Vocabulary, sha256};
use crate::tasks::instructions::Pair;
use crate::tasks::preferences::PreferencePair;
use crate::tasks::question::Question;
use crate::village::Village;
use serde::Serialize;
use serde_json::{Value, json};

/// A file of an exported village.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VillageFile {
    /// With `/` between folders.
    pub path: String,
    pub text: String,
}

impl Village {
    /// Everything as files, for other programs.
    pub fn files(&self) -> Vec<VillageFile> {
        files(self)
    }

    /// Identifies the village: SHA-256 of its files, in hexadecimal.
    pub fn digest(&self) -> String {
        digest(&self.files())
    }
}

fn files(village: &Village) -> Vec<VillageFile> {
    let text = &village.pretraining;
    let words = village.vocabulary();
    let held_out: Vec<Question> = village
        .questions
        .iter()
        .chain(&village.reading)
        .cloned()
        .collect();
    let preference = |pair: &PreferencePair| {
        json!({
            "id": pair.question.id,
            "prompt": pair.question.prompt(),
            "chosen": pair.chosen,
            "rejected": pair.rejected,
            "chosen_reward": pair.chosen_reward,
            "rejected_reward": pair.rejected_reward,
        })
    };
    let pair = |pair: &Pair| {
        let mut row = asked(&pair.question);
        row["completion"] = json!(pair.response);
        row
    };
    let list = [
        ("README.md", village.handout()),
        ("village.json", pretty(&village.settings)),
        ("world.json", pretty(&world(village))),
        ("measures.json", pretty(&measures(village, &words))),
        ("vocabulary.txt", vocabulary(&words)),
        ("pretraining/train.txt", text.training_text()),
        ("pretraining/held_out.txt", text.held_out_text()),
        (
            "pretraining/held_out_nats.json",
            pretty(&text.held_out_nats),
        ),
        (
            "pretraining/completions.jsonl",
            lines(&village.completions, |row| json!(row)),
        ),
        (
            "instructions/train.jsonl",
            lines(&village.instructions, pair),
        ),
        (
            "instructions/held_out.jsonl",
            lines(&held_out, held_out_row),
        ),
        (
            "preferences/train.jsonl",
            lines(&village.preferences, preference),
        ),
        (
            "preferences/held_out.jsonl",
            lines(&village.held_out_preferences, preference),
        ),
        (
            "retrieval/corpus.jsonl",
            lines(&village.library.documents, |document| {
                json!({
                    "_id": document.id,
                    "title": "",
                    "text": document.text,
                    "metadata": { "subject": document.subject, "attributes": document.attributes },
                })
            }),
        ),
        (
            "retrieval/queries.jsonl",
            lines(&village.library.questions, |question| {
                let mut metadata = held_out_row(question);
                metadata["question"] = json!(question.text);
                json!({ "_id": question.id, "text": question.text, "metadata": metadata })
            }),
        ),
        ("retrieval/qrels/test.tsv", relevance(village)),
    ];
    list.into_iter()
        .map(|(path, text)| VillageFile {
            path: path.to_owned(),
            text,
        })
        .collect()
}

/// SHA-256 of all files with their names and lengths.
fn digest(files: &[VillageFile]) -> String {
    let heads: Vec<String> = files
        .iter()
        .map(|file| format!("{} {}\n", file.path, file.text.len()))
        .collect();
    let parts: Vec<&[u8]> = heads
        .iter()
        .zip(files)
        .flat_map(|(head, file)| [head.as_bytes(), file.text.as_bytes()])
        .collect();
    sha256(&parts)
}

fn asked(question: &Question) -> Value {
    json!({
        "id": question.id,
        "kind": question.kind,
        "attribute": question.attribute,
        "subject": question.subject,
        "prompt": question.prompt(),
    })
}

fn held_out_row(question: &Question) -> Value {
    let mut row = asked(question);
    row["completion"] = json!(question.reference());
    row["answer"] = json!(question.answer);
    row["accepted"] = json!(question.accepted());
    row
}

fn world(village: &Village) -> Value {
    let world = &village.world;
    json!({ "people": world.people, "shops": world.shops, "new_people": world.newcomers })
}

fn measures(village: &Village, vocabulary: &Vocabulary) -> Value {
    let floor = village.floor();
    json!({
        "floor": floor,
        "nats_per_token": floor.nats_per_token(),
        "nats_per_word": floor.nats_per_word(),
        "nats_per_character": floor.nats_per_character(),
        "bits_per_character": floor.bits_per_character(),
        "coverage": village.coverage(),
        "vocabulary": {
            "distinct_words": vocabulary.distinct_words(),
            "words": vocabulary.words,
            "tokens": vocabulary.tokens,
            "tokens_per_word": vocabulary.tokens_per_word(),
        },
        "separation": village.separation(),
        "baselines": village.baselines(),
        "ceilings": village.ceilings(),
    })
}

/// An entry a line with its count; the new line, as `\n`, among them.
fn vocabulary(words: &Vocabulary) -> String {
    let entries = words.entries.iter();
    entries
        .map(|(token, count)| format!("{}\t{count}\n", token.replace('\n', "\\n")))
        .collect()
}

fn relevance(village: &Village) -> String {
    let rows = village.library.relevance.iter();
    let rows: String = rows
        .map(|row| format!("{}\t{}\t{}\n", row.question, row.document, row.grade))
        .collect();
    format!("query-id\tcorpus-id\tscore\n{rows}")
}

fn lines<T>(rows: &[T], to_json: impl Fn(&T) -> Value) -> String {
    rows.iter()
        .map(|row| format!("{}\n", to_json(row)))
        .collect()
}

fn pretty(value: &impl Serialize) -> String {
    // Plain data with text keys: this cannot fail.
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}
