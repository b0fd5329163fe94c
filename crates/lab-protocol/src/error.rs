use crate::{Template, Text, text};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The kinds of failures that a caller may want to distinguish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// A setting has a value that cannot work.
    InvalidConfig,
    /// A key that no configuration has. It is an error because a typing error would otherwise be ignored silently.
    UnknownKey,
    /// JSON that does not parse, or has a value of the wrong type.
    InvalidJson,
    /// A text, data set or file that cannot be used.
    InvalidData,
    /// Bytes that are not UTF-8, in a place for text.
    InvalidUtf8,
    /// A checkpoint or model file that cannot be read or does not fit.
    InvalidCheckpoint,
    /// A command that makes no sense now, or names a run that does not exist.
    InvalidCommand,
    /// The loss or a gradient became NaN or infinite.
    NonFinite,
    /// The requested backend is not available.
    BackendUnavailable,
    /// The GPU went away or reported an error during a run.
    DeviceLost,
    /// Memory ran out, on the GPU or on the host.
    OutOfMemory,
    /// Reading or writing a file failed.
    Io,
    /// An endpoint could not be reached, or did not answer as it should.
    Network,
    /// A mistake in LLM Labs.
    Internal,
}

impl ErrorCode {
    /// Whether the input is at fault (exit status 2 of `lab`), not the machine or LLM Labs.
    pub fn is_input(self) -> bool {
        use ErrorCode::*;
        matches!(
            self,
            InvalidConfig
                | UnknownKey
                | InvalidJson
                | InvalidData
                | InvalidUtf8
                | InvalidCheckpoint
                | InvalidCommand
        )
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The serialised name is the public one; a second table could differ from it.
        self.serialize(f)
    }
}

/// An error, in words for the person who can fix it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct LabError {
    pub code: ErrorCode,
    /// The error, with the value and its place.
    pub message: Text,
    /// The way to fix it.
    pub hint: Text,
    /// Path of the offending setting, e.g. `strategies[0].config.model.heads`.
    pub field: Option<String>,
}

/// An error as JSON: its words in English, and the templates by which other languages are found.
#[derive(Serialize, Deserialize)]
struct Written {
    code: ErrorCode,
    message: String,
    hint: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message_template: Option<Template>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hint_template: Option<Template>,
}

impl From<LabError> for Written {
    fn from(error: LabError) -> Self {
        Self {
            code: error.code,
            message: error.message.to_string(),
            hint: error.hint.to_string(),
            field: error.field,
            message_template: error.message.template().cloned(),
            hint_template: error.hint.template().cloned(),
        }
    }
}

impl From<Written> for LabError {
    fn from(written: Written) -> Self {
        Self {
            code: written.code,
            message: Text::received(written.message, written.message_template),
            hint: Text::received(written.hint, written.hint_template),
            field: written.field,
        }
    }
}

impl LabError {
    pub fn new(code: ErrorCode, message: impl Into<Text>, hint: impl Into<Text>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: hint.into(),
            field: None,
        }
    }

    /// A setting that cannot work.
    pub fn config(field: &str, message: impl Into<Text>, hint: impl Into<Text>) -> Self {
        Self::new(ErrorCode::InvalidConfig, message, hint).at(field)
    }

    /// Names the field, or puts an outer path before the field that is already named.
    pub fn at(mut self, path: &str) -> Self {
        self.field = Some(match self.field {
            Some(inner) if inner.starts_with('[') => format!("{path}{inner}"),
            Some(inner) => format!("{path}.{inner}"),
            None => path.to_owned(),
        });
        self
    }

    /// A failure that is a mistake in LLM Labs.
    pub fn internal(message: impl Into<Text>) -> Self {
        Self::new(
            ErrorCode::Internal,
            message,
            "This is a defect of LLM Labs. Please report it with the experiment that caused it.",
        )
    }
}

impl fmt::Display for LabError {
    /// `code: message (field) — hint`, as the terminal program prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        if let Some(field) = &self.field {
            write!(f, " ({field})")?;
        }
        write!(f, " — {}", self.hint)
    }
}

impl std::error::Error for LabError {}

/// Reads a configuration from a JSON value. Unknown keys, wrong types and missing keys become a
/// [`LabError`] that names the field by its path.
pub fn from_value<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> Result<T, LabError> {
    serde_path_to_error::deserialize(value).map_err(json_error)
}

/// Reads settings over their defaults: settings that are missing in `value`, also in a part of it, are as in
/// `T::default()`. (Serde alone would fill a part from the default of the part's own type, whatever it is a part of.)
pub fn from_settings<T>(value: serde_json::Value) -> Result<T, LabError>
where
    T: Default + serde::Serialize + serde::de::DeserializeOwned,
{
    let defaults = serde_json::to_value(T::default());
    let mut settings = defaults.map_err(|error| LabError::internal(error.to_string()))?;
    overlay(&mut settings, value);
    from_value(settings)
}

/// Writes `given` over `settings`, object by object; an object of another `kind` is replaced.
fn overlay(settings: &mut serde_json::Value, given: serde_json::Value) {
    use serde_json::Value;
    match (settings, given) {
        (Value::Object(settings), Value::Object(given))
            if given
                .get("kind")
                .is_none_or(|kind| settings.get("kind") == Some(kind)) =>
        {
            for (key, value) in given {
                match settings.get_mut(&key) {
                    Some(part) => overlay(part, value),
                    None => {
                        settings.insert(key, value);
                    }
                }
            }
        }
        (settings, given) => *settings = given,
    }
}

/// [`from_value`] for text.
pub fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, LabError> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(json_error)?;
    deserializer.end().map_err(|error| {
        LabError::new(
            ErrorCode::InvalidJson,
            text!(
                "there is more after the end of the JSON value: {error}",
                error
            ),
            "Keep one JSON value in the file.",
        )
    })?;
    Ok(value)
}

fn json_error(error: serde_path_to_error::Error<serde_json::Error>) -> LabError {
    let path = error.path().to_string();
    let text = error.inner().to_string();
    let mut lab = if text.starts_with("unknown field") {
        LabError::new(
            ErrorCode::UnknownKey,
            text,
            "Correct the key, or remove it: keys that are not known are never ignored.",
        )
    } else {
        LabError::new(
            ErrorCode::InvalidJson,
            text,
            "Give the value in the type that is named, as in the example experiments.",
        )
    };
    if path != "." {
        lab.field = Some(path);
    }
    lab
}
