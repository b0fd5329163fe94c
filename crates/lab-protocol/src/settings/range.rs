//! The numbers that a setting may be.

use crate::{LabError, Text, text};

/// Numbers from `low` to `high`, both included; infinity means no upper limit, [`ABOVE_ZERO`] excludes 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    pub low: f64,
    pub high: f64,
}

/// The lower end of a range that leaves 0 out.
pub const ABOVE_ZERO: f64 = f64::MIN_POSITIVE;

impl Range {
    /// An error at `field` unless the whole number is in the range.
    pub fn whole(self, field: &str, value: u64) -> Result<(), LabError> {
        let Self { low, high } = self;
        self.check(field, value, value as f64, || match high.is_finite() {
            true => text!("Use a whole number from {low} to {high}.", low, high),
            false => text!("Use a whole number of at least {low}.", low),
        })
    }

    /// An error at `field` unless the number is finite and in the range.
    pub fn number(self, field: &str, value: f64) -> Result<(), LabError> {
        let Self { low, high } = self;
        self.check(field, value, value, || {
            match (low == ABOVE_ZERO, high.is_finite()) {
                (true, true) => text!("Use a number above 0, and at most {high}.", high),
                (true, false) => text!("Use a number above 0."),
                (false, true) => text!("Use a number from {low} to {high}.", low, high),
                (false, false) => text!("Use a number of at least {low}.", low),
            }
        })
    }

    fn check(
        self,
        field: &str,
        shown: impl ToString,
        value: f64,
        hint: impl Fn() -> Text,
    ) -> Result<(), LabError> {
        if value.is_finite() && (self.low..=self.high).contains(&value) {
            return Ok(());
        }
        let message = text!("{name} is {value}", name = field, value = shown);
        Err(LabError::config(field, message, hint()))
    }
}
