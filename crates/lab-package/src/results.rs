//! Comparisons and exports of results, made by the orchestrator.

use crate::values::{from_js, to_js};
use lab_orchestrator::export::{ExportFormat, ExportedRun, export};
use lab_protocol::{Comparison, MetricRecord, RunResult};
use serde::Deserialize;
use wasm_bindgen::prelude::*;

/// The table of strategies by metrics, with what stands at the top of each: `{ rows, declared }`.
#[wasm_bindgen]
pub fn compare(results: JsValue) -> Result<JsValue, JsValue> {
    let results: Vec<RunResult> = from_js(results, "list of results")?;
    Ok(to_js(&Comparison::of(&results)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    result: RunResult,
    records: Vec<MetricRecord>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    Csv,
    Jsonl,
    Tensorboard,
    Report,
}

/// Runs in another program's format: an array of `{ path, bytes }`.
#[wasm_bindgen(js_name = exportRuns)]
pub fn export_runs(title: &str, runs: JsValue, format: JsValue) -> Result<JsValue, JsValue> {
    let runs: Vec<Run> = from_js(runs, "list of runs")?;
    let runs = runs.into_iter().map(|Run { result, records }| ExportedRun {
        name: result.strategy.clone(),
        result: Some(result),
        records,
    });
    let format = match from_js(format, "format")? {
        Format::Csv => ExportFormat::Csv,
        Format::Jsonl => ExportFormat::Jsonl,
        Format::Tensorboard => ExportFormat::Tensorboard,
        Format::Report => ExportFormat::Report,
    };
    let files = export(title, &runs.collect::<Vec<_>>(), format);
    files
        .map(|files| to_js(&files))
        .map_err(|error| to_js(&error))
}
