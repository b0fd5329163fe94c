//! A comparison of strategies by the metrics of their runs.

use crate::{Direction, MetricInfo, RunResult, STANDARD_ERROR, metric_info};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A metric of a strategy, over all its runs in the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    pub mean: f64,
    /// Of several runs (seeds), their standard deviation divided by the square root of their number; of one run, the
    /// value that the run itself states; `None` if it is not known.
    pub standard_error: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparisonRow {
    pub strategy: String,
    /// By metric name, beside `strategy` in the JSON.
    #[serde(flatten)]
    pub metrics: BTreeMap<String, Measured>,
}

/// A row for each strategy, in the order of the results.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    pub rows: Vec<ComparisonRow>,
    /// Metrics from outside the lab.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub declared: Vec<MetricInfo>,
}

/// The standing of a strategy in a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Best,
    /// Not the best, but at most two standard errors of the difference away from it.
    WithinNoise,
    Behind,
    /// Not measured, or a metric in which no direction is better.
    Unranked,
}

impl Comparison {
    /// Compares results; results with the same strategy name are runs of one strategy.
    pub fn of<'a>(results: impl IntoIterator<Item = &'a RunResult>) -> Self {
        let mut strategies: Vec<(String, Vec<&RunResult>)> = Vec::new();
        let mut declared: Vec<MetricInfo> = Vec::new();
        for result in results {
            for info in &result.declared {
                if declared.iter().all(|known| known.name != info.name) {
                    declared.push(info.clone());
                }
            }
            match strategies
                .iter_mut()
                .find(|(name, _)| *name == result.strategy)
            {
                Some((_, runs)) => runs.push(result),
                None => strategies.push((result.strategy.clone(), vec![result])),
            }
        }
        let rows = strategies
            .into_iter()
            .map(|(strategy, runs)| ComparisonRow {
                strategy,
                metrics: metrics(&runs),
            })
            .collect();
        Self { rows, declared }
    }

    /// Names of all metrics, each once, sorted.
    pub fn metric_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .rows
            .iter()
            .flat_map(|row| row.metrics.keys().map(String::as_str))
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The description of a metric of the table.
    pub fn info(&self, metric: &str) -> MetricInfo {
        metric_info(metric, &self.declared).unwrap_or_else(|| MetricInfo::named(metric))
    }

    /// The standing of each row in a metric.
    pub fn standings(&self, metric: &str) -> Vec<Standing> {
        let values: Vec<Option<&Measured>> = self
            .rows
            .iter()
            .map(|row| {
                row.metrics
                    .get(metric)
                    .filter(|value| value.mean.is_finite())
            })
            .collect();
        let direction = match self.info(metric).direction {
            Direction::More => 1.0,
            Direction::Less => -1.0,
            Direction::Neither => return vec![Standing::Unranked; values.len()],
        };
        let best = values
            .iter()
            .flatten()
            .max_by(|a, b| (a.mean * direction).total_cmp(&(b.mean * direction)))
            .copied();
        values
            .iter()
            .map(|value| match (value, best) {
                (Some(value), Some(best)) if value.mean == best.mean => Standing::Best,
                (Some(value), Some(best)) => match (value.standard_error, best.standard_error) {
                    (Some(a), Some(b))
                        if (value.mean - best.mean).abs() <= 2.0 * (a * a + b * b).sqrt() =>
                    {
                        Standing::WithinNoise
                    }
                    _ => Standing::Behind,
                },
                _ => Standing::Unranked,
            })
            .collect()
    }
}

fn metrics(runs: &[&RunResult]) -> BTreeMap<String, Measured> {
    let mut values: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for run in runs {
        for (name, &value) in &run.metrics {
            values.entry(name).or_default().push(value);
        }
        values.entry("seconds").or_default().push(run.seconds);
    }
    let stated = |name: &str| {
        runs.first()
            .and_then(|run| run.metrics.get(&format!("{name}{STANDARD_ERROR}")))
            .copied()
    };
    values
        .iter()
        .filter(|(name, _)| !name.ends_with(STANDARD_ERROR))
        .map(|(name, values)| {
            let count = values.len() as f64;
            let mean = values.iter().sum::<f64>() / count;
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            let standard_error = if values.len() > 1 {
                Some((squares / (count - 1.0) / count).sqrt())
            } else {
                stated(name)
            };
            let measured = Measured {
                mean,
                standard_error,
            };
            ((*name).to_owned(), measured)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StopReason;

    fn result(strategy: &str, metrics: &[(&str, f64)]) -> RunResult {
        RunResult {
            strategy: strategy.into(),
            stop_reason: StopReason::Completed,
            steps: 1,
            best_step: 1,
            seconds: 2.0,
            metrics: metrics
                .iter()
                .map(|(name, value)| ((*name).to_owned(), *value))
                .collect(),
            declared: Vec::new(),
            files: Vec::new(),
        }
    }

    #[test]
    fn runs_of_one_strategy_give_mean_and_standard_error() {
        let runs = [
            result("a", &[("loss", 1.0)]),
            result("b", &[("loss", 1.5), ("loss_standard_error", 0.1)]),
            result("a", &[("loss", 3.0)]),
        ];
        let comparison = Comparison::of(&runs);
        assert_eq!(comparison.metric_names(), ["loss", "seconds"]);
        let loss = |row: usize| comparison.rows[row].metrics["loss"];
        assert_eq!(
            (loss(0).mean, loss(0).standard_error),
            (2.0, Some(1.0)),
            "deviation sqrt(2), over sqrt(2)"
        );
        assert_eq!((loss(1).mean, loss(1).standard_error), (1.5, Some(0.1)));
        assert_eq!(
            comparison.standings("loss"),
            [Standing::WithinNoise, Standing::Best]
        );
        let json = serde_json::to_value(&comparison).unwrap();
        assert_eq!(json["rows"][0]["strategy"], "a");
        assert_eq!(json["rows"][0]["loss"]["mean"], 2.0);
        assert_eq!(
            serde_json::from_value::<Comparison>(json).unwrap(),
            comparison
        );
    }

    #[test]
    fn more_is_better_or_less_is() {
        let runs = [
            result(
                "a",
                &[("held_out/true_reward", 0.9), ("validation_loss", 2.0)],
            ),
            result("b", &[("held_out/true_reward", 0.4), ("steps_made", 7.0)]),
        ];
        let comparison = Comparison::of(&runs);
        assert_eq!(
            comparison.standings("held_out/true_reward"),
            [Standing::Best, Standing::Behind]
        );
        assert_eq!(
            comparison.standings("validation_loss"),
            [Standing::Best, Standing::Unranked]
        );
        assert_eq!(comparison.standings("steps_made"), [Standing::Unranked; 2]);
    }

    #[test]
    fn a_metric_from_outside_is_ranked_as_it_declares() {
        let mut runs = [
            result("a", &[("held_out/words", 9.0)]),
            result("b", &[("held_out/words", 4.0)]),
        ];
        let unranked = Comparison::of(&runs).standings("held_out/words");
        assert_eq!(unranked, [Standing::Unranked; 2]);
        runs[1].declared = vec![MetricInfo {
            direction: Direction::Less,
            ..MetricInfo::named("held_out/words")
        }];
        let comparison = Comparison::of(&runs);
        assert_eq!(
            comparison.standings("held_out/words"),
            [Standing::Behind, Standing::Best]
        );
        let json = serde_json::to_value(&comparison).unwrap();
        assert_eq!(json["declared"][0]["direction"], "less");
    }
}
