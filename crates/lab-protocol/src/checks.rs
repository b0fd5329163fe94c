//! The check of a number that is not a setting's field.

use crate::{LabError, Range};

/// An error at `field` unless `value` is one of `low..=high`.
pub fn whole(field: &str, value: usize, low: usize, high: usize) -> Result<(), LabError> {
    let range = Range {
        low: low as f64,
        high: high as f64,
    };
    range.whole(field, value as u64)
}
