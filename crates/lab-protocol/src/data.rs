//! The records that data sets are made of.

use crate::Settings;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A prompt and the response to learn from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptResponsePair {
    pub prompt: String,
    pub response: String,
    /// What stands before the conversation.
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
    /// By how much the chosen one is better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
}

/// Facts about a document that filters can ask for: title, source, date.
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
