//! Metrics as a table: a line for each record, a column for each metric.

use lab_protocol::{ErrorCode, LabError, MetricRecord};
use std::collections::BTreeSet;
use std::fmt::Write;

const FIXED: [&str; 4] = ["run", "strategy", "step", "timestamp"];

/// Columns `run, strategy, step, timestamp`, then the metrics by name; empty where a record has none.
pub fn to_csv(records: &[MetricRecord]) -> String {
    let names: BTreeSet<&str> = records
        .iter()
        .flat_map(|record| record.values.keys().map(String::as_str))
        .collect();
    let mut text = FIXED.join(",");
    for name in &names {
        text.push(',');
        text.push_str(&quoted(name));
    }
    text.push('\n');
    for record in records {
        let _ = write!(
            text,
            "{},{},{},{}",
            quoted(&record.run),
            quoted(&record.strategy),
            record.step,
            record.timestamp
        );
        for name in &names {
            text.push(',');
            if let Some(value) = record.values.get(*name) {
                let _ = write!(text, "{value}");
            }
        }
        text.push('\n');
    }
    text
}

/// The records of a table that [`to_csv`] wrote.
pub fn from_csv(text: &str) -> Result<Vec<MetricRecord>, LabError> {
    let bad = |line: usize, what: &str| {
        LabError::new(
            ErrorCode::InvalidData,
            format!("line {line} of the table: {what}"),
            "Give a CSV file as it was exported.",
        )
    };
    let mut lines = text.lines().enumerate();
    let header = lines
        .next()
        .map(|(_, line)| cells(line))
        .unwrap_or_default();
    if header.len() < FIXED.len() || header.iter().zip(FIXED).any(|(found, name)| found != name) {
        return Err(bad(
            1,
            "the columns are not run, strategy, step, timestamp and metrics",
        ));
    }
    lines
        .map(|(index, line)| {
            let row = cells(line);
            if row.len() != header.len() {
                return Err(bad(
                    index + 1,
                    "it has another number of cells than the first line",
                ));
            }
            let whole = |place: usize| {
                row[place]
                    .parse::<u64>()
                    .map_err(|_| bad(index + 1, &format!("{} is no whole number", header[place])))
            };
            let (step, timestamp) = (whole(2)? as usize, whole(3)?);
            let mut record = MetricRecord {
                run: row[0].clone(),
                strategy: row[1].clone(),
                step,
                timestamp,
                values: Default::default(),
            };
            for (name, cell) in header.iter().zip(&row).skip(FIXED.len()) {
                if !cell.is_empty() {
                    let value = cell
                        .parse()
                        .map_err(|_| bad(index + 1, &format!("{name} is no number")))?;
                    record.values.insert(name.clone(), value);
                }
            }
            Ok(record)
        })
        .collect()
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!(
            "\"{}\"",
            cell.replace('"', "\"\"").replace(['\n', '\r'], " ")
        )
    } else {
        cell.to_owned()
    }
}

fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut inside = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, cells.last_mut()) {
            ('"', Some(cell)) if inside && characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            ('"', _) => inside = !inside,
            (',', _) if !inside => cells.push(String::new()),
            (other, Some(cell)) => cell.push(other),
            (_, None) => {}
        }
    }
    cells
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
        let csv = to_csv(&records);
        assert!(csv.starts_with("run,strategy,step,timestamp,held_out/f1,loss,validation_loss\n"));
        assert_eq!(from_csv(&csv).unwrap(), records);
        for broken in ["", "step,loss\n1,2", &csv.replace(",2,", ",two,")] {
            assert_eq!(from_csv(broken).unwrap_err().code, ErrorCode::InvalidData);
        }
    }
}
