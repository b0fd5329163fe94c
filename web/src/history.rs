//! Finished runs that are kept, and experiments that are opened again with them.

use crate::experiment::StrategyForm;
use crate::lab::Lab;
use crate::metrics;
use crate::platform;
use crate::runs::Run;
use lab_client::database;
use lab_orchestrator::plan::Recipe;
use lab_protocol::{
    DeviceInfo, ErrorCode, ExperimentConfig, LabError, MetricRecord, RunInfo, RunResult, from_json,
    text,
};
use leptos::prelude::*;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// The stored data of a run beside its metrics and files.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// The experiment as it was opened; its runs are kept together.
    #[serde(alias = "book")]
    pub opened: String,
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
    #[serde(deserialize_with = "recipe")]
    recipe: Recipe,
    info: Option<RunInfo>,
    pub result: RunResult,
}

/// A recipe that an earlier version wrote cannot be read. The run is then shown as of other settings.
fn recipe<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Recipe, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

/// An entry of the list.
#[derive(Clone, PartialEq)]
pub struct Entry {
    id: String,
    pub kept: Kept,
    /// Bytes, about.
    pub size: f64,
}

/// The runs of one opened experiment.
#[derive(Clone, PartialEq)]
pub struct KeptExperiment {
    pub id: String,
    pub entries: Vec<Entry>,
}

impl KeptExperiment {
    /// When the last of its runs was saved.
    pub fn saved(&self) -> u64 {
        let saved = self.entries.iter().map(|entry| entry.kept.saved);
        saved.max().unwrap_or_default()
    }

    pub fn size(&self) -> usize {
        self.entries.iter().map(|entry| entry.size).sum::<f64>() as usize
    }
}

/// Keeps a finished run. An error is shown, and costs nothing but the keeping.
pub async fn keep(lab: Lab, form: StrategyForm) {
    let run = form.run;
    let (Some(about), Some(result)) = (run.run.get_untracked(), run.result.get_untracked()) else {
        return;
    };
    let own = about.experiment.data.source == lab_protocol::DataSource::User;
    let text = if own { &*about.text } else { "" };
    let opened = lab.inner.with_value(|inner| inner.experiment.clone());
    let kept = Kept {
        opened: opened.clone(),
        saved: platform::now(),
        run: about.id,
        strategy: about.strategy,
        experiment: about.experiment,
        text: text.to_owned(),
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
    let id = format!("{opened}/{}", kept.strategy);
    let files = lab.client().files(form.key);
    if let Err(error) = database::save(&id, &about, &metrics, &files).await {
        let notice = format!("{}. {}", error.message, error.hint);
        lab.store.notice.set(Some(notice));
    }
    lab.store.kept.update(|changes| *changes += 1);
}

/// All stored experiments, latest first; empty if the browser allows no storage.
pub async fn experiments() -> Vec<KeptExperiment> {
    let mut experiments: Vec<KeptExperiment> = Vec::new();
    for stored in database::list().await {
        // An entry of another version of the page cannot be read: it stays in place.
        let Ok(kept) = from_json::<Kept>(&stored.about) else {
            continue;
        };
        let entry = Entry {
            id: stored.id,
            kept,
            size: stored.size,
        };
        let same = |other: &&mut KeptExperiment| other.id == entry.kept.opened;
        match experiments.iter_mut().find(same) {
            Some(experiment) => experiment.entries.push(entry),
            None => experiments.push(KeptExperiment {
                id: entry.kept.opened.clone(),
                entries: vec![entry],
            }),
        }
    }
    experiments.sort_by_key(|experiment| std::cmp::Reverse(experiment.saved()));
    experiments
}

pub async fn delete(experiment: &KeptExperiment) {
    database::remove(experiment.entries.iter().map(|entry| entry.id.as_str())).await;
}

/// Opens an experiment with its stored runs.
pub async fn open(lab: Lab, experiment: KeptExperiment) -> Result<(), LabError> {
    let newest = experiment
        .entries
        .iter()
        .max_by_key(|entry| entry.kept.saved);
    let Some(newest) = newest.map(|entry| entry.kept.clone()) else {
        return Ok(());
    };
    lab.form.load(newest.experiment.clone())?;
    lab.forget();
    if !newest.text.is_empty() {
        let (name, text) = (newest.experiment.data.name, Arc::from(newest.text));
        lab.data.set_own(lab.form, name, text);
    }
    for entry in experiment.entries {
        let forms = lab.form.strategies.get_untracked();
        let named = |form: &&StrategyForm| form.name.get_untracked() == entry.kept.strategy;
        if let Some(form) = forms.iter().find(named) {
            restore(lab, form, entry).await?;
        }
    }
    lab.inner
        .update_value(|inner| inner.experiment = experiment.id);
    Ok(())
}

async fn restore(lab: Lab, form: &StrategyForm, entry: Entry) -> Result<(), LabError> {
    let Some((metrics, files)) = database::load(&entry.id).await else {
        return Err(LabError::new(
            ErrorCode::Io,
            text!(
                "The run of \"{name}\" could not be read",
                name = entry.kept.strategy
            ),
            "The browser may have cleared its storage. Run it again.",
        ));
    };
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
    let id = kept.run.clone();
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
    metrics::declare(&kept.result.declared);
    run.result.set(Some(kept.result));
    lab.client().load(form.key, Some(&id), files);
    run.revision.update(|revision| *revision += 1);
    Ok(())
}
