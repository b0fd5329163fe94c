//! Finished runs, kept in the browser's database so that they outlive the page.

use crate::experiment::StrategyForm;
use crate::lab::Lab;
use crate::platform;
use crate::runs::{Phase, Run};
use crate::worker::Files;
use js_sys::{Array, Reflect};
use lab_protocol::{
    DeviceInfo, ErrorCode, ExperimentConfig, LabError, MetricRecord, RunInfo, RunResult, from_json,
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/history.js")]
extern "C" {
    /// See `history.js`.
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

/// What is kept of a run beside its metrics and files.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// The experiment as it was opened; runs of it are kept together.
    pub book: String,
    /// Milliseconds since 1970-01-01 UTC.
    pub saved: u64,
    run: String,
    pub strategy: String,
    pub experiment: ExperimentConfig,
    /// The user's own text; built-in ones are known by their name.
    #[serde(default)]
    text: String,
    data_hash: Option<String>,
    device: Option<DeviceInfo>,
    recipe: String,
    info: Option<RunInfo>,
    pub result: RunResult,
}

/// An entry of the list.
#[derive(Clone, PartialEq)]
pub struct Entry {
    id: String,
    pub kept: Kept,
    /// Bytes, about.
    pub size: f64,
}

/// The runs of one opened experiment, latest first among such.
#[derive(Clone, PartialEq)]
pub struct Book {
    pub id: String,
    pub entries: Vec<Entry>,
}

impl Book {
    pub fn saved(&self) -> u64 {
        self.entries
            .iter()
            .map(|entry| entry.kept.saved)
            .max()
            .unwrap_or_default()
    }

    pub fn size(&self) -> usize {
        self.entries.iter().map(|entry| entry.size).sum::<f64>() as usize
    }
}

/// Keeps a finished run. What goes wrong is told, and costs nothing but the keeping.
pub async fn keep(lab: Lab, form: StrategyForm) {
    let run = form.run;
    let (Some(about), Some(result)) = (run.run.get_untracked(), run.result.get_untracked()) else {
        return;
    };
    let own = about.experiment.data.source == lab_protocol::DataSource::User;
    let book = lab.inner.with_value(|inner| inner.book.clone());
    let kept = Kept {
        book: book.clone(),
        saved: platform::now(),
        run: about.id,
        strategy: about.strategy,
        experiment: about.experiment,
        text: if own {
            about.text.to_string()
        } else {
            String::new()
        },
        data_hash: about.data_hash,
        device: about.device,
        recipe: about.recipe,
        info: run.info.get_untracked(),
        result,
    };
    let Ok(about) = serde_json::to_string(&kept) else {
        return;
    };
    let metrics = run.log.with_value(|log| log.jsonl());
    let files = run.files.with_value(Files::to_js);
    let id = format!("{book}/{}", kept.strategy);
    if let Err(error) = save_run(&id, &about, &metrics, files).await {
        lab.store.notice.set(Some(told(&error)));
    }
    lab.store.kept.update(|changes| *changes += 1);
}

fn told(error: &JsValue) -> String {
    if is_full(error) {
        "The run could not be kept for later: the browser's storage is full. Delete older runs below, or take its files home.".to_owned()
    } else {
        "The run could not be kept for later: the browser does not allow this page to store it."
            .to_owned()
    }
}

/// All that is kept, latest first; nothing where the browser allows no storage.
pub async fn books() -> Vec<Book> {
    let Ok(listed) = list_runs().await else {
        return Vec::new();
    };
    let mut books: Vec<Book> = Vec::new();
    for value in Array::from(&listed).iter() {
        let get = |key: &str| Reflect::get(&value, &key.into()).ok();
        let text = |key: &str| get(key)?.as_string();
        // An entry of another version of the page cannot be read: it is left where it is.
        let kept = text("about").and_then(|about| from_json::<Kept>(&about).ok());
        let (Some(id), Some(kept)) = (text("id"), kept) else {
            continue;
        };
        let size = get("size")
            .and_then(|size| size.as_f64())
            .unwrap_or_default();
        let entry = Entry { id, kept, size };
        match books.iter_mut().find(|book| book.id == entry.kept.book) {
            Some(book) => book.entries.push(entry),
            None => books.push(Book {
                id: entry.kept.book.clone(),
                entries: vec![entry],
            }),
        }
    }
    books.sort_by_key(|book| std::cmp::Reverse(book.saved()));
    books
}

pub async fn delete(book: &Book) {
    let ids = book.entries.iter().map(|entry| JsValue::from(&entry.id));
    // What cannot be deleted stays in the list.
    let _ = remove_runs(ids.collect()).await;
}

/// Opens an experiment with the runs that are kept of it.
pub async fn open(lab: Lab, book: Book) -> Result<(), LabError> {
    let newest = book.entries.iter().max_by_key(|entry| entry.kept.saved);
    let Some(newest) = newest.map(|entry| entry.kept.clone()) else {
        return Ok(());
    };
    lab.form.load(newest.experiment.clone())?;
    lab.forget();
    if !newest.text.is_empty() {
        lab.data.set_own(
            lab.form,
            newest.experiment.data.name,
            Arc::from(newest.text),
        );
    }
    let mut last = 0;
    for entry in book.entries {
        let forms = lab.form.strategies.get_untracked();
        let named = |form: &&StrategyForm| form.name.get_untracked() == entry.kept.strategy;
        let Some(form) = forms.iter().find(named) else {
            continue;
        };
        last = last.max(number(&entry.kept.run));
        restore(form, entry).await?;
    }
    lab.inner.update_value(|inner| {
        inner.book = book.id;
        inner.runs = inner.runs.max(last);
    });
    lab.store.phase.set(Phase::Finished);
    Ok(())
}

/// The number of `run-7`, so that later runs get other ids.
fn number(run: &str) -> usize {
    run.rsplit('-')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or_default()
}

async fn restore(form: &StrategyForm, entry: Entry) -> Result<(), LabError> {
    let gone = || {
        LabError::new(
            ErrorCode::Io,
            format!("the run of \"{}\" could not be read", entry.kept.strategy),
            "The browser may have cleared its storage; run it again.",
        )
    };
    let parts = load_run(&entry.id).await.map_err(|_| gone())?;
    let get = |key: &str| Reflect::get(&parts, &key.into()).map_err(|_| gone());
    let metrics = get("metrics")?.as_string().unwrap_or_default();
    let files = Files::from_js(&get("files")?).unwrap_or_default();
    let (run, kept) = (form.run, entry.kept);
    run.clear();
    run.log.update_value(|log| {
        let records = metrics
            .lines()
            .filter_map(|line| from_json::<MetricRecord>(line).ok());
        let tokens = kept.info.as_ref().map_or(0, |info| info.tokens_per_step);
        let mut records = records.peekable();
        let start = records.peek().map_or(0, |record| record.timestamp);
        log.begin(tokens, 0, start);
        records.for_each(|record| log.push(&record));
    });
    run.run.set(Some(Run {
        id: kept.run,
        text: Arc::from(kept.text),
        experiment: kept.experiment,
        strategy: kept.strategy,
        data_hash: kept.data_hash,
        device: kept.device,
        recipe: kept.recipe,
    }));
    run.info.set(kept.info);
    run.files.set_value(files);
    run.result.set(Some(kept.result));
    run.phase.set(Phase::Finished);
    run.revision.update(|revision| *revision += 1);
    Ok(())
}
