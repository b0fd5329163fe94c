//! The data of a chart: the rows of one topic of several runs, on one x axis.

use crate::run_log::{Axis, Row, thin_out};
use serde::Serialize;

/// The role of a line, which decides its style.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Every value, in a thin line.
    Raw,
    /// The mean of the last values, or the values themselves if there are few.
    Main,
    /// Measured on held-out data.
    Validation,
}

/// A line of the chart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    pub label: String,
    pub role: Role,
    /// Place of the strategy in the experiment: its colour and its dashes.
    pub place: usize,
    /// The only strategy of the chart: colours may tell roles apart.
    pub alone: bool,
    /// Values are few: each has a point.
    pub points: bool,
}

/// A run's part of the chart.
pub struct Part {
    pub name: String,
    pub place: usize,
    pub rows: Vec<Row>,
    /// Recorded at every step; see `RunLog::is_dense`.
    pub dense: bool,
}

/// The lines, and their columns: x first, then the values of each line, NaN if one is missing.
pub fn curves(parts: &[Part], axis: Axis, limit: usize) -> (Vec<Line>, Vec<Vec<f64>>) {
    let alone = parts.len() == 1;
    let each = limit / parts.len().max(1);
    let thinned: Vec<Vec<Row>> = parts
        .iter()
        .map(|part| thin_out(&part.rows, each))
        .collect();
    let mut x: Vec<f64> = thinned.iter().flatten().map(|row| row.x(axis)).collect();
    x.sort_by(f64::total_cmp);
    x.dedup();
    let mut lines = Vec::new();
    let mut columns = vec![x.clone()];
    for (part, rows) in parts.iter().zip(&thinned) {
        let mut add = |role, points, value: &dyn Fn(&Row) -> f64| {
            let there = rows.iter().any(|row| value(row).is_finite());
            if !there {
                return;
            }
            let word = match role {
                Role::Raw => "Training",
                Role::Main if part.dense => "Smoothed",
                Role::Main => "Value",
                Role::Validation => "Validation",
            };
            lines.push(Line {
                label: if alone {
                    word.to_owned()
                } else {
                    format!("{} · {}", part.name, word.to_lowercase())
                },
                role,
                place: part.place,
                alone,
                points,
            });
            columns.push(spread(rows, &x, axis, value));
        };
        if part.dense {
            add(Role::Raw, false, &|row| row.value);
            add(Role::Main, false, &|row| row.smoothed);
        } else {
            add(Role::Main, true, &|row| row.value);
        }
        add(Role::Validation, true, &|row| row.validation);
    }
    (lines, columns)
}

/// The values of rows, each at the place of its x.
fn spread(rows: &[Row], x: &[f64], axis: Axis, value: &dyn Fn(&Row) -> f64) -> Vec<f64> {
    let mut column = vec![f64::NAN; x.len()];
    for row in rows {
        let place = x.partition_point(|x| *x < row.x(axis));
        if let Some(cell) = column.get_mut(place)
            && value(row).is_finite()
        {
            *cell = value(row);
        }
    }
    column
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, place: usize, steps: &[usize], dense: bool) -> Part {
        let row = |&step: &usize| Row {
            step,
            tokens: step as f64,
            seconds: step as f64,
            value: step as f64,
            smoothed: 10.0 * step as f64,
            validation: if step == 2 { 0.5 } else { f64::NAN },
        };
        Part {
            name: name.to_owned(),
            place,
            rows: steps.iter().map(row).collect(),
            dense,
        }
    }

    #[test]
    fn runs_share_an_axis_and_have_gaps_where_they_have_no_value() {
        let parts = [part("a", 0, &[1, 2, 3], true), part("b", 1, &[3, 5], false)];
        let (lines, columns) = curves(&parts, Axis::Step, 100);
        let labels: Vec<_> = lines.iter().map(|line| line.label.as_str()).collect();
        assert_eq!(
            labels,
            [
                "a · training",
                "a · smoothed",
                "a · validation",
                "b · value"
            ]
        );
        assert_eq!(columns[0], [1.0, 2.0, 3.0, 5.0]);
        assert_eq!(columns[2][..3], [10.0, 20.0, 30.0]);
        assert!(columns[2][3].is_nan() && columns[4][0].is_nan());
        assert_eq!(columns[4][2..], [3.0, 5.0]);
    }

    #[test]
    fn a_run_alone_needs_no_name() {
        let (lines, _) = curves(&[part("a", 0, &[1, 2], true)], Axis::Step, 100);
        assert_eq!(lines[0].label, "Training");
        assert!(lines.iter().all(|line| line.alone));
        assert!(curves(&[], Axis::Time, 100).0.is_empty());
    }
}
