//! The one big button, the run's progress, and what can be done with a run under way.

use crate::app::use_lab;
use crate::format::{count, duration, rate};
use crate::lab::Lab;
use crate::store::Phase;
use leptos::prelude::*;

#[component]
pub fn RunBar() -> impl IntoView {
    let lab = use_lab();
    let phase = lab.store.phase;
    view! {
        <section class="run-bar" id="run" aria-label="Run" data-phase=move || format!("{:?}", phase.get()).to_lowercase()>
            <div class="run-row">
                <PrimaryButton/>
                <OtherButtons/>
                <p class="status">{move || status(lab)}</p>
                <p class="facts">{move || facts(lab)}</p>
            </div>
            <ProgressBar/>
            {move || lab.store.notice.get().map(|notice| view! { <p class="notice">{notice}</p> })}
        </section>
    }
}

/// Run, Pause and Resume are one button, so that the focus stays where it is.
#[component]
fn PrimaryButton() -> impl IntoView {
    let lab = use_lab();
    let phase = lab.store.phase;
    let press = move |_| press_primary(lab);
    let waits = move || {
        matches!(
            phase.get(),
            Phase::Starting | Phase::Pausing | Phase::Stopping
        )
    };
    let (label, key) = (
        move || match phase.get() {
            Phase::Idle => "Run",
            Phase::Starting => "Starting…",
            Phase::Running => "Pause",
            Phase::Pausing => "Pausing…",
            Phase::Paused => "Resume",
            Phase::Stopping => "Stopping…",
            Phase::Finished | Phase::Failed => "Run again",
        },
        move || if phase.get().is_active() { "P" } else { "R" },
    );
    let icon = move || match phase.get() {
        Phase::Running | Phase::Pausing => "M7 5h3.5v14H7zM13.5 5H17v14h-3.5z",
        _ => "M8 5l11 7-11 7z",
    };
    view! {
        <button type="button" class="primary" id="primary" on:click=press aria-disabled=move || waits().to_string() aria-keyshortcuts=key>
            <svg viewBox="0 0 24 24" width="22" height="22" aria-hidden="true" fill="currentColor"><path d=icon></path></svg>
            <span>{label}</span>
            <kbd class:away=waits aria-hidden="true">{key}</kbd>
        </button>
    }
}

/// What the big button does now.
pub fn press_primary(lab: Lab) {
    match lab.store.phase.get_untracked() {
        Phase::Idle | Phase::Finished | Phase::Failed => lab.run(),
        Phase::Running | Phase::Paused => lab.pause_or_resume(),
        Phase::Starting | Phase::Pausing | Phase::Stopping => {}
    }
}

#[component]
fn OtherButtons() -> impl IntoView {
    let lab = use_lab();
    let phase = lab.store.phase;
    // The button that had the focus goes away with the run.
    let stop = move |_| {
        lab.stop();
        crate::platform::focus("primary");
    };
    view! {
        <Show when=move || phase.get() == Phase::Paused>
            <button type="button" class="button" on:click=move |_| lab.step() aria-keyshortcuts="S">
                "Step"<kbd aria-hidden="true">"S"</kbd>
            </button>
        </Show>
        <Show when=move || phase.get().is_active() && phase.get() != Phase::Stopping>
            <button type="button" class="button" on:click=stop aria-keyshortcuts="X">
                "Stop"<kbd aria-hidden="true">"X"</kbd>
            </button>
        </Show>
    }
}

/// Where the run stands, in a few words.
fn status(lab: Lab) -> String {
    let store = lab.store;
    let progress = store.progress.get();
    let at = |word: &str| match &progress {
        Some(progress) => format!(
            "{word}step {} of {}",
            count(progress.step),
            count(progress.steps)
        ),
        None => format!("{word}first step"),
    };
    match store.phase.get() {
        Phase::Idle if store.device.with(Option::is_none) && store.alive.get() => {
            "Getting ready…".to_owned()
        }
        Phase::Idle => "Ready when you are.".to_owned(),
        Phase::Starting => "Building the model…".to_owned(),
        Phase::Running | Phase::Pausing => sentence(at("")),
        Phase::Paused => at("Paused at "),
        Phase::Stopping => "Finishing the step and the last evaluation…".to_owned(),
        Phase::Finished => match store
            .result
            .with(|result| result.as_ref().map(|result| (result.steps, result.seconds)))
        {
            Some((steps, seconds)) => {
                format!("Done: {} steps in {}.", count(steps), duration(seconds))
            }
            None => "Done.".to_owned(),
        },
        Phase::Failed => at("Ended by an error at "),
    }
}

fn sentence(text: String) -> String {
    let mut characters = text.chars();
    characters.next().map_or(String::new(), |first| {
        format!("{}{}", first.to_uppercase(), characters.as_str())
    })
}

/// Time left and speed while it runs; the model's size before its first step.
fn facts(lab: Lab) -> String {
    let store = lab.store;
    if !matches!(
        store.phase.get(),
        Phase::Running | Phase::Pausing | Phase::Paused
    ) {
        return String::new();
    }
    match store.progress.get() {
        Some(progress) => {
            format!(
                "{} left · {} tokens/s",
                duration(progress.seconds_left),
                rate(progress.tokens_per_second)
            )
        }
        None => store.info.with(|info| {
            info.as_ref().map_or(String::new(), |info| {
                format!("{} parameters", count(info.parameters))
            })
        }),
    }
}

#[component]
fn ProgressBar() -> impl IntoView {
    let store = use_lab().store;
    let shown = move || store.phase.get() != Phase::Idle;
    let value = move || {
        store
            .progress
            .with(|progress| progress.as_ref().map_or(0, |progress| progress.step))
    };
    let max = move || {
        let known = store
            .progress
            .with(|progress| progress.as_ref().map(|progress| progress.steps));
        known
            .or_else(|| store.info.with(|info| info.as_ref().map(|info| info.steps)))
            .unwrap_or(1)
            .max(1)
    };
    view! {
        <progress class:away=move || !shown() aria-label="Steps done" value=value max=max></progress>
    }
}
