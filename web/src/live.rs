//! A run in progress: metrics, curves, samples.

use crate::chart::{ChartCard, SMOOTHING, Stroke, topic};
use crate::experiment::StrategyForm;
use crate::format::metric;
use crate::lab::use_lab;
use crate::metrics;
use crate::runs::Phase;
use crate::samples::SamplesCard;
use crate::vector_map::VectorMapCard;
use crate::write_box::WriteBox;
use leptos::prelude::*;
use std::time::Duration;

#[component]
pub fn LiveSection() -> impl IntoView {
    let lab = use_lab();
    let started = Memo::new(move |_| {
        let began = |form: &StrategyForm| form.run.info.with(Option::is_some);
        lab.form.strategies.get().iter().any(began)
    });
    // Kept through the moment between two runs.
    let started = Memo::new(move |before: Option<&bool>| {
        started.get() || (before == Some(&true) && lab.store.phase.get().is_active())
    });
    view! {
        <Show when=move || started.get() fallback=Welcome>
            <section class="live" aria-label="Live results">
                <Tabs/>
                <Tiles/>
                <div class="live-columns">
                    <InTurn><ChartCard/></InTurn>
                    <div class="writing">
                        <InTurn>
                            <SamplesCard/>
                            <VectorMapCard/>
                            <Show when=move || lab.shown().is_some_and(|form| form.run.writes())>
                                <WriteBox/>
                            </Show>
                        </InTurn>
                    </div>
                </div>
            </section>
        </Show>
        <Announcer/>
    }
}

/// Shows its children in a task of their own, so that a section with many of them never stops the page.
#[component]
fn InTurn(children: ChildrenFn) -> impl IntoView {
    let due = RwSignal::new(false);
    let show = move || {
        due.try_set(true);
    };
    set_timeout(show, Duration::ZERO);
    view! { <Show when=move || due.get()>{children()}</Show> }
}

/// Before the first run: a description of what will happen.
#[component]
fn Welcome() -> impl IntoView {
    view! {
        <section class="welcome" aria-label="What happens">
            <ol>
                <li><b>"Press Run."</b>" A transformer with random weights starts to read the text, a few pieces at a step."</li>
                <li><b>"Watch the loss."</b>" It measures how surprised the model is by each next character. Lower is better."</li>
                <li><b>"Read the samples."</b>" Noise turns into syllables, then words. Give it a prompt of your own at any time."</li>
            </ol>
        </section>
    }
}

/// The choice of the displayed strategy, if there are several.
#[component]
fn Tabs() -> impl IntoView {
    let lab = use_lab();
    let forms = lab.form.strategies;
    let shown = Memo::new(move |_| lab.shown().map(|form| form.key));
    let tab = move |(place, form): (usize, StrategyForm)| {
        let key = form.key;
        view! {
            <label class="segment">
                <input type="radio" name="strategy" prop:checked=move || shown.get() == Some(key)
                    on:change=move |_| { lab.store.chosen.set(Some(key)); lab.store.topic.set(None); }/>
                <span><Stroke place/>{form.name}</span>
            </label>
        }
    };
    let ran = move || {
        let forms = forms.get().into_iter().enumerate();
        forms.filter(|(_, form)| form.kind.runs).collect::<Vec<_>>()
    };
    view! {
        <Show when=move || 1 < ran().len()>
            <div class="segments tabs" role="radiogroup" aria-label="Strategy">{move || ran().into_iter().map(tab).collect_view()}</div>
        </Show>
    }
}

/// The latest values of the displayed strategy; each chooses the topic of the chart.
#[component]
fn Tiles() -> impl IntoView {
    let lab = use_lab();
    let shown = Memo::new(move |_| lab.shown());
    let charted = Memo::new(move |_| topic(lab));
    let tile = move |name: &'static str| {
        let value = Memo::new(move |_| {
            let run = shown.get()?.run;
            run.revision.get();
            run.log.with_value(|log| log.latest(name)).map(metric)
        });
        let pressed = move || charted.with(|topic| topic == metrics::topic(name));
        let chart = move |_| lab.store.topic.set(Some(metrics::topic(name).to_owned()));
        view! {
            <div class="tile" class:empty=move || value.with(Option::is_none) class:charted=pressed>
                <dt>
                    <button type="button" class="tile-button" aria-pressed=move || pressed().to_string() on:click=chart>{metrics::title(name)}</button>
                </dt>
                <dd>
                    <span class="tile-value" data-metric=name>{move || value.get().unwrap_or_else(|| "–".to_owned())}</span>
                    <span class="tile-help">{metrics::help(name)}</span>
                </dd>
            </div>
        }
    };
    view! {
        <dl class="tiles">
            {move || shown.get().map(|form| form.kind.tiles.iter().copied().map(tile).collect_view())}
        </dl>
    }
}

/// Seconds between two announcements of the chart's summary, for users of screen readers.
const EVERY: f64 = 20.0;

/// Tells a screen reader the status of the run: when it changes, and now and then in between.
#[component]
fn Announcer() -> impl IntoView {
    let lab = use_lab();
    let store = lab.store;
    let text = RwSignal::new(String::new());
    let last = StoredValue::new((Phase::Idle, 0.0));
    Effect::new(move || {
        let phase = store.phase.get();
        let current = store.current.get().and_then(|key| lab.form.strategy(key));
        if let Some(form) = &current {
            form.run.revision.get();
        }
        let now = crate::platform::now() as f64 / 1000.0;
        let (before, since) = last.get_value();
        if phase == before && (phase != Phase::Running || now - since < EVERY) {
            return;
        }
        last.set_value((phase, now));
        let word = match phase {
            Phase::Running => "Training.",
            Phase::Paused => "Paused.",
            Phase::Finished => "Finished.",
            Phase::Failed => "Ended by an error.",
            Phase::Idle
            | Phase::Waiting
            | Phase::Starting
            | Phase::Pausing
            | Phase::Stopping
            | Phase::Skipped => return,
        };
        let summary = current.map(|form| {
            let topic = form.kind.tiles.first().copied().unwrap_or("loss");
            form.run.log.with_value(|log| {
                if log.is_empty() {
                    String::new()
                } else {
                    log.summary(topic, SMOOTHING)
                }
            })
        });
        let summary = summary.unwrap_or_default();
        text.set(format!("{word} {summary}"));
    });
    view! { <p class="visually-hidden" aria-live="polite" id="announcer">{text}</p> }
}
