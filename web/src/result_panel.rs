//! The end of a run: its results, and the files to download.

use crate::experiment::StrategyForm;
use crate::format::{bytes, count, duration, metric};
use crate::lab::Lab;
use crate::lab::use_lab;
use crate::platform;
use crate::runs::{Phase, RunState};
use js_sys::Uint8Array;
use lab_orchestrator::scheduler::Key;
use lab_protocol::{LabError, RunResult, StopReason};
use leptos::prelude::*;

#[component]
pub fn ResultPanel() -> impl IntoView {
    let lab = use_lab();
    // A run that failed leaves its metrics, though no model.
    let shown = Memo::new(move |_| {
        let form = lab.shown()?;
        form.run.revision.get();
        let recorded = !form.run.log.with_value(|log| log.is_empty());
        let ended = matches!(form.run.phase.get(), Phase::Finished | Phase::Failed);
        let idle = !lab.store.phase.get().is_active();
        (ended && idle && recorded).then_some(form)
    });
    move || shown.get().map(|form| view! { <Outcome form/> })
}

/// The outcome of one strategy.
#[component]
fn Outcome(form: StrategyForm) -> impl IntoView {
    let lab = use_lab();
    let (run, key) = (form.run, form.key);
    let several = move || lab.form.strategies.with(Vec::len) > 1;
    let title = move || {
        if several() {
            format!("Result of {}", form.name.get())
        } else {
            "Result".to_owned()
        }
    };
    view! {
        <section class="card result" aria-labelledby="result-title">
            <h2 id="result-title">{title}</h2>
            <p>{move || run.result.with(|result| result.as_ref().map_or_else(|| unfinished(run), summary))}</p>
            <ul class="downloads" aria-label="Downloads">
                <Download name="metrics.jsonl" help="Every step's metrics"
                    make=move || Ok(run.log.with_value(|log| log.jsonl()).into_bytes())/>
                <Download name="run.json" help="Configuration, seed, device, data" make=move || run.record()/>
                {move || model_files(lab, run, key)}
            </ul>
        </section>
    }
}

/// A result in words.
fn summary(result: &RunResult) -> String {
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

fn unfinished(run: RunState) -> String {
    let steps = run
        .progress
        .with(|progress| progress.as_ref().map_or(0, |progress| progress.step));
    format!(
        "The run ended with an error after {} steps. Its records are here.",
        count(steps)
    )
}

fn model_files(lab: Lab, run: RunState, key: Key) -> impl IntoView {
    run.result.track();
    let files = lab.client().files(key).0.into_iter();
    let link = |(path, content): (String, Uint8Array)| {
        let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
        let folder = path.split('/').next().unwrap_or_default();
        let what = if folder == "adapter" {
            "Adapter"
        } else {
            "Model"
        };
        let help = format!("{what}, {}", bytes(content.length() as usize));
        let content = StoredValue::new_local(content);
        view! { <Download name help make=move || Ok(content.with_value(Uint8Array::to_vec))/> }
    };
    files.map(link).collect_view()
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
