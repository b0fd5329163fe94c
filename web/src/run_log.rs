//! The metrics of a run as the page keeps them: every record for export, every metric as a column.

use crate::metrics;
use lab_protocol::MetricRecord;
use std::collections::BTreeMap;

/// The quantity on the x axis of a chart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Axis {
    #[default]
    Step,
    Tokens,
    Time,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Point {
    step: usize,
    /// Since the first record, pauses left out.
    seconds: f64,
    value: f64,
}

/// A point of a chart, ready to draw or to put in a table. A value that is not there is NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    pub step: usize,
    pub tokens: f64,
    pub seconds: f64,
    /// The value in training.
    pub value: f64,
    pub smoothed: f64,
    /// The value on held-out data.
    pub validation: f64,
}

impl Row {
    pub fn x(&self, axis: Axis) -> f64 {
        match axis {
            Axis::Step => self.step as f64,
            Axis::Tokens => self.tokens,
            Axis::Time => self.seconds,
        }
    }
}

#[derive(Debug, Default)]
pub struct RunLog {
    tokens_per_step: usize,
    lines: Vec<(usize, String)>,
    series: BTreeMap<String, Vec<Point>>,
    latest: BTreeMap<String, f64>,
    first_timestamp: Option<u64>,
    paused_at: Option<u64>,
    paused_ms: u64,
}

impl RunLog {
    /// Empties the log, for a new run.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The run starts, or starts again after `first_step`; later records are dropped, because they will be recorded
    /// anew. `now` is in milliseconds.
    pub fn begin(&mut self, tokens_per_step: usize, first_step: usize, now: u64) {
        self.tokens_per_step = tokens_per_step;
        self.lines.retain(|(step, _)| *step <= first_step);
        for points in self.series.values_mut() {
            points.retain(|point| point.step <= first_step);
        }
        let kept = self.series.values().filter_map(|points| points.last());
        let elapsed = kept.map(|point| point.seconds).reduce(f64::max);
        if let (Some(start), Some(elapsed)) = (self.first_timestamp, elapsed) {
            // The time between the last kept record and now was spent on lost steps.
            self.paused_ms = now.saturating_sub(start + (elapsed * 1000.0) as u64);
        } else {
            self.first_timestamp = Some(now);
            self.paused_ms = 0;
        }
        self.paused_at = None;
    }

    pub fn pause(&mut self, now: u64) {
        self.paused_at.get_or_insert(now);
    }

    pub fn resume(&mut self, now: u64) {
        if let Some(since) = self.paused_at.take() {
            self.paused_ms += now.saturating_sub(since);
        }
    }

    pub fn push(&mut self, record: &MetricRecord) {
        let start = *self.first_timestamp.get_or_insert(record.timestamp);
        let now = self
            .paused_at
            .map_or(record.timestamp, |paused| paused.min(record.timestamp));
        let seconds = now.saturating_sub(start + self.paused_ms) as f64 / 1000.0;
        for (name, &value) in &record.values {
            if value.is_finite() {
                let step = record.step;
                let points = self.series.entry(name.clone()).or_default();
                // A step's value counts once, the last time it is reported.
                let place = points.partition_point(|point| point.step < step);
                let point = Point {
                    step,
                    seconds,
                    value,
                };
                match points.get_mut(place).filter(|known| known.step == step) {
                    Some(known) => *known = point,
                    None => points.insert(place, point),
                }
            }
            self.latest.insert(name.clone(), value);
        }
        if let Ok(line) = serde_json::to_string(record) {
            self.lines.push((record.step, line));
        }
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The names of all recorded metrics.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.series.keys().map(String::as_str)
    }

    /// The newest value of a metric.
    pub fn latest(&self, name: &str) -> Option<f64> {
        self.latest.get(name).copied()
    }

