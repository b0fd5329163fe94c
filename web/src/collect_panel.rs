//! Preferences that the user gives: two answers of a model side by side, and the choice of the better one.

use crate::collect::{learners, speakers};
use crate::lab::use_lab;
use crate::questions::VoteState;
use leptos::prelude::*;

#[component]
pub fn CollectSection() -> impl IntoView {
    let lab = use_lab();
    let there = Memo::new(move |_| !speakers(lab).is_empty() && !learners(lab).is_empty());
    let kept = move || {
        let parts = learners(lab).into_iter().map(|(form, field)| {
            let count =
                field.with(|rows| rows.lines().filter(|row| !row.trim().is_empty()).count());
            format!("{}: {count} kept", form.name.get())
        });
        parts.collect::<Vec<_>>().join(" · ")
    };
    view! {
        <Show when=move || there.get()>
            <section class="card ask collect" aria-labelledby="collect-title">
                <h2 id="collect-title">"Compare answers"</h2>
                <p class="muted">
                    "Say which of two answers is better. The pairs are kept for the strategies that learn from preferences, in place of the data's. "
                    <span class="kept" aria-live="polite">{kept}</span>
                </p>
                <Question/>
                <Choice/>
            </section>
        </Show>
    }
}

#[component]
fn Question() -> impl IntoView {
    let lab = use_lab();
    let prompt = RwSignal::new(String::new());
    let chosen = RwSignal::new(None::<usize>);
    let speaker = Memo::new(move |_| {
        let keys: Vec<_> = speakers(lab).iter().map(|form| form.key).collect();
        let chosen = chosen.get().filter(|key| keys.contains(key));
        chosen.or(keys.last().copied())
    });
    // Prompts that the model was asked during its training.
    let prompts = Memo::new(move |_| {
        let form = speaker.get().and_then(|key| lab.form.strategy(key));
        let mut prompts: Vec<String> = form.map_or(Vec::new(), |form| {
            form.run.samples.with(|samples| {
                samples
                    .iter()
                    .map(|sample| sample.prompt.trim().to_owned())
                    .collect()
            })
        });
        prompts.sort();
        prompts.dedup();
        prompts
    });
    let waits = move || {
        let vote = lab.store.vote;
        vote.with(|now| {
            now.as_ref()
                .is_some_and(|now| now.state == VoteState::Waiting)
        })
    };
    let ready = move || {
        lab.store.device.with(Option::is_some) && !lab.store.phase.get().is_active() && !waits()
    };
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let text = prompt.get_untracked();
        if let Some(key) = speaker.get_untracked()
            && untrack(ready)
            && !text.trim().is_empty()
        {
            lab.ask_vote(key, text);
        }
    };
    let choose = move |event| chosen.set(event_target_value(&event).parse().ok());
    view! {
        <form class="ask-row" on:submit=submit>
            <label class="field">
                <span class="field-label">"Model"</span>
                <select on:change=choose prop:value=move || speaker.get().unwrap_or_default().to_string()>
                    {move || speakers(lab).into_iter().map(|form| view! { <option value=form.key.to_string()>{form.name}</option> }).collect_view()}
                </select>
            </label>
            <label class="field">
                <span class="field-label">"Prompt"</span>
                <input type="text" autocomplete="off" list="collect-prompts" prop:value=prompt on:input=move |event| prompt.set(event_target_value(&event))/>
                <datalist id="collect-prompts">
                    {move || prompts.get().into_iter().map(|prompt| view! { <option value=prompt></option> }).collect_view()}
                </datalist>
            </label>
            <button type="submit" class="button" aria-disabled=move || (!ready()).to_string()>
                {move || if waits() { "Writing…" } else { "Two answers" }}
            </button>
        </form>
    }
}

/// The two answers, and the user's choice between them.
#[component]
fn Choice() -> impl IntoView {
    let lab = use_lab();
    let answer = move |(place, text): (usize, String)| {
        let title = ["First", "Second"][place];
        view! {
            <li data-state="text">
                <h3>{title}</h3>
                <p class="ask-reply">{if text.is_empty() { "It says nothing.".to_owned() } else { text }}</p>
                <button type="button" class="button" on:click=move |_| lab.pick(Some(place)) aria-keyshortcuts=(place + 1).to_string()>
                    {title}" is better"<kbd aria-hidden="true">{place + 1}</kbd>
                </button>
            </li>
        }
    };
    let state = move || lab.store.vote.get().map(|now| now.state);
    view! {
        {move || match state() {
            Some(VoteState::There { answers, .. }) => view! {
                <ul class="ask-replies" aria-label="Two answers" aria-live="polite">
                    {answers.into_iter().enumerate().map(answer).collect_view()}
                </ul>
                <button type="button" class="button" on:click=move |_| lab.pick(None) aria-keyshortcuts="0">
                    "Neither, two others"<kbd aria-hidden="true">"0"</kbd>
                </button>
            }.into_any(),
            Some(VoteState::Failed(error)) => {
                view! { <p class="field-error" role="alert">{format!("{}. {}", error.message, error.hint)}</p> }.into_any()
            }
            Some(VoteState::Waiting) | None => ().into_any(),
        }}
    }
}
