//! What is seen of a run while it goes on: metrics, the loss curve, samples.

use crate::app::use_lab;
use crate::chart::{ChartCard, SMOOTHING};
use crate::format::metric;
use crate::samples::SamplesCard;
use crate::store::Phase;
use crate::write_box::WriteBox;
use leptos::prelude::*;

/// A metric's name in the records, its title, and what it means.
const TILES: [(&str, &str, &str); 6] = [
    ("loss", "Loss", "nats a token, last step"),
    ("perplexity", "Perplexity", "tokens it hesitates between"),
    ("validation_loss", "Validation loss", "on held-out text"),
    ("bits_per_byte", "Bits per byte", "on held-out text"),
    ("learning_rate", "Learning rate", "of the last step"),
    ("gradient_norm", "Gradient norm", "before clipping"),
];

#[component]
pub fn LiveSection() -> impl IntoView {
    let store = use_lab().store;
    // Stays once it is there: a second run takes the place of the first.
    let started =
        Memo::new(move |before| before == Some(&true) || store.info.with(Option::is_some));
    view! {
        <Show when=move || started.get() fallback=Welcome>
            <section class="live" aria-label="Live results">
                <Tiles/>
                <div class="live-columns">
                    <ChartCard/>
                    <div class="writing">
                        <SamplesCard/>
                        <Show when=move || store.can_write.get()>
                            <WriteBox/>
                        </Show>
                    </div>
                </div>
            </section>
        </Show>
        <Announcer/>
    }
}

/// Before the first run: what will happen.
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

#[component]
fn Tiles() -> impl IntoView {
    let store = use_lab().store;
    let tile = move |(name, title, help): (&'static str, &'static str, &'static str)| {
        let value = Memo::new(move |_| {
            store.revision.get();
            store.log.with_value(|log| log.latest(name)).map(metric)
        });
        view! {
            <div class="tile" class:empty=move || value.with(Option::is_none)>
                <dt>{title}</dt>
                <dd>
                    <span class="tile-value" data-metric=name>{move || value.get().unwrap_or_else(|| "–".to_owned())}</span>
                    <span class="tile-help">{help}</span>
                </dd>
            </div>
        }
    };
    view! { <dl class="tiles">{TILES.map(tile).collect_view()}</dl> }
}

/// Seconds between two readings of the chart's summary, for those who hear the page.
const EVERY: f64 = 20.0;

/// Tells a screen reader where the run stands: when that changes, and now and then in between.
#[component]
fn Announcer() -> impl IntoView {
    let store = use_lab().store;
    let text = RwSignal::new(String::new());
    let last = StoredValue::new((Phase::Idle, 0.0));
    Effect::new(move || {
        let phase = store.phase.get();
        store.revision.get();
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
            Phase::Idle | Phase::Starting | Phase::Pausing | Phase::Stopping => return,
        };
        let summary = store.log.with_value(|log| {
            if log.is_empty() {
                String::new()
            } else {
                log.summary(SMOOTHING)
            }
        });
        text.set(format!("{word} {summary}"));
    });
    view! { <p class="visually-hidden" aria-live="polite" id="announcer">{text}</p> }
}