    /// `metrics.jsonl`: one record a line.
    pub fn jsonl(&self) -> String {
        let mut text =
            String::with_capacity(self.lines.iter().map(|(_, line)| line.len() + 1).sum());
        for (_, line) in &self.lines {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    fn points(&self, name: &str) -> &[Point] {
        self.series.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether a metric is recorded at (nearly) every step, so a smoothed line is useful.
    pub fn is_dense(&self, name: &str) -> bool {
        let points = self.points(name);
        match (points.first(), points.last()) {
            (Some(first), Some(last)) => points.len() * 2 > last.step - first.step,
            _ => false,
        }
    }

    /// Every step with a value of the topic (see [`metrics::topic`]), in order. `smoothing` from 0 (none)
    /// to below 1 is the weight of the past in an exponential mean, corrected for its start.
    pub fn rows(&self, topic: &str, smoothing: f64) -> Vec<Row> {
        let training = self.points(topic);
        let validation = self.points(&metrics::validation(topic));
        let mut rows = Vec::with_capacity(training.len() + validation.len());
        let (mut sum, mut weight, mut smoothed) = (0.0, 0.0, f64::NAN);
        let mut evaluations = validation.iter().peekable();
        let row = |point: &Point, value, smoothed, validation| Row {
            step: point.step,
            tokens: (point.step * self.tokens_per_step) as f64,
            seconds: point.seconds,
            value,
            smoothed,
            validation,
        };
        for point in training {
            while let Some(early) = evaluations.next_if(|early| early.step < point.step) {
                rows.push(row(early, f64::NAN, smoothed, early.value));
            }
            sum = smoothing * sum + (1.0 - smoothing) * point.value;
            weight = smoothing * weight + (1.0 - smoothing);
            smoothed = sum / weight;
            let evaluation = evaluations.next_if(|same| same.step == point.step);
            rows.push(row(
                point,
                point.value,
                smoothed,
                evaluation.map_or(f64::NAN, |e| e.value),
            ));
        }
        rows.extend(evaluations.map(|late| row(late, f64::NAN, f64::NAN, late.value)));
        rows
    }

    /// Describes the chart of a topic in words.
    pub fn summary(&self, topic: &str, smoothing: f64) -> String {
        let rows = self.rows(topic, smoothing);
        let title = metrics::title_in_sentence(topic);
        let validation = self.points(&metrics::validation(topic));
        let subject = if validation.is_empty() && topic != "loss" {
            metrics::title(topic)
        } else {
            format!("The training {title}")
        };
        let mut trained = rows.iter().filter(|row| row.value.is_finite());
        let Some(first) = trained.next() else {
            return match validation.last() {
                None => "No step has been recorded yet.".to_owned(),
                Some(last) => format!(
                    "On held-out data the {title} is {} at step {}.",
                    short(last.value),
                    last.step
                ),
            };
        };
        let mut text = match trained.next_back() {
            None => format!(
                "{subject} is {} at step {}.",
                short(first.value),
                first.step
            ),
            Some(last) => format!(
                "{subject} {} from {} at step {} to {} at step {}.",
                if last.smoothed < first.value {
                    "fell"
                } else {
                    "rose"
                },
                short(first.value),
                first.step,
                short(last.smoothed),
                last.step
            ),
        };
        let rises = metrics::better(topic) == lab_protocol::Direction::More;
        let best = validation.iter().min_by(|a, b| {
            let order = a.value.total_cmp(&b.value);
            if rises { order.reverse() } else { order }
        });
        if let Some(best) = best {
            text += &format!(
                " {} validation {title}: {} at step {}.",
                if rises { "Highest" } else { "Lowest" },
                short(best.value),
                best.step
            );
        }
        text
    }
}

fn short(value: f64) -> String {
    if value.abs() >= 0.01 || value == 0.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.1e}")
    }
}

/// At most about `limit` of the rows: of every stretch the row with the minimum and the row with the maximum, so no
/// spike disappears, and every evaluation.
pub fn thin_out(rows: &[Row], limit: usize) -> Vec<Row> {
    if rows.len() <= limit || limit < 2 {
        return rows.to_vec();
    }
    let stretch = rows.len().div_ceil(limit / 2);
    let mut kept = Vec::with_capacity(limit + limit / 4);
    for part in rows.chunks(stretch) {
        let (mut low, mut high) = (0, 0);
        for (index, row) in part.iter().enumerate() {
            // A comparison with NaN is false: rows without a value are never chosen for theirs.
            if row.value < part[low].value || part[low].value.is_nan() {
                low = index;
            }
            if row.value > part[high].value || part[high].value.is_nan() {
                high = index;
            }
        }
        kept.extend(
            part.iter()
                .enumerate()
                .filter(|(index, row)| {
                    *index == low || *index == high || row.validation.is_finite()
                })
                .map(|(_, row)| *row),
        );
    }
    kept
}

/// About `limit` rows, evenly spaced, the last one among them; for the table.
pub fn pick(rows: &[Row], limit: usize) -> Vec<Row> {
    let every = rows.len().div_ceil(limit.max(1)).max(1);
    let mut picked: Vec<Row> = rows.iter().rev().step_by(every).copied().collect();
    picked.reverse();
    picked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(step: usize, timestamp: u64, values: &[(&str, f64)]) -> MetricRecord {
        MetricRecord {
            run: "run-1".into(),
            strategy: "pretrain".into(),
            step,
            timestamp,
            values: values
                .iter()
                .map(|(name, value)| ((*name).to_owned(), *value))
                .collect(),
        }
    }

    fn log(steps: usize) -> RunLog {
        let mut log = RunLog::default();
        log.begin(100, 0, 1000);
        for step in 1..=steps {
            let loss = 4.0 / step as f64;
            log.push(&record(step, 1000 + 10 * step as u64, &[("loss", loss)]));
            if step.is_multiple_of(10) {
                log.push(&record(
                    step,
                    1001 + 10 * step as u64,
                    &[("validation_loss", loss + 0.1)],
                ));
            }
        }
        log
    }

    #[test]
    fn rows_join_a_step_and_its_evaluation() {
        let rows = log(20).rows("loss", 0.0);
        assert_eq!(rows.len(), 20);
        assert_eq!(rows[9].validation, 0.5);
        assert!(rows[8].validation.is_nan());
        assert_eq!((rows[9].tokens, rows[9].seconds), (1000.0, 0.1));
        assert!(rows.iter().all(|row| row.value == row.smoothed));
    }

    #[test]
    fn smoothing_starts_at_the_first_loss() {
        let rows = log(3).rows("loss", 0.9);
        assert!((rows[0].smoothed - 4.0).abs() < 1e-12);
        assert!(rows[1].smoothed > rows[1].value && rows[1].smoothed < rows[0].smoothed);
    }

    #[test]
    fn an_evaluation_before_the_first_step_has_a_row_of_its_own() {
        let mut log = RunLog::default();
        log.push(&record(0, 5, &[("validation_loss", 4.0)]));
        log.push(&record(1, 6, &[("loss", 3.0)]));
        let rows = log.rows("loss", 0.5);
        assert_eq!((rows.len(), rows[0].step, rows[1].step), (2, 0, 1));
        assert!(rows[0].value.is_nan());
    }

    #[test]
    fn continuing_drops_what_will_be_recorded_anew() {
        let mut log = log(25);
        log.begin(100, 20, 9000);
        assert_eq!(log.rows("loss", 0.0).last().map(|row| row.step), Some(20));
        assert_eq!(log.jsonl().lines().count(), 22);
        log.push(&record(21, 9010, &[("loss", 1.0)]));
        let rows = log.rows("loss", 0.0);
        let (before, after) = (rows[19].seconds, rows[20].seconds);
        assert!(after >= before && after - before < 0.1, "{before} {after}");
    }

    #[test]
    fn pauses_do_not_count() {
        let mut log = RunLog::default();
        log.begin(1, 0, 0);
        log.push(&record(1, 1000, &[("loss", 1.0)]));
        log.pause(1000);
        log.resume(61_000);
        log.push(&record(2, 62_000, &[("loss", 1.0)]));
        assert_eq!(log.rows("loss", 0.0)[1].seconds, 2.0);
    }

    #[test]
    fn thinning_keeps_spikes_and_evaluations() {
        let mut log = log(0);
        for step in 1..=50_000 {
            let loss = if step == 31_234 { 99.0 } else { 1.0 };
            log.push(&record(step, step as u64, &[("loss", loss)]));
        }
        log.push(&record(777, 50_000, &[("validation_loss", 0.5)]));
        let thin = thin_out(&log.rows("loss", 0.0), 2000);
        assert!(thin.len() <= 2001, "{}", thin.len());
        assert!(thin.iter().any(|row| row.value == 99.0));
        assert!(thin.iter().any(|row| row.validation == 0.5));
        assert!(thin.windows(2).all(|pair| pair[0].step < pair[1].step));
    }

    #[test]
    fn the_table_ends_with_the_last_step() {
        let rows = log(1001).rows("loss", 0.0);
        let picked = pick(&rows, 40);
        assert!(picked.len() <= 40);
        assert_eq!(picked.last().map(|row| row.step), Some(1001));
        assert!(pick(&[], 40).is_empty());
    }

    #[test]
    fn the_summary_says_what_happened() {
        assert_eq!(
            log(20).summary("loss", 0.0),
            "The training loss fell from 4.00 at step 1 to 0.20 at step 20. Lowest validation loss: 0.30 at step 20."
        );
        assert!(RunLog::default().summary("loss", 0.9).contains("No step"));
    }

    #[test]
    fn infinite_values_are_not_plotted() {
        let mut log = RunLog::default();
        log.push(&record(1, 0, &[("loss", f64::INFINITY)]));
        assert!(log.rows("loss", 0.5).is_empty());
        assert!(!log.is_empty());
    }
}
