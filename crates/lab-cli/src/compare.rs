//! `lab compare`, and the table at the end of an experiment.

use crate::folder::RunFolder;
use lab_protocol::{Comparison, ErrorCode, LabError, Standing, text};
use std::fmt::Write;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    /// Folders of runs or experiments. Runs of a strategy of the same name, e.g. with other seeds, give
    /// its mean and standard error.
    #[arg(required = true)]
    folders: Vec<PathBuf>,
    /// Print {"rows": [{"strategy", metric: {"mean", "standard_error"}}]}.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: Arguments) -> Result<(), LabError> {
    let mut results = Vec::new();
    for path in &arguments.folders {
        let folders = RunFolder::find_all(path);
        if folders.is_empty() {
            return Err(LabError::new(
                ErrorCode::InvalidData,
                text!("{path} holds no run", path = path.display()),
                "Name folders that `lab run` wrote.",
            )
            .at("folders"));
        }
        for folder in folders {
            results.push(folder.result()?);
        }
    }
    let comparison = Comparison::of(&results);
    if arguments.json {
        let text = serde_json::to_string_pretty(&comparison)
            .map_err(|error| LabError::internal(error.to_string()))?;
        println!("{text}");
    } else {
        print!("{}", table(&comparison));
    }
    Ok(())
}

/// A line for each metric, a column for each strategy. `*` is the best of a line, `~` is at most two standard errors
/// away from it.
pub fn table(comparison: &Comparison) -> String {
    let names = comparison.metric_names();
    let width = names.iter().map(|name| name.len()).max().unwrap_or(0);
    let columns: Vec<usize> = comparison
        .rows
        .iter()
        .map(|row| row.strategy.len().max(16) + 2)
        .collect();
    let mut text = format!("{:width$}", "");
    for (row, column) in comparison.rows.iter().zip(&columns) {
        let _ = write!(text, "{:>column$}", row.strategy);
    }
    text.push('\n');
    for name in names {
        let _ = write!(text, "{name:width$}");
        let standings = comparison.standings(name);
        for ((row, column), standing) in comparison.rows.iter().zip(&columns).zip(standings) {
            let symbol = match standing {
                Standing::Best if comparison.rows.len() > 1 => "*",
                Standing::WithinNoise => "~",
                _ => " ",
            };
            let cell = match row.metrics.get(name) {
                None => "–".to_owned(),
                Some(value) => match value.standard_error {
                    Some(error) => format!("{} ±{}", short(value.mean), short(error)),
                    None => short(value.mean),
                },
            };
            let _ = write!(text, "{:>1$}{symbol}", cell, column - 1);
        }
        text.push('\n');
    }
    if comparison.rows.len() > 1 {
        text.push_str("* best   ~ within two standard errors of the best\n");
    }
    text
}

/// Four significant digits; whole numbers are not rounded.
fn short(value: f64) -> String {
    if value == value.trunc() && value.abs() < 1e15 {
        return format!("{value}");
    }
    let digits = 3 - value.abs().log10().floor().clamp(-4.0, 3.0) as i32;
    format!("{value:.0$}", digits.max(0) as usize)
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_are_short() {
        let shorts = [0.123456, 12.3456, 1234.56, 123456.7, 5.0, 0.0, 0.00123456].map(super::short);
        assert_eq!(
            shorts,
            ["0.1235", "12.35", "1235", "123457", "5", "0", "0.001235"]
        );
    }
}
