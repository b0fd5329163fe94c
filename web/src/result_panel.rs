//! The end of a run: what came out, and what can be taken home.

use crate::app::use_lab;
use crate::format::{bytes, count, duration, metric};
use crate::lab::Lab;
use crate::platform;
use crate::store::Phase;
use lab_protocol::{LabError, RunResult, SCHEMA_VERSION, StopReason};
use leptos::prelude::*;

#[component]
pub fn ResultPanel() -> impl IntoView {
    let lab = use_lab();
    let store = lab.store;
    // A run that failed leaves its metrics, though no model.
    let shown = Memo::new(move |_| {
        store.revision.get();
        let recorded = !store.log.with_value(|log| log.is_empty());
        matches!(store.phase.get(), Phase::Finished | Phase::Failed) && recorded
    });
    view! {
        <Show when=move || shown.get()>
            <section class="card result" aria-labelledby="result-title">
                <h2 id="result-title">"Result"</h2>
                <p>{move || store.result.with(|result| result.as_ref().map_or_else(|| unfinished(lab), told))}</p>
                <ul class="downloads" aria-label="Downloads">
                    <Download name="metrics.jsonl" help="Every step's metrics"
                        make=move || Ok(store.log.with_value(|log| log.jsonl()).into_bytes())/>
                    <Download name="run.json" help="Configuration, seed, device, data" make=move || run_record(lab)/>
                    {move || model_files(lab)}
                </ul>
            </section>
        </Show>
    }
}

/// A result in words.
fn told(result: &RunResult) -> String {
    let reason = match result.stop_reason {
        StopReason::Completed => "All steps are done",
        StopReason::EarlyStopping => "Stopped early, as the validation loss no longer fell",
        StopReason::Stopped => "Stopped",
    };
    let mut text = format!(
        "{reason}: {} steps in {}.",
        count(result.steps),
        duration(result.seconds)
    );
    let value = |name: &str| result.metrics.get(name).copied();
    if let Some(loss) = value("validation_loss") {
        text += &format!(" Validation loss {}", metric(loss));
        if let Some(perplexity) = value("validation_perplexity").or_else(|| value("perplexity")) {
            text += &format!(", perplexity {}", metric(perplexity));
        }
        if let Some(bits) = value("bits_per_byte") {
            text += &format!(", {} bits per byte", metric(bits));
        }
        text += &format!(", with the weights of step {}.", count(result.best_step));
    }
    text
}

fn unfinished(lab: Lab) -> String {
    let steps = lab
        .store
        .progress
        .with(|progress| progress.as_ref().map_or(0, |progress| progress.step));
    format!(
        "The run ended by an error after {} steps. What was recorded is here.",
        count(steps)
    )
}

fn model_files(lab: Lab) -> impl IntoView {
    let files: Vec<_> = lab.store.result.with(|result| {
        let files = result.iter().flat_map(|result| &result.files);
        files
            .map(|file| (file.path.clone(), file.bytes.len()))
            .collect()
    });
    let link = move |(index, (path, size)): (usize, (String, usize))| {
        let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
        let make = move || {
            lab.store.result.with_untracked(|result| {
                let file = result.as_ref().and_then(|result| result.files.get(index));
                file.map(|file| file.bytes.clone())
                    .ok_or_else(|| LabError::internal("the file is gone"))
            })
        };
        view! { <Download name=name help=format!("Model, {}", bytes(size)) make/> }
    };
    files.into_iter().enumerate().map(link).collect_view()
}

#[component]
fn Download(
    #[prop(into)] name: String,
    #[prop(into)] help: String,
    make: impl Fn() -> Result<Vec<u8>, LabError> + Send + Sync + 'static,
) -> impl IntoView {
    let lab = use_lab();
    let file = name.clone();
    let save = move |_| {
        let kind = if file.ends_with(".json") {
            "application/json"
        } else {
            "application/octet-stream"
        };
        if let Err(error) = make().and_then(|bytes| platform::download(&file, kind, &bytes)) {
            lab.store.fail_with(error);
        }
    };
    view! {
        <li>
            <button type="button" class="button download" on:click=save>
                <span>{name}</span>
                <small>{help}</small>
            </button>
        </li>
    }
}

/// `run.json`: everything that is needed to make the run again, as the terminal program writes it.
fn run_record(lab: Lab) -> Result<Vec<u8>, LabError> {
    let store = lab.store;
    let run = store
        .run
        .get_untracked()
        .ok_or_else(|| LabError::internal("there is no run"))?;
    let ran_on = run.device.as_ref();
    let record = serde_json::json!({
        "schema": SCHEMA_VERSION,
        "version": ran_on.map(|device| &device.version),
        "run": run.id,
        "strategy": run.strategy,
        "experiment": run.experiment,
        "backend": ran_on.map(|device| device.backend),
        "config": store.info.with_untracked(|info| info.as_ref().map(|info| info.config.clone())),
        "data_hash": run.data_hash,
        "seed": run.experiment.seed,
    });
    serde_json::to_vec_pretty(&record).map_err(|error| LabError::internal(error.to_string()))
}
