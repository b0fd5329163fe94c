//! One prompt to all models of the experiment, with their answers side by side.

use crate::ask::with_model;
use crate::chart::Stroke;
use crate::lab::use_lab;
use crate::questions::Reply;
use leptos::prelude::*;

#[component]
pub fn AskSection() -> impl IntoView {
    let lab = use_lab();
    let there = Memo::new(move |_| !with_model(lab).is_empty());
    view! {
        <Show when=move || there.get()>
            <section class="card ask" aria-labelledby="ask-title">
                <h2 id="ask-title">"Ask the models"</h2>
                <Form/>
                <Replies/>
            </section>
        </Show>
    }
}

#[component]
fn Form() -> impl IntoView {
    let lab = use_lab();
    let prompt = RwSignal::new(String::new());
    let waits = Memo::new(move |_| {
        let asked = lab.store.asked_all;
        asked.with(|asked| asked.as_ref().is_some_and(|asked| asked.next().is_some()))
    });
    let ready = Memo::new(move |_| lab.store.device.with(Option::is_some));
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let text = prompt.get_untracked();
        if waits.get_untracked() {
            lab.stop_asking();
        } else if ready.get_untracked() && !text.trim().is_empty() {
            lab.ask(text);
        }
    };
    view! {
        <form class="ask-row" on:submit=submit>
            <label class="field">
                <span class="field-label">"One prompt for all of them"</span>
                <input type="text" autocomplete="off" placeholder="A text to continue or a question, as in their training"
                    prop:value=prompt on:input=move |event| prompt.set(event_target_value(&event))/>
            </label>
            <button type="submit" class="button" aria-disabled=move || (!ready.get()).to_string()>
                {move || if waits.get() { "Cancel" } else { "Ask" }}
            </button>
        </form>
    }
}

/// A column for each model.
#[component]
fn Replies() -> impl IntoView {
    let lab = use_lab();
    let column = move |(key, reply): (usize, Reply)| {
        let forms = lab.form.strategies.get();
        let place = forms.iter().position(|form| form.key == key)?;
        let (state, text) = match reply {
            Reply::Waiting => ("waiting", "…".to_owned()),
            Reply::Text(text) if text.trim().is_empty() => {
                ("nothing", "It says nothing.".to_owned())
            }
            Reply::Text(text) => ("text", text.trim().to_owned()),
            Reply::Nothing => ("nothing", "No answer.".to_owned()),
            Reply::Failed(error) => ("failed", format!("{}. {}", error.message, error.hint)),
        };
        Some(view! {
            <li data-state=state>
                <h3><Stroke place/>{forms[place].name}</h3>
                <p class="ask-reply">{text}</p>
            </li>
        })
    };
    view! {
        <ul class="ask-replies" aria-label="Answers" aria-live="polite">
            {move || {
                let replies = lab.store.asked_all.get().map(|asked| asked.replies);
                replies.unwrap_or_default().into_iter().filter_map(column).collect_view()
            }}
        </ul>
    }
}
