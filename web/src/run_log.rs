//! The metrics of a run as the page keeps them: every record for export, the plotted ones as columns.

use lab_protocol::MetricRecord;
use std::collections::BTreeMap;

/// What the x axis of a chart counts.
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
    loss: f64,
}

/// A point of the chart, ready to draw or to put in a table. A loss that is not there is NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    pub step: usize,
    pub tokens: f64,
    pub seconds: f64,
    pub loss: f64,
    pub smoothed: f64,
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
    training: Vec<Point>,
    validation: Vec<Point>,
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

    /// The run starts, or starts again after `first_step`: what was recorded later will be recorded
    /// anew. `now` is in milliseconds.
    pub fn begin(&mut self, tokens_per_step: usize, first_step: usize, now: u64) {
        self.tokens_per_step = tokens_per_step;
        self.lines.retain(|(step, _)| *step <= first_step);
        self.training.retain(|point| point.step <= first_step);
        self.validation.retain(|point| point.step <= first_step);
        if let (Some(start), Some(last)) = (self.first_timestamp, self.training.last()) {
            // The time between the last kept record and now was spent on what is lost.
            let elapsed = (last.seconds * 1000.0) as u64;
            self.paused_ms = now.saturating_sub(start + elapsed);
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
        let point = |loss: f64| Point {
            step: record.step,
            seconds,
            loss,
        };
        if let Some(&loss) = record.values.get("loss").filter(|loss| loss.is_finite()) {
            self.training.push(point(loss));
        }
        if let Some(&loss) = record
            .values
            .get("validation_loss")
            .filter(|loss| loss.is_finite())
        {
            // A step's evaluation counts once, the last time it is reported.
            self.validation.retain(|known| known.step != record.step);
            self.validation.push(point(loss));
        }
        for (name, value) in &record.values {
            self.latest.insert(name.clone(), *value);
        }
        if let Ok(line) = serde_json::to_string(record) {
            self.lines.push((record.step, line));
        }
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
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

    /// Every step with a loss, in order. `smoothing` from 0 (none) to below 1 is the weight of the past in
    /// an exponential mean, corrected for its start.
    pub fn rows(&self, smoothing: f64) -> Vec<Row> {
        let mut rows = Vec::with_capacity(self.training.len() + self.validation.len());
        let (mut sum, mut weight, mut smoothed) = (0.0, 0.0, f64::NAN);
        let mut evaluations = self.validation.iter().peekable();
        let row = |point: &Point, loss, smoothed, validation| Row {
            step: point.step,
            tokens: (point.step * self.tokens_per_step) as f64,
            seconds: point.seconds,
            loss,
            smoothed,
            validation,
        };
        for point in &self.training {
            while let Some(early) = evaluations.next_if(|early| early.step < point.step) {
                rows.push(row(early, f64::NAN, smoothed, early.loss));
            }
            sum = smoothing * sum + (1.0 - smoothing) * point.loss;
            weight = smoothing * weight + (1.0 - smoothing);
            smoothed = sum / weight;
            let evaluation = evaluations.next_if(|same| same.step == point.step);
            rows.push(row(
                point,
                point.loss,
                smoothed,
                evaluation.map_or(f64::NAN, |e| e.loss),
            ));
        }
        rows.extend(evaluations.map(|late| row(late, f64::NAN, f64::NAN, late.loss)));
        rows
    }

    /// What the chart shows, in words.
    pub fn summary(&self, smoothing: f64) -> String {
        let rows = self.rows(smoothing);
        let mut trained = rows.iter().filter(|row| row.loss.is_finite());
        let Some(first) = trained.next() else {
            return "No step has been recorded yet.".to_owned();
        };
        let mut text = match trained.next_back() {
            None => format!(
                "The training loss is {:.2} at step {}.",
                first.loss, first.step
            ),
            Some(last) => format!(
                "The training loss {} from {:.2} at step {} to {:.2} at step {}.",
                if last.smoothed < first.loss {
                    "fell"
                } else {
                    "rose"
                },
                first.loss,
                first.step,
                last.smoothed,
                last.step
            ),
        };
        let best = self
            .validation
            .iter()
            .min_by(|a, b| a.loss.total_cmp(&b.loss));
        if let Some(best) = best {
            text += &format!(
                " Lowest validation loss: {:.2} at step {}.",
                best.loss, best.step
            );
        }
        text
    }
}

/// At most about `limit` of the rows: of every stretch the one with the lowest and the one with the
/// highest loss, so that no spike disappears, and every evaluation.
pub fn thin_out(rows: &[Row], limit: usize) -> Vec<Row> {
    if rows.len() <= limit || limit < 2 {
        return rows.to_vec();
    }
    let stretch = rows.len().div_ceil(limit / 2);
    let mut kept = Vec::with_capacity(limit + limit / 4);
    for part in rows.chunks(stretch) {
        let (mut low, mut high) = (0, 0);
        for (index, row) in part.iter().enumerate() {
            // A comparison with NaN is false: rows without a loss are never chosen for theirs.
            if row.loss < part[low].loss || part[low].loss.is_nan() {
                low = index;
            }
            if row.loss > part[high].loss || part[high].loss.is_nan() {
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
        let rows = log(20).rows(0.0);
        assert_eq!(rows.len(), 20);
        assert_eq!(rows[9].validation, 0.5);
        assert!(rows[8].validation.is_nan());
        assert_eq!((rows[9].tokens, rows[9].seconds), (1000.0, 0.1));
        assert!(rows.iter().all(|row| row.loss == row.smoothed));
    }

    #[test]
    fn smoothing_starts_at_the_first_loss() {
        let rows = log(3).rows(0.9);
        assert!((rows[0].smoothed - 4.0).abs() < 1e-12);
        assert!(rows[1].smoothed > rows[1].loss && rows[1].smoothed < rows[0].smoothed);
    }

    #[test]
    fn an_evaluation_before_the_first_step_has_a_row_of_its_own() {
        let mut log = RunLog::default();
        log.push(&record(0, 5, &[("validation_loss", 4.0)]));
        log.push(&record(1, 6, &[("loss", 3.0)]));
        let rows = log.rows(0.5);
        assert_eq!((rows.len(), rows[0].step, rows[1].step), (2, 0, 1));
        assert!(rows[0].loss.is_nan());
    }

    #[test]
    fn continuing_drops_what_will_be_recorded_anew() {
        let mut log = log(25);
        log.begin(100, 20, 9000);
        assert_eq!(log.rows(0.0).last().map(|row| row.step), Some(20));
        assert_eq!(log.jsonl().lines().count(), 22);
        log.push(&record(21, 9010, &[("loss", 1.0)]));
        let rows = log.rows(0.0);
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
        assert_eq!(log.rows(0.0)[1].seconds, 2.0);
    }

    #[test]
    fn thinning_keeps_spikes_and_evaluations() {
        let mut log = log(0);
        for step in 1..=50_000 {
            let loss = if step == 31_234 { 99.0 } else { 1.0 };
            log.push(&record(step, step as u64, &[("loss", loss)]));
        }
        log.push(&record(777, 50_000, &[("validation_loss", 0.5)]));
        log.validation.sort_by_key(|point| point.step);
        let thin = thin_out(&log.rows(0.0), 2000);
        assert!(thin.len() <= 2001, "{}", thin.len());
        assert!(thin.iter().any(|row| row.loss == 99.0));
        assert!(thin.iter().any(|row| row.validation == 0.5));
        assert!(thin.windows(2).all(|pair| pair[0].step < pair[1].step));
    }

    #[test]
    fn the_table_ends_with_the_last_step() {
        let rows = log(1001).rows(0.0);
        let picked = pick(&rows, 40);
        assert!(picked.len() <= 40);
        assert_eq!(picked.last().map(|row| row.step), Some(1001));
        assert!(pick(&[], 40).is_empty());
    }

    #[test]
    fn the_summary_says_what_happened() {
        assert_eq!(
            log(20).summary(0.0),
            "The training loss fell from 4.00 at step 1 to 0.20 at step 20. Lowest validation loss: 0.30 at step 20."
        );
        assert!(RunLog::default().summary(0.9).contains("No step"));
    }

    #[test]
    fn infinite_values_are_not_plotted() {
        let mut log = RunLog::default();
        log.push(&record(1, 0, &[("loss", f64::INFINITY)]));
        assert!(log.rows(0.5).is_empty());
        assert!(!log.is_empty());
    }
}
