//! Files with many documents: JSONL and CSV.

use super::error::invalid;
use lab_protocol::{LabError, Metadata, RagDocument, text};
use serde_json::{Map, Value};

/// Names of the column or key that holds the text, the first that is there.
const TEXT: [&str; 3] = ["content", "text", "body"];
const ID: [&str; 2] = ["id", "_id"];

pub fn jsonl(name: &str, text: &str) -> Result<Vec<RagDocument>, LabError> {
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| {
            let number = index + 1;
            let object: Map<String, Value> = serde_json::from_str(line).map_err(|error| {
                invalid(
                    text!(
                        "{file}: line {number} is not a JSON object: {error}",
                        file = name,
                        number,
                        error
                    ),
                    "Write one object a line, e.g. {\"id\": \"1\", \"text\": \"…\"}.",
                )
            })?;
            document(name, Place::Line(number), object)
        })
        .collect()
}

pub fn csv(name: &str, text: &str) -> Result<Vec<RagDocument>, LabError> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let broken = |error: csv::Error| {
        invalid(
            text!("{file}: {error}", file = name, error),
            "Give every row as many fields as the header, with quotes around text that holds commas or line ends.",
        )
    };
    let header = reader.headers().map_err(broken)?.clone();
    let rows = reader.records().enumerate();
    rows.map(|(index, row)| {
        let row = row.map_err(broken)?;
        let object = header
            .iter()
            .zip(row.iter())
            .map(|(key, value)| (key.trim().to_owned(), Value::from(value)))
            .collect();
        document(name, Place::Row(index + 1), object)
    })
    .collect()
}

/// The place of a document in its file, counted from 1.
#[derive(Clone, Copy)]
enum Place {
    Line(usize),
    Row(usize),
}

fn document(
    name: &str,
    place: Place,
    mut object: Map<String, Value>,
) -> Result<RagDocument, LabError> {
    let key = TEXT.into_iter().find(|key| object.contains_key(*key));
    let Some(Value::String(content)) = key.and_then(|key| object.remove(key)) else {
        return Err(invalid(
            match place {
                Place::Line(number) => {
                    text!("{file}: line {number} has no text", file = name, number)
                }
                Place::Row(number) => {
                    text!("{file}: row {number} has no text", file = name, number)
                }
            },
            "Call the text \"text\" or \"content\".",
        ));
    };
    let id = match ID.into_iter().find_map(|key| object.remove(key)) {
        Some(Value::String(id)) => id,
        Some(Value::Number(id)) => id.to_string(),
        None => {
            let (Place::Line(number) | Place::Row(number)) = place;
            format!("{name}:{number}")
        }
        Some(other) => {
            return Err(invalid(
                match place {
                    Place::Line(number) => {
                        text!(
                            "{file}: line {number} has the id {id}",
                            file = name,
                            number,
                            id = other
                        )
                    }
                    Place::Row(number) => {
                        text!(
                            "{file}: row {number} has the id {id}",
                            file = name,
                            number,
                            id = other
                        )
                    }
                },
                "Use a text or a number as id.",
            ));
        }
    };
    // Keys under `metadata` join the other keys of the object.
    let mut metadata: Metadata = match object.remove("metadata") {
        Some(Value::Object(inner)) => inner.into_iter().collect(),
        Some(other) => [("metadata".to_owned(), other)].into(),
        None => Metadata::new(),
    };
    metadata.extend(object);
    Ok(RagDocument {
        id,
        content,
        metadata,
    })
}
