//! The duration of a run and of its steps, without pauses.

use std::collections::VecDeque;

/// Number of steps over which the speed is averaged.
const WINDOW: usize = 50;

/// Times are in milliseconds of the host's clock.
#[derive(Default)]
pub(super) struct Clock {
    /// Start of the first step.
    started: Option<f64>,
    /// Time spent in pauses since then.
    waited: f64,
    step_started: f64,
    /// The newest at the back.
    last: VecDeque<StepTime>,
}

struct StepTime {
    /// Time of the step's end, without pauses.
    end: f64,
    milliseconds: f64,
    tokens: usize,
}

impl Clock {
    /// Seconds since the first step began.
    pub(super) fn seconds(&self, now: f64) -> f64 {
        (now - self.started.unwrap_or(now) - self.waited) / 1000.0
    }

    /// Starts the time of a step: the time between two steps (evaluation, samples) does not count in tokens a second.
    pub(super) fn step_begins(&mut self, now: f64) {
        self.started.get_or_insert(now);
        self.step_started = now;
    }

    /// Ends the time of a step of this many tokens. Returns tokens a second over the last steps.
    pub(super) fn step_ends(&mut self, now: f64, tokens: usize) -> f64 {
        self.last.push_back(StepTime {
            end: now - self.waited,
            milliseconds: now - self.step_started,
            tokens,
        });
        if self.last.len() > WINDOW {
            self.last.pop_front();
        }
        let tokens: usize = self.last.iter().map(|time| time.tokens).sum();
        let milliseconds: f64 = self.last.iter().map(|time| time.milliseconds).sum();
        // A step is never shorter than the clock's resolution.
        tokens as f64 * 1000.0 / milliseconds.max(1e-3)
    }

    /// Excludes a pause from all times.
    pub(super) fn leave_out(&mut self, milliseconds: f64) {
        if self.started.is_some() {
            self.waited += milliseconds;
        }
    }

    /// Includes the work between steps.
    pub(super) fn seconds_per_step(&self) -> f64 {
        match (self.last.front(), self.last.back()) {
            (Some(first), Some(last)) if self.last.len() > 1 => {
                (last.end - first.end) / 1000.0 / (self.last.len() - 1) as f64
            }
            (Some(only), _) => only.milliseconds / 1000.0,
            _ => 0.0,
        }
    }
}
