//! Rows of a text: a JSON list, an object a line, or CSV.

use super::json::Unique;
use lab_protocol::{ErrorCode, LabError, OnError, SkippedRows, Text, text};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Values read from rows, with the rows that could not be used.
#[derive(Clone, Debug, PartialEq)]
pub struct Read<T> {
    pub rows: Vec<T>,
    pub skipped: Skipped,
}

/// Rows that could not be used.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Skipped {
    on_error: OnError,
    numbers: BTreeSet<usize>,
    /// The faults of the first ones, with the numbers of their rows.
    first: Vec<String>,
}

/// Maximum number of faults that an error lists; it only counts the others.
const LISTED: usize = 5;

impl Skipped {
    pub fn new(on_error: OnError) -> Self {
        Self {
            on_error,
            ..Self::default()
        }
    }

    /// Notes a row that cannot be used; a row that was noted before keeps its first fault.
    pub fn add(&mut self, row: usize, fault: &str) {
        if self.numbers.insert(row) && self.first.len() < LISTED {
            self.first.push(format!("row {row}: {fault}"));
        }
    }

    /// An error if bad rows must not be skipped and there are some, or if no row is `left` beside them.
    pub fn check(&self, left: usize) -> Result<(), LabError> {
        let count = self.numbers.len();
        let more = match count - self.first.len() {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        let faults = format!("{}{more}", self.first.join("; "));
        match (self.on_error, count, left) {
            (OnError::Stop, 1.., _) => {
                Err(bad(text!("the examples cannot be read: {faults}", faults)))
            }
            (_, 0, 0) => Err(bad(
                "the examples cannot be read: there is no example in it",
            )),
            (_, 1.., 0) => Err(bad(text!(
                "the examples cannot be read: no row can be used: {faults}",
                faults
            ))),
            _ => Ok(()),
        }
    }

    /// The warning about skipped rows; `None` if every row was used.
    pub fn report(&self) -> Option<SkippedRows> {
        self.first.first().map(|first| SkippedRows {
            count: self.numbers.len(),
            first: first.clone(),
        })
    }
}

/// An error about the data.
pub fn bad(message: impl Into<Text>) -> LabError {
    LabError::new(
        ErrorCode::InvalidData,
        message,
        "Give one object a line, e.g. {\"prompt\": \"…\", \"response\": \"…\"}, a JSON list of such, or CSV with these columns. Set on_error to skip to leave bad rows out.",
    )
    .at("data")
}

/// Reads every row by `read`, which gets the row's fields and returns the value or the row's fault. CSV must have one
/// of `columns`. Rows are counted from 1, in CSV after the line with the names.
pub fn read_rows<T>(
    text: &str,
    columns: &[&str],
    on_error: OnError,
    mut read: impl FnMut(&Map<String, Value>, usize) -> Result<T, String>,
) -> Result<Read<T>, LabError> {
    let mut skipped = Skipped::new(on_error);
    let mut found = Vec::new();
    for (row, value) in rows(text, columns)? {
        let read = value.and_then(|value| match value {
            Value::Object(fields) => read(&fields, row),
            _ => Err("it is not an object".into()),
        });
        match read {
            Ok(value) => found.push(value),
            Err(fault) => skipped.add(row, &fault),
        }
    }
    skipped.check(found.len())?;
    Ok(Read {
        rows: found,
        skipped,
    })
}

type Row = (usize, Result<Value, String>);

fn rows(text: &str, columns: &[&str]) -> Result<Vec<Row>, LabError> {
    let parse = |text: &str| {
        serde_json::from_str(text)
            .map(|Unique(value)| value)
            .map_err(|error| error.to_string())
    };
    match text.trim_start().chars().next() {
        Some('[') => match parse(text)
            .map_err(|error| bad(text!("the examples cannot be read: {error}", error)))?
        {
            Value::Array(list) => Ok((1..).zip(list.into_iter().map(Ok)).collect()),
            _ => Err(bad("the examples cannot be read: it is not a list")),
        },
        Some('{') => Ok((1..)
            .zip(text.lines())
            .filter(|(_, line)| !line.trim().is_empty())
            .map(|(row, line)| (row, parse(line)))
            .collect()),
        Some(_) => csv_rows(text, columns),
        None => Ok(Vec::new()),
    }
}

/// Marks the end of the last row: if it is not found, a quote before it was never closed.
const LAST: &str = "\u{4}the last row\u{4}";

fn csv_rows(text: &str, columns: &[&str]) -> Result<Vec<Row>, LabError> {
    let text = format!("{text}\n{LAST}");
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let records: Result<Vec<csv::StringRecord>, csv::Error> = reader.records().collect();
    let mut records =
        records.map_err(|error| bad(text!("the examples cannot be read: {error}", error)))?;
    let last = records.last_mut();
    let closed = last.is_some_and(|last| last.len() == 1 && &last[0] == LAST);
    if closed {
        records.pop();
    }
    let count = records.len();
    let mut records = records.into_iter();
    let Some(names) = records.next() else {
        return Ok(Vec::new());
    };
    for (index, name) in names.iter().enumerate() {
        if names.iter().take(index).any(|other| other == name) {
            return Err(bad(text!(
                "the examples cannot be read: two columns have the name \"{name}\"",
                name
            )));
        }
    }
    if !names.iter().any(|name| columns.contains(&name)) {
        let names: Vec<&str> = names.iter().take(8).collect();
        return Err(bad(text!(
            "the examples cannot be read: it is not JSON, and as CSV it has none of the columns {columns}, but {names}",
            columns = columns.join(", "),
            names = names.join(", ")
        )));
    }
    let row = |(row, record): (usize, csv::StringRecord)| {
        let fields = names.iter().map(str::to_owned);
        let value = if row + 1 == count && !closed {
            Err("a quote in it is never closed".into())
        } else if record.len() != names.len() {
            Err(format!(
                "it has {} fields, and there are {} columns",
                record.len(),
                names.len()
            ))
        } else {
            Ok(Value::Object(
                fields.zip(record.iter().map(Value::from)).collect(),
            ))
        };
        (row, value)
    };
    Ok((1..).zip(records).map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str, on_error: OnError) -> Result<Read<String>, LabError> {
        read_rows(text, &["prompt"], on_error, |fields, _| {
            let prompt = fields.get("prompt").and_then(Value::as_str);
            prompt
                .map(str::to_owned)
                .ok_or_else(|| "it has no prompt".into())
        })
    }

    #[test]
    fn quotes_and_line_ends_of_csv_are_read() {
        let found = texts(
            "id,prompt\r\n1,\"b, \"\"c\"\"\nd\"\r\n\r\n2,\"\"\n3,\n",
            OnError::Stop,
        )
        .unwrap();
        assert_eq!(found.rows, ["b, \"c\"\nd", "", ""]);
        for (bad, says) in [
            ("prompt,id\na,1\n\"b,2\nc,3\n", "row 2: a quote"),
            ("prompt\na\nb,c\n", "row 2: it has 2 fields"),
            ("prompt,prompt\na,b\n", "two columns"),
            ("question\na\n", "none of the columns prompt, but question"),
        ] {
            let error = texts(bad, OnError::Stop).unwrap_err();
            assert!(error.message.contains(says), "{error}");
        }
    }

    #[test]
    fn bad_rows_stop_or_are_skipped_and_counted() {
        let good = "{\"prompt\": \"a\"}\n";
        let text = format!("{good}{{\n{good}7\n{}", "{\"a\": 1}\n".repeat(6));
        let error = texts(&text, OnError::Stop).unwrap_err();
        assert_eq!(
            (error.code, error.field.as_deref()),
            (ErrorCode::InvalidData, Some("data"))
        );
        for says in [
            "row 2: EOF",
            "row 4: it is not an object",
            "row 5: it has no prompt",
            "and 3 more",
        ] {
            assert!(error.message.contains(says), "{error}");
        }
        let found = texts(&text, OnError::Skip).unwrap();
        assert_eq!(found.rows, ["a", "a"]);
        let report = found.skipped.report().unwrap();
        assert_eq!(report.count, 8);
        assert!(report.first.starts_with("row 2: EOF"), "{report:?}");
        assert_eq!(texts(good, OnError::Skip).unwrap().skipped.report(), None);
        let error = texts("{\"a\": 1}\n", OnError::Skip).unwrap_err();
        assert!(
            error.message.contains("no row can be used: row 1"),
            "{error}"
        );
        for nothing in ["", "[]", "prompt\n"] {
            let error = texts(nothing, OnError::Skip).unwrap_err();
            assert!(error.message.contains("no example"), "{error}");
        }
    }
}
