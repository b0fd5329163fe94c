//! The records of data sets.

use crate::Settings;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A prompt and the response to learn from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptResponsePair {
    pub prompt: String,
    pub response: String,
    /// The message before the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<serde_json::Value>,
}

/// Two responses to a prompt, of which one was preferred.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Settings)]
#[serde(deny_unknown_fields)]
pub struct PreferenceExample {
    /// The text that both answer.
    pub prompt: String,
    /// The better response.
    pub chosen: String,
    /// The other response.
    pub rejected: String,
    /// How much better the chosen one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
}

/// Treatment of a row of the data that cannot be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Settings)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// The run is refused and the rows are named, as by `datasets` and TRL: a row that is left out unnoticed changes
    /// the result of the training.
    #[default]
    #[setting(label = "Refuse")]
    Stop,
    /// The row is left out, and counted.
    #[setting(label = "Leave out")]
    Skip,
}

/// Rows of the data that were left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedRows {
    pub count: usize,
    /// The number of the first of them, and its fault.
    pub first: String,
}

impl std::fmt::Display for SkippedRows {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        let Self { count, first } = self;
        write!(
            formatter,
            "{count} rows that cannot be used, the first of them {first}"
        )
    }
}

/// Facts about a document that filters can use: title, source, date.
pub type Metadata = BTreeMap<String, serde_json::Value>;

/// A text to retrieve from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RagDocument {
    /// Unique within an index; adding a document of the same id replaces it.
    pub id: String,
    pub content: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: Metadata,
}
