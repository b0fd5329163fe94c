//! Conditions on the metadata of documents.

use lab_protocol::Metadata;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A condition on metadata, e.g. `{"equals": {"key": "year", "value": 1958}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Filter {
    /// The value of a key; if it is a list, one of its items.
    Equals {
        key: String,
        value: Value,
    },
    OneOf {
        key: String,
        values: Vec<Value>,
    },
    /// A number from `minimum` to `maximum`, both included; either may be left out.
    Range {
        key: String,
        #[serde(default)]
        minimum: Option<f64>,
        #[serde(default)]
        maximum: Option<f64>,
    },
    Exists {
        key: String,
    },
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
}

impl Filter {
    pub fn allows(&self, metadata: &Metadata) -> bool {
        match self {
            Self::Equals { key, value } => has(metadata, key, |found| found == value),
            Self::OneOf { key, values } => has(metadata, key, |found| values.contains(found)),
            Self::Range {
                key,
                minimum,
                maximum,
            } => has(metadata, key, |found| {
                found.as_f64().is_some_and(|number| {
                    minimum.is_none_or(|minimum| number >= minimum)
                        && maximum.is_none_or(|maximum| number <= maximum)
                })
            }),
            Self::Exists { key } => metadata.contains_key(key),
            Self::All(filters) => filters.iter().all(|filter| filter.allows(metadata)),
            Self::Any(filters) => filters.iter().any(|filter| filter.allows(metadata)),
            Self::Not(filter) => !filter.allows(metadata),
        }
    }
}

fn has(metadata: &Metadata, key: &str, test: impl Fn(&Value) -> bool) -> bool {
    match metadata.get(key) {
        Some(Value::Array(items)) => items.iter().any(&test),
        Some(value) => test(value),
        None => false,
    }
}
