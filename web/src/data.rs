//! The text to train on: a built-in one, a pasted one or a file.

use crate::experiment::ExperimentForm;
use crate::platform;
use lab_protocol::{DataSource, ErrorCode, LabError, from_json, text, text_from_bytes};
use leptos::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// An entry of `data/texts.json`, the list of the built-in texts.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct BuiltInText {
    pub name: String,
    pub title: String,
    pub description: String,
    pub licence: String,
    pub file: String,
}

/// A file that the user gave.
#[derive(Clone, PartialEq, Eq)]
pub struct UserFile {
    pub name: String,
    pub text: Arc<str>,
}

#[derive(Clone, Copy)]
pub struct DataState {
    pub built_in: RwSignal<Vec<BuiltInText>>,
    pub pasted: RwSignal<String>,
    pub file: RwSignal<Option<UserFile>>,
    /// Built-in texts that have been fetched, or why they could not be.
    fetched: RwSignal<BTreeMap<String, Result<Arc<str>, LabError>>>,
    /// The text that the form names; none while it is being fetched.
    pub text: Memo<Option<Result<Arc<str>, LabError>>>,
    /// Tells texts apart.
    pub fingerprint: Memo<u64>,
}

impl DataState {
    pub fn new(form: ExperimentForm) -> Self {
        let built_in = RwSignal::new(Vec::new());
        let pasted = RwSignal::new(String::new());
        let file = RwSignal::new(None::<UserFile>);
        let fetched = RwSignal::new(BTreeMap::<String, Result<Arc<str>, LabError>>::new());
        let text = Memo::new(move |_| match form.source.get() {
            DataSource::BuiltIn => {
                fetched.with(|fetched| fetched.get(&form.built_in.get()).cloned())
            }
            // The worker makes it from the seed.
            DataSource::Village => Some(Ok(Arc::from(""))),
            DataSource::User => Some(file.with(|file| {
                match file {
                    Some(file) => Ok(file.text.clone()),
                    None => pasted
                        .with(|pasted| text_from_bytes(pasted.clone().into_bytes()).map(Arc::from)),
                }
            })),
        });
        let fingerprint = Memo::new(move |_| {
            let mut hasher = std::hash::DefaultHasher::new();
            text.with(|text| match text {
                Some(Ok(text)) => text.hash(&mut hasher),
                _ => 0.hash(&mut hasher),
            });
            hasher.finish()
        });
        Self {
            built_in,
            pasted,
            file,
            fetched,
            text,
            fingerprint,
        }
    }

    /// Fetches the list of the built-in texts.
    pub async fn fetch_list(&self) -> Result<(), LabError> {
        let bytes = platform::fetch("data/texts.json").await?;
        self.built_in.set(from_json(&text_from_bytes(bytes)?)?);
        Ok(())
    }

    /// Fetches a built-in text, unless it is there.
    pub async fn fetch_text(&self, name: String) {
        let known = |fetched: &BTreeMap<_, Result<_, _>>| matches!(fetched.get(&name), Some(Ok(_)));
        if self.fetched.with_untracked(known) {
            return;
        }
        let listed = self
            .built_in
            .with_untracked(|texts| texts.iter().find(|text| text.name == name).cloned());
        let text = match listed {
            None => Err(LabError::config(
                "data.name",
                text!("no built-in text is called \"{name}\"", name),
                "Choose one of the list.",
            )),
            Some(entry) => match platform::fetch(&format!("data/{}", entry.file)).await {
                Ok(bytes) => text_from_bytes(bytes).map(Arc::from),
                Err(error) => Err(error),
            },
        };
        self.fetched.update(|fetched| {
            fetched.insert(name, text);
        });
    }

    /// Takes a file of the user's as the text.
    pub async fn take_file(
        &self,
        form: ExperimentForm,
        file: web_sys::File,
    ) -> Result<(), LabError> {
        let bytes = platform::read_file(&file).await?;
        let text = text_from_bytes(bytes)?;
        self.file.set(Some(UserFile {
            name: file.name(),
            text: Arc::from(text),
        }));
        form.user_name.set(file.name());
        form.source.set(DataSource::User);
        Ok(())
    }

    /// Sets the user's own text, as it was given earlier.
    pub fn set_own(&self, form: ExperimentForm, name: String, text: Arc<str>) {
        if name.is_empty() {
            self.file.set(None);
            self.pasted.set(text.to_string());
        } else {
            self.file.set(Some(UserFile {
                name: name.clone(),
                text,
            }));
        }
        form.user_name.set(name);
    }

    /// Forgets the user's file; the pasted text counts again.
    pub fn drop_file(&self, form: ExperimentForm) {
        self.file.set(None);
        form.user_name.set(String::new());
    }

    /// The text, for a run.
    pub fn ready(&self) -> Result<Arc<str>, LabError> {
        self.text.get_untracked().unwrap_or_else(|| {
            Err(LabError::new(
                ErrorCode::InvalidData,
                "the text is still being loaded",
                "Wait a moment and press Run again.",
            )
            .at("data"))
        })
    }
}

/// A summary of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    pub characters: usize,
    pub distinct: usize,
    pub lines: usize,
    /// The first lines, cut at a length that a card can show.
    pub beginning: String,
}

impl Preview {
    pub fn of(text: &str) -> Self {
        let mut seen = std::collections::BTreeSet::new();
        let mut ascii = [false; 128];
        let (mut characters, mut lines) = (0, 0);
        for character in text.chars() {
            characters += 1;
            lines += usize::from(character == '\n');
            match ascii.get_mut(character as usize) {
                Some(known) => *known = true,
                None => {
                    seen.insert(character);
                }
            }
        }
        let distinct = seen.len() + ascii.iter().filter(|known| **known).count();
        let unfinished = usize::from(!text.is_empty() && !text.ends_with('\n'));
        let beginning: String = text.lines().take(8).flat_map(|line| [line, "\n"]).collect();
        Self {
            characters,
            distinct,
            lines: lines + unfinished,
            beginning: beginning.chars().take(400).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_counts_characters_not_bytes() {
        let preview = Preview::of("Ahab\nИшмаэль\n“whale”");
        assert_eq!(
            (preview.characters, preview.distinct, preview.lines),
            (20, 17, 3)
        );
        assert_eq!(preview.beginning, "Ahab\nИшмаэль\n“whale”\n");
        assert_eq!(Preview::of("").lines, 0);
        assert!(Preview::of(&"long ".repeat(1000)).beginning.len() <= 400);
    }

    #[test]
    fn the_list_of_texts_is_read_as_it_is() {
        let list = include_str!("../../crates/lab-village/data/texts.json");
        let texts: Vec<BuiltInText> = from_json(list).unwrap();
        assert!(texts.iter().any(|text| text.name == "first-names"));
    }
}
