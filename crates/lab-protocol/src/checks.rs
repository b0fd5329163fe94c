//! Bounds of numbers in a configuration, for every crate that has one.

use crate::LabError;

/// An error at `field` unless `value` is one of `low..=high`.
pub fn whole(field: &str, value: usize, low: usize, high: usize) -> Result<(), LabError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(LabError::config(
        field,
        format!("{field} is {value}"),
        format!("Use a whole number from {low} to {high}."),
    ))
}

/// An error at `field` unless `value` is finite and within `low..=high`.
pub fn number(field: &str, value: f64, low: f64, high: f64) -> Result<(), LabError> {
    if value.is_finite() && (low..=high).contains(&value) {
        return Ok(());
    }
    let low = if low == f64::MIN_POSITIVE {
        "just above 0".to_owned()
    } else {
        low.to_string()
    };
    Err(LabError::config(
        field,
        format!("{field} is {value}"),
        format!("Use a number from {low} to {high}."),
    ))
}
