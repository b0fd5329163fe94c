//! The whole experiment as one archive, with the folders and files that `lab run` writes.

use crate::lab::Lab;
use js_sys::{Array, Uint8Array};
use lab_client::Files;
use lab_protocol::{Comparison, ErrorCode, LabError, text};
use leptos::prelude::*;
use serde::Serialize;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/archive.js")]
extern "C" {
    /// See `archive.js`.
    #[wasm_bindgen(catch, js_name = saveArchive)]
    async fn save_archive(name: &str, files: &Array) -> Result<(), JsValue>;
}

/// A name that every file system takes.
fn file_name(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    let name: String = name
        .chars()
        .map(|c| if plain(c) { c } else { '-' })
        .collect();
    let name = name.trim_start_matches('.');
    if name.is_empty() {
        "experiment".to_owned()
    } else {
        name.to_owned()
    }
}

pub fn archive_name(lab: Lab) -> String {
    format!("{}.zip", file_name(&lab.form.name.get()))
}

/// Offers the archive to the user.
pub async fn save(lab: Lab) -> Result<(), LabError> {
    let files = untrack(|| files(lab))?;
    let saved = save_archive(&untrack(|| archive_name(lab)), &files.to_js()).await;
    saved.map_err(|thrown| {
        LabError::new(
            ErrorCode::Io,
            text!(
                "the archive could not be written: {reason}",
                reason = format!("{thrown:?}")
            ),
            "Download the files one by one, or free memory and try again.",
        )
    })
}

fn files(lab: Lab) -> Result<Files, LabError> {
    let mut files = Vec::new();
    let mut add = |path: String, bytes: &[u8]| files.push((path, Uint8Array::from(bytes)));
    let experiment = lab.form.build(lab.store.backend.get())?;
    add("experiment.json".to_owned(), &json(&experiment)?);
    add(
        "comparison.json".to_owned(),
        &json(&Comparison::of(&lab.form.results()))?,
    );
    let forms = lab.form.strategies.get();
    for form in &forms {
        let run = form.run;
        let Some(result) = run.result.get() else {
            continue;
        };
        let folder = file_name(&form.name.get());
        add(format!("{folder}/run.json"), &run.record()?);
        let metrics = run.log.with_value(|log| log.jsonl());
        add(format!("{folder}/metrics.jsonl"), metrics.as_bytes());
        add(format!("{folder}/results.json"), &json(&result)?);
    }
    for form in &forms {
        let folder = file_name(&form.name.get());
        let made = lab.client().files(form.key).0;
        files.extend(
            made.into_iter()
                .map(|(path, bytes)| (format!("{folder}/{path}"), bytes)),
        );
    }
    Ok(Files(files))
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, LabError> {
    serde_json::to_vec_pretty(value).map_err(|error| LabError::internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_as_files() {
        assert_eq!(file_name("my run/../x"), "my-run-..-x");
        assert_eq!(file_name("..."), "experiment");
        assert_eq!(file_name("Übung 1"), "Übung-1");
    }
}
