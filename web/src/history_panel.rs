//! The list of stored experiments, to open or delete them.

use crate::format::bytes;
use crate::history::{self, KeptExperiment};
use crate::lab::use_lab;
use crate::metrics;
use leptos::prelude::*;
use leptos::task::spawn_local;

#[component]
pub fn HistorySection() -> impl IntoView {
    let lab = use_lab();
    let experiments = RwSignal::new(Vec::<KeptExperiment>::new());
    Effect::new(move || {
        lab.store.kept.track();
        spawn_local(async move { experiments.set(history::experiments().await) });
    });
    let used = move || {
        let used =
            experiments.with(|experiments| experiments.iter().map(KeptExperiment::size).sum());
        format!("{} of this browser's storage", bytes(used))
    };
    view! {
        <Show when=move || experiments.with(|experiments| !experiments.is_empty())>
            <section class="card history" aria-labelledby="history-title">
                <div class="chart-head">
                    <h2 id="history-title">"Earlier runs"</h2>
                    <p class="muted">{used}</p>
                </div>
                <ul class="books">
                    {move || experiments.get().into_iter().map(|kept| view! { <Item kept/> }).collect_view()}
                </ul>
            </section>
        </Show>
    }
}

#[component]
fn Item(kept: KeptExperiment) -> impl IntoView {
    let lab = use_lab();
    let active = Memo::new(move |_| lab.store.phase.get().is_active());
    let name = kept
        .entries
        .first()
        .map(|entry| entry.kept.experiment.name.clone())
        .unwrap_or_default();
    let results: Vec<_> = kept
        .entries
        .iter()
        .map(|entry| {
            let run = &entry.kept;
            let figure = [
                "held_out/unseen_questions",
                "validation_loss",
                "average_reward",
                "loss",
            ]
            .iter()
            .find_map(|name| Some((name, run.result.metrics.get(*name)?)));
            match figure {
                Some((name, value)) => format!(
                    "{}: {} {}",
                    run.strategy,
                    metrics::title_in_sentence(name),
                    crate::format::metric(*value)
                ),
                None => run.strategy.clone(),
            }
        })
        .collect();
    let when = js_sys::Date::new(&(kept.saved() as f64).into())
        .to_locale_string("default", &wasm_bindgen::JsValue::UNDEFINED);
    let about = format!("{}, {}", String::from(when), bytes(kept.size()));
    let label = name.clone();
    let (opened, deleted) = (kept.clone(), kept);
    let open = move |_| {
        let kept = opened.clone();
        spawn_local(async move {
            match history::open(lab, kept).await {
                Ok(()) => crate::platform::focus("primary"),
                Err(error) => lab.store.fail_with(error),
            }
        });
    };
    let delete = move |_| {
        let kept = deleted.clone();
        spawn_local(async move {
            history::delete(&kept).await;
            lab.store.kept.update(|changes| *changes += 1);
        });
    };
    view! {
        <li>
            <div class="book">
                <p><b>{name}</b>" "<span class="muted">{about}</span></p>
                <p class="book-results">{results.join(" · ")}</p>
            </div>
            <button type="button" class="button small" disabled=active on:click=open>
                "Open"<span class="visually-hidden">{format!(" {label}")}</span>
            </button>
            <button type="button" class="button small quiet" on:click=delete>
                "Delete"<span class="visually-hidden">{format!(" {label}")}</span>
            </button>
        </li>
    }
}
