//! The built-in texts.
//!
//! `data/texts.json` is the single list of them: this crate compiles it in, and the playground fetches
//! it beside the texts. With the feature `embedded` the texts themselves are compiled in as well.

use serde::Deserialize;
use std::sync::OnceLock;

/// A text that comes with the lab.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuiltInText {
    /// The name in `data.name` of an experiment.
    pub name: String,
    pub title: String,
    /// The content, in a sentence or two.
    pub description: String,
    pub licence: String,
    /// File in this crate's `data/`, UTF-8.
    pub file: String,
}

/// All built-in texts, in the order in which they are offered.
pub fn texts() -> &'static [BuiltInText] {
    static TEXTS: OnceLock<Vec<BuiltInText>> = OnceLock::new();
    TEXTS.get_or_init(|| {
        serde_json::from_str(include_str!("../data/texts.json"))
            .expect("texts.json is compiled in and read by a test")
    })
}

/// The built-in text called `name`.
#[cfg(feature = "embedded")]
pub fn text(name: &str) -> Result<&'static str, lab_protocol::LabError> {
    match name {
        "first-names" => Ok(include_str!("../data/first-names.txt")),
        "moby-dick" => Ok(include_str!("../data/moby-dick.txt")),
        _ => Err(unknown_text(name)),
    }
}

/// The error for a name that no built-in text has.
pub fn unknown_text(name: &str) -> lab_protocol::LabError {
    let names: Vec<_> = texts().iter().map(|text| text.name.as_str()).collect();
    lab_protocol::LabError::config(
        "data.name",
        lab_protocol::text!("no built-in text is called \"{name}\"", name),
        lab_protocol::text!("Use one of: {names}.", names = names.join(", ")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_text_is_there_under_its_name() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
        assert!(!texts().is_empty());
        for entry in texts() {
            let text = std::fs::read_to_string(folder.join(&entry.file)).unwrap();
            assert!(
                text.len() > 10_000 && text.ends_with('\n'),
                "{}",
                entry.name
            );
            #[cfg(feature = "embedded")]
            assert_eq!(super::text(&entry.name).unwrap(), text);
        }
    }

    #[test]
    fn an_unknown_name_is_told_the_known_ones() {
        let error = unknown_text("nonsense");
        assert_eq!(error.field.as_deref(), Some("data.name"));
        assert!(error.hint.contains("moby-dick"), "{}", error.hint);
    }
}
