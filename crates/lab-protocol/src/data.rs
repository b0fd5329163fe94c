//! The records that data sets are made of.

use serde::{Deserialize, Serialize};

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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreferenceExample {
    pub prompt: String,
    pub chosen: String,
    pub rejected: String,
    /// By how much the chosen one is better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
}
