//! Words for people that can be translated: a template with named arguments, which is the key of a language table.
//! The code contains the English text.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

/// A sentence. It reads as English, and can be put into other words by its template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    english: String,
    /// Boxed, so an error stays small to return.
    template: Option<Box<Template>>,
}

/// `the learning rate is {value}`, and the value. A text without arguments has none: it is its own key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    pub template: String,
    pub arguments: BTreeMap<String, String>,
}

/// A [`Text`] from a template and its named arguments; the compiler checks that they belong together. An argument
/// that is named like a variable takes its value: `name` is short for `name = name`.
///
/// ```
/// use lab_protocol::text;
/// let steps = 0;
/// let text = text!("{steps} steps are not enough for {name}", steps, name = "pretrain");
/// assert_eq!(text.to_string(), "0 steps are not enough for pretrain");
/// assert_eq!(text.template().unwrap().arguments["steps"], "0");
/// ```
#[macro_export]
macro_rules! text {
    (@value $name:ident) => { $name };
    (@value $name:ident = $value:expr) => { $value };
    ($template:literal $(,)?) => {
        $crate::Text::from(format!($template))
    };
    ($template:literal, $($name:ident $(= $value:expr)?),+ $(,)?) => {{
        let [$($name),+] = [$(($crate::text!(@value $name $(= $value)?)).to_string()),+];
        let english = format!($template, $($name = $name),+);
        $crate::Text::new(english, $template, [$((stringify!($name), $name)),+])
    }};
}

impl Text {
    /// Used by [`text!`].
    pub fn new<const N: usize>(
        english: String,
        template: &str,
        arguments: [(&str, String); N],
    ) -> Self {
        let named = arguments.map(|(name, value)| (name.to_owned(), value));
        let template = Template {
            template: template.to_owned(),
            arguments: named.into(),
        };
        Self {
            english,
            template: Some(Box::new(template)),
        }
    }

    /// `None` if the text is its own key.
    pub fn template(&self) -> Option<&Template> {
        self.template.as_deref()
    }

    /// The text in the words of a language table, from keys to templates; in English if the table has no entry.
    pub fn translated<'a>(&self, table: impl Fn(&str) -> Option<&'a str>) -> String {
        let key = self.template.as_ref().map(|template| &template.template);
        match (table(key.unwrap_or(&self.english)), &self.template) {
            (Some(words), Some(template)) => fill(words, &template.arguments),
            (Some(words), None) => words.to_owned(),
            (None, _) => self.english.clone(),
        }
    }

    /// The text as it came over a wire.
    pub(crate) fn received(english: String, template: Option<Template>) -> Self {
        Self {
            english,
            template: template.map(Box::new),
        }
    }
}

/// Puts each argument in the place of its name in braces. Braces within an argument are not read.
pub fn fill(template: &str, arguments: &BTreeMap<String, String>) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        filled.push_str(&rest[..open]);
        rest = &rest[open..];
        let value = rest.find('}').and_then(|close| {
            let value = arguments.get(&rest[1..close])?;
            Some((close, value))
        });
        match value {
            Some((close, value)) => {
                filled.push_str(value);
                rest = &rest[close + 1..];
            }
            None => {
                filled.push('{');
                rest = &rest[1..];
            }
        }
    }
    filled + rest
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.english
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.english)
    }
}

impl From<String> for Text {
    fn from(english: String) -> Self {
        Self {
            english,
            template: None,
        }
    }
}

impl From<&str> for Text {
    fn from(english: &str) -> Self {
        english.to_owned().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErrorCode, LabError};

    #[test]
    fn a_text_is_translated_by_its_template() {
        let german = |key: &str| match key {
            "{name} is {value}" => Some("{value} ist {name}, {nothing}"),
            "no name" => Some("kein Name"),
            _ => None,
        };
        let rate = text!("{name} is {value}", name = "{value}", value = -1);
        assert_eq!(&*rate, "{value} is -1");
        assert_eq!(rate.translated(german), "-1 ist {value}, {nothing}");
        assert_eq!(Text::from("no name").translated(german), "kein Name");
        let unknown = text!("{steps} steps", steps = 3);
        assert_eq!(unknown.translated(german), "3 steps");
        assert_eq!(fill("a { b {value", &BTreeMap::new()), "a { b {value");
    }

    #[test]
    fn an_error_carries_its_templates() {
        let error = LabError::new(
            ErrorCode::InvalidConfig,
            text!("steps is {value}", value = 0),
            "Use a whole number.",
        );
        let json = serde_json::to_value(&error).unwrap();
        assert_eq!(json["message"], "steps is 0");
        assert_eq!(json["hint"], "Use a whole number.");
        assert_eq!(json["message_template"]["template"], "steps is {value}");
        assert_eq!(json["message_template"]["arguments"]["value"], "0");
        assert!(json.get("hint_template").is_none());
        assert_eq!(serde_json::from_value::<LabError>(json).unwrap(), error);
    }
}
