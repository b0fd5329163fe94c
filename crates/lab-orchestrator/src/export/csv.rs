//! Metrics as a table: a line for each record, a column for each metric.

use csv::{ReaderBuilder, StringRecord, Writer};
use lab_protocol::{ErrorCode, LabError, MetricRecord, Text, text};
use std::collections::BTreeSet;

const FIXED: [&str; 4] = ["run", "strategy", "step", "timestamp"];

/// Columns `run, strategy, step, timestamp`, then the metrics by name; empty if a record lacks one.
pub fn to_csv(records: &[MetricRecord]) -> Result<String, LabError> {
    let names = records.iter().flat_map(|record| record.values.keys());
    let names: BTreeSet<&str> = names.map(String::as_str).collect();
    let internal = |error: String| LabError::internal(error);
    let mut table = Writer::from_writer(Vec::new());
    table
        .write_record(FIXED.iter().chain(&names))
        .map_err(|error| internal(error.to_string()))?;
    for record in records {
        let (step, timestamp) = (record.step.to_string(), record.timestamp.to_string());
        let fixed = [record.run.clone(), record.strategy.clone(), step, timestamp];
        let value = |name: &&str| {
            let value = record.values.get(*name);
            value.map_or(String::new(), f64::to_string)
        };
        table
            .write_record(fixed.into_iter().chain(names.iter().map(value)))
            .map_err(|error| internal(error.to_string()))?;
    }
    let bytes = table
        .into_inner()
        .map_err(|error| internal(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| internal(error.to_string()))
}

/// The records of a table that [`to_csv`] wrote.
pub fn from_csv(text: &str) -> Result<Vec<MetricRecord>, LabError> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .from_reader(text.as_bytes());
    let mut rows = reader.records();
    let header = rows.next().and_then(Result::ok).unwrap_or_default();
    if !FIXED
        .iter()
        .zip(&header)
        .all(|(name, found)| *name == found)
        || header.len() < FIXED.len()
    {
        return Err(bad(
            "line 1 of the table: the columns are not run, strategy, step, timestamp and metrics",
        ));
    }
    rows.map(|row| {
        let row = row.map_err(|error| {
            let line = error.position().map_or(0, csv::Position::line);
            bad(text!(
                "line {line} of the table: it has another number of cells than the first line",
                line
            ))
        })?;
        record(&header, &row)
    })
    .collect()
}

fn record(header: &StringRecord, row: &StringRecord) -> Result<MetricRecord, LabError> {
    let line = row.position().map_or(0, csv::Position::line);
    let whole = |place: usize| {
        let cell = row.get(place).unwrap_or_default();
        cell.parse::<u64>().map_err(|_| {
            bad(text!(
                "line {line} of the table: {column} is not a whole number",
                line,
                column = FIXED[place]
            ))
        })
    };
    let mut record = MetricRecord {
        run: row[0].to_owned(),
        strategy: row[1].to_owned(),
        step: whole(2)? as usize,
        timestamp: whole(3)?,
        values: Default::default(),
    };
    for (name, cell) in header.iter().zip(row).skip(FIXED.len()) {
        if !cell.is_empty() {
            let value = cell.parse().map_err(|_| {
                bad(text!(
                    "line {line} of the table: {column} is not a number",
                    line,
                    column = name
                ))
            })?;
            record.values.insert(name.to_owned(), value);
        }
    }
    Ok(record)
}

fn bad(message: impl Into<Text>) -> LabError {
    LabError::new(
        ErrorCode::InvalidData,
        message,
        "Give a CSV file as it was exported.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_exported_comes_back() {
        let record = |step, values: &[(&str, f64)]| MetricRecord {
            run: "a, \"b\"".into(),
            strategy: "pretrain".into(),
            step,
            timestamp: 1_795_549_965_123,
            values: values
                .iter()
                .map(|(name, value)| ((*name).to_owned(), *value))
                .collect(),
        };
        let records = [
            record(1, &[("loss", 3.174_999_952_316_284), ("held_out/f1", 1e-9)]),
            record(1, &[("validation_loss", f64::INFINITY)]),
            record(2, &[("loss", -0.1)]),
        ];
        let csv = to_csv(&records).unwrap();
        assert!(csv.starts_with("run,strategy,step,timestamp,held_out/f1,loss,validation_loss\n"));
        assert_eq!(from_csv(&csv).unwrap(), records);
        for broken in ["", "step,loss\n1,2", &csv.replace(",2,", ",two,")] {
            assert_eq!(from_csv(broken).unwrap_err().code, ErrorCode::InvalidData);
        }
    }
}
