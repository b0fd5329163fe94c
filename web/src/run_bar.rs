//! The one big button, the run's progress, and the controls of the current run.

use crate::experiment::StrategyForm;
use crate::format::{count, duration, rate};
use crate::lab::Lab;
use crate::lab::use_lab;
use crate::runs::{Phase, RunState};
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

/// Run, Pause and Resume are one button, so the focus stays in place.
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
    let outdated = Memo::new(move |_| lab.outdated().len());
    let rest = move || match outdated.get() {
        0 => "Run again",
        some if some < ran(lab).len() => "Run the rest",
        _ if phase.get() == Phase::Failed => "Run again",
        _ => "Run",
    };
    let (label, key) = (
        move || match phase.get() {
            Phase::Starting => "Starting…",
            Phase::Running => "Pause",
            Phase::Pausing => "Pausing…",
            Phase::Paused => "Resume",
            Phase::Stopping => "Stopping…",
            Phase::Idle | Phase::Waiting | Phase::Finished | Phase::Failed | Phase::Skipped => {
                rest()
            }
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

/// Performs the current action of the big button.
pub fn press_primary(lab: Lab) {
    match lab.store.phase.get_untracked() {
        Phase::Running | Phase::Paused => lab.pause_or_resume(),
        phase if phase.is_active() => {}
        _ => lab.run(),
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

/// The strategies that the worker runs.
fn ran(lab: Lab) -> Vec<StrategyForm> {
    let mut forms = lab.form.strategies.get();
    forms.retain(|form| form.kind.runs);
    forms
}

/// The running strategy, or the last.
fn current(lab: Lab) -> Option<StrategyForm> {
    let key = lab.store.current.get()?;
    lab.form
        .strategies
        .get()
        .into_iter()
        .find(|form| form.key == key)
}

/// The status of the run, in a few words.
fn status(lab: Lab) -> String {
    let store = lab.store;
    let current = current(lab);
    let progress = current.as_ref().and_then(|form| form.run.progress.get());
    let at = |word: &str| match &progress {
        Some(progress) => format!(
            "{word}step {} of {}",
            count(progress.step),
            count(progress.steps)
        ),
        None => format!("{word}first step"),
    };
    let forms = ran(lab);
    let phase = store.phase.get();
    let text = match phase {
        Phase::Idle | Phase::Waiting | Phase::Skipped => {
            return if store.device.with(Option::is_none) && store.alive.get() {
                "Getting ready…".to_owned()
            } else {
                "Ready when you are.".to_owned()
            };
        }
        Phase::Starting => "Building the model…".to_owned(),
        Phase::Running | Phase::Pausing => sentence(at("")),
        Phase::Paused => at("Paused at "),
        Phase::Stopping => "Finishing the step and the last evaluation…".to_owned(),
        Phase::Finished | Phase::Failed if forms.len() > 1 => return summary(&forms),
        Phase::Finished => {
            let result = current.and_then(|form| form.run.result.get());
            return result.map_or("Done.".to_owned(), |result| {
                let (steps, seconds) = (count(result.steps), duration(result.seconds));
                format!("Done: {steps} steps in {seconds}.")
            });
        }
        Phase::Failed => return at("Ended by an error at "),
    };
    let beside = match under_way(&forms).len() {
        0 | 1 => String::new(),
        count => format!(" · {} more beside it", count - 1),
    };
    match current {
        Some(form) if forms.len() > 1 => format!("{} · {text}{beside}", form.name.get()),
        _ => text,
    }
}

/// The strategies that workers are running.
fn under_way(forms: &[StrategyForm]) -> Vec<&StrategyForm> {
    let active = |form: &&StrategyForm| form.run.phase.get().is_active();
    forms.iter().filter(active).collect()
}

/// The outcome of an experiment with several strategies, in words.
fn summary(forms: &[StrategyForm]) -> String {
    let of = |phase: Phase| {
        forms
            .iter()
            .filter(|form| form.run.phase.get() == phase)
            .count()
    };
    let parts = [
        (of(Phase::Finished), "done"),
        (of(Phase::Failed), "failed"),
        (of(Phase::Skipped), "skipped"),
        (of(Phase::Idle), "not run"),
    ];
    let parts: Vec<_> = parts
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| format!("{number} {word}"))
        .collect();
    format!("{} strategies: {}.", forms.len(), parts.join(", "))
}

fn sentence(text: String) -> String {
    let mut characters = text.chars();
    characters.next().map_or(String::new(), |first| {
        format!("{}{}", first.to_uppercase(), characters.as_str())
    })
}

/// Time left and speed while it runs; the model's size before its first step.
fn facts(lab: Lab) -> String {
    if !matches!(
        lab.store.phase.get(),
        Phase::Running | Phase::Pausing | Phase::Paused
    ) {
        return String::new();
    }
    let Some(run) = current(lab).map(|form| form.run) else {
        return String::new();
    };
    match run.progress.get() {
        Some(progress) => {
            format!(
                "{} left · {} tokens/s",
                duration(progress.seconds_left),
                rate(progress.tokens_per_second)
            )
        }
        None => run.info.with(|info| {
            info.as_ref().map_or(String::new(), |info| {
                format!("{} parameters", count(info.parameters))
            })
        }),
    }
}

#[component]
fn ProgressBar() -> impl IntoView {
    let lab = use_lab();
    let shown = move || lab.store.phase.get() != Phase::Idle;
    // Of all current runs, or of the last ones.
    let steps = Memo::new(move |_| {
        let forms = ran(lab);
        let active = under_way(&forms);
        if active.is_empty() {
            return current(lab).map_or((0, 1), |form| steps(form.run));
        }
        active.iter().fold((0, 0), |(done, all), form| {
            let (step, steps) = steps(form.run);
            (done + step, all + steps)
        })
    });
    view! {
        <progress class:away=move || !shown() aria-label="Steps done" value=move || steps.get().0 max=move || steps.get().1></progress>
    }
}

/// Steps done and steps in all, at least one.
pub fn steps(run: RunState) -> (usize, usize) {
    let progress = run.progress.get();
    let known = || run.info.with(|info| info.as_ref().map(|info| info.steps));
    match progress {
        Some(progress) => (progress.step, progress.steps.max(1)),
        None => (0, known().unwrap_or(1).max(1)),
    }
}
