//! Finished runs in the browser's own database, where they outlive the page.

use crate::attachments::Files;
use js_sys::{Array, Reflect};
use lab_protocol::{ErrorCode, LabError};
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/database.js")]
extern "C" {
    /// See `database.js`.
    #[wasm_bindgen(catch, js_name = saveRun)]
    async fn save_run(id: &str, about: &str, metrics: &str, files: Array) -> Result<(), JsValue>;
    #[wasm_bindgen(catch, js_name = listRuns)]
    async fn list_runs() -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = loadRun)]
    async fn load_run(id: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = removeRuns)]
    async fn remove_runs(ids: Array) -> Result<(), JsValue>;
    #[wasm_bindgen(js_name = isFull)]
    fn is_full(error: &JsValue) -> bool;
}

/// An entry of the list.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRun {
    pub id: String,
    /// The saved description of the run.
    pub about: String,
    /// Bytes, about.
    pub size: f64,
}

/// Saves a run, in place of one with the same id.
pub async fn save(id: &str, about: &str, metrics: &str, files: &Files) -> Result<(), LabError> {
    let saved = save_run(id, about, metrics, files.to_js()).await;
    saved.map_err(|error| {
        let (message, hint) = match is_full(&error) {
            true => (
                "The run could not be kept for later: the browser's storage is full",
                "Delete earlier runs, or download this run's files.",
            ),
            false => (
                "The run could not be kept for later: the browser does not allow this page to store it",
                "Allow this page to store data, or download the run's files.",
            ),
        };
        LabError::new(ErrorCode::Io, message, hint)
    })
}

/// All stored runs; empty if the browser allows no storage.
pub async fn list() -> Vec<StoredRun> {
    let Ok(listed) = list_runs().await else {
        return Vec::new();
    };
    let entry = |value: JsValue| {
        let get = |key: &str| Reflect::get(&value, &key.into()).ok();
        Some(StoredRun {
            id: get("id")?.as_string()?,
            about: get("about")?.as_string()?,
            size: get("size")?.as_f64().unwrap_or_default(),
        })
    };
    Array::from(&listed).iter().filter_map(entry).collect()
}

/// The metrics of a run, a record in each line, and its files; `None` if they are gone.
pub async fn load(id: &str) -> Option<(String, Files)> {
    let parts = load_run(id).await.ok()?;
    let get = |key: &str| Reflect::get(&parts, &key.into()).ok();
    let metrics = get("metrics")?.as_string().unwrap_or_default();
    Some((metrics, Files::from_js(&get("files")?).unwrap_or_default()))
}

/// Removes runs. A run that cannot be removed stays in the list.
pub async fn remove<'a>(ids: impl Iterator<Item = &'a str>) {
    let _ = remove_runs(ids.map(JsValue::from).collect()).await;
}
