//! An experiment as a page to read: its runs, their comparison, its curves.

use super::svg_plot;
use lab_protocol::{Comparison, MetricRecord, RunResult, Standing, StopReason};
use std::fmt::Write;

/// Metrics that get a plot if a run has them.
const PLOTTED: [&str; 8] = [
    "loss",
    "validation_loss",
    "accuracy",
    "validation_accuracy",
    "reward_accuracy",
    "average_reward",
    "objective/kl",
    "gradient_norm",
];

/// Markdown with the plots inside, as SVG. `runs` are the results and the metrics of each run.
pub fn report(title: &str, runs: &[(RunResult, Vec<MetricRecord>)]) -> String {
    let mut text = format!(
        "# {title}\n\n| Strategy | Ended | Steps | Kept | Seconds |\n| --- | --- | --- | --- | --- |\n"
    );
    for (result, _) in runs {
        let ended = match result.stop_reason {
            StopReason::Completed => "all steps done",
            StopReason::EarlyStopping => "stopped early",
            StopReason::Stopped => "stopped",
        };
        let _ = writeln!(
            text,
            "| {} | {ended} | {} | step {} | {:.1} |",
            result.strategy, result.steps, result.best_step, result.seconds
        );
    }
    let comparison = Comparison::of(runs.iter().map(|(result, _)| result));
    text.push_str("\n## Comparison\n\n| Metric |");
    for row in &comparison.rows {
        let _ = write!(text, " {} |", row.strategy);
    }
    text.push_str("\n| --- |");
    text.push_str(&" --- |".repeat(comparison.rows.len()));
    text.push('\n');
    for name in comparison.metric_names() {
        let _ = write!(text, "| {name} |");
        for (row, standing) in comparison.rows.iter().zip(comparison.standings(name)) {
            let cell = match row.metrics.get(name) {
                None => "–".to_owned(),
                Some(value) => match value.standard_error {
                    Some(error) => format!("{:.4} ± {error:.4}", value.mean),
                    None => format!("{:.4}", value.mean),
                },
            };
            let cell = match standing {
                Standing::Best if comparison.rows.len() > 1 => format!("**{cell}**"),
                Standing::WithinNoise => format!("{cell} ≈"),
                _ => cell,
            };
            let _ = write!(text, " {cell} |");
        }
        text.push('\n');
    }
    text.push_str("\nBold is best; ≈ is no further from the best than two standard errors.\n");
    for metric in PLOTTED {
        let curves: Vec<(&str, Vec<(f64, f64)>)> = runs
            .iter()
            .map(|(result, records)| (result.strategy.as_str(), curve(records, metric)))
            .filter(|(_, points)| points.len() > 1)
            .collect();
        if let Some(svg) = svg_plot(metric, &curves) {
            let _ = write!(text, "\n## {metric}\n\n{svg}\n");
        }
    }
    text
}

fn curve(records: &[MetricRecord], metric: &str) -> Vec<(f64, f64)> {
    let point = |record: &MetricRecord| {
        let value = record.values.get(metric)?;
        Some((record.step as f64, *value))
    };
    records.iter().filter_map(point).collect()
}
