//! Preferences that the user gives: two answers of a model side by side, of which the better one is picked. The pair
//! is kept in the settings of every strategy that learns from pairs.

use crate::ask::with_model;
use crate::experiment::StrategyForm;
use crate::kinds::PREFERENCES;
use crate::lab::Lab;
use crate::lab::use_lab;
use lab_client::Attachments;
use lab_protocol::{Command, LabError, Place, PreferenceExample};
use leptos::prelude::*;

/// A question between two answers of a model, and where it stands.
#[derive(Clone, PartialEq)]
pub struct Vote {
    /// Of the command to the worker.
    id: String,
    /// Key of the strategy whose model answers.
    key: usize,
    /// As it was typed.
    prompt: String,
    state: State,
}

#[derive(Clone, PartialEq)]
enum State {
    Waiting,
    /// With the prompt as the model read it.
    There {
        prompt: String,
        answers: [String; 2],
    },
    Failed(LabError),
}

/// Strategies that learn from collected pairs, with the field that keeps them.
fn learners(lab: Lab) -> Vec<(StrategyForm, RwSignal<String>)> {
    let forms = lab.form.strategies.get().into_iter();
    forms
        .filter_map(|form| {
            let keeps = |(place, _): &(&Place, _)| place.path == PREFERENCES && form.counts(place);
            let (_, field) = form.fields().find(keeps)?;
            Some((form, field))
        })
        .collect()
}

/// Strategies with a model that can be asked for two answers.
fn speakers(lab: Lab) -> Vec<StrategyForm> {
    let mut forms = with_model(lab);
    forms.retain(|form| form.kind.id != "rag");
    forms
}

impl Lab {
    fn ask_vote(&self, key: usize, prompt: String) {
        let Some((run, base)) = self.made(key) else {
            return;
        };
        let seed = self.next_question();
        let id = format!("vote-{seed}");
        self.store.vote.set(Some(Vote {
            id: id.clone(),
            key,
            prompt: prompt.clone(),
            state: State::Waiting,
        }));
        let command = Command::Vote {
            run: id,
            experiment: run.experiment,
            strategy: run.strategy,
            base: Vec::new(),
            prompt,
            seed: seed as u64,
        };
        let attachments = Attachments {
            base,
            checkpoint: None,
        };
        self.client().send(&command, &attachments);
    }

    /// Whether the worker was asked for two answers under this id.
    pub(crate) fn is_vote(&self, id: &str) -> bool {
        let vote = self.store.vote;
        vote.with_untracked(|now| now.as_ref().is_some_and(|now| now.id == id))
    }

    pub(crate) fn answers_came(&self, came: Result<(String, [String; 2]), LabError>) {
        self.store.vote.update(|now| {
            if let Some(now) = now {
                now.state = match came {
                    Ok((prompt, answers)) => State::There { prompt, answers },
                    Err(error) => State::Failed(error),
                };
            }
        });
    }

    /// Waits for no answers any more.
    pub(crate) fn end_vote(&self) {
        self.store.vote.update(|now| {
            if now.as_ref().is_some_and(|now| now.state == State::Waiting) {
                *now = None;
            }
        });
    }

    /// Keeps the pair that is shown, with the answer of this place as the better one; neither where it is none.
    /// Then draws two more answers.
    pub(crate) fn pick(&self, better: Option<usize>) {
        let Some(now) = self.store.vote.get_untracked() else {
            return;
        };
        let State::There { prompt, answers } = now.state else {
            return;
        };
        if let Some(better) = better {
            let [first, second] = answers;
            let (chosen, rejected) = if better == 0 {
                (first, second)
            } else {
                (second, first)
            };
            let pair = PreferenceExample {
                prompt,
                chosen,
                rejected,
                margin: None,
            };
            if let Ok(line) = serde_json::to_string(&pair) {
                for (_, field) in untrack(|| learners(*self)) {
                    field.update(|rows| {
                        if !rows.is_empty() && !rows.ends_with('\n') {
                            rows.push('\n');
                        }
                        rows.push_str(&line);
                    });
                }
            }
        }
        if self.store.phase.get_untracked().is_active() {
            self.store.vote.set(None);
        } else {
            self.ask_vote(now.key, now.prompt);
        }
    }
}

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
    // What the model was asked while it was trained.
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
        vote.with(|now| now.as_ref().is_some_and(|now| now.state == State::Waiting))
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

/// The two answers, and what the user says of them.
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
            Some(State::There { answers, .. }) => view! {
                <ul class="ask-replies" aria-label="Two answers" aria-live="polite">
                    {answers.into_iter().enumerate().map(answer).collect_view()}
                </ul>
                <button type="button" class="button" on:click=move |_| lab.pick(None) aria-keyshortcuts="0">
                    "Neither, two others"<kbd aria-hidden="true">"0"</kbd>
                </button>
            }.into_any(),
            Some(State::Failed(error)) => {
                view! { <p class="field-error" role="alert">{format!("{}. {}", error.message, error.hint)}</p> }.into_any()
            }
            Some(State::Waiting) | None => ().into_any(),
        }}
    }
}
