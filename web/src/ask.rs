//! One prompt to all models of the experiment: what each answers, side by side.

use crate::chart::Stroke;
use crate::experiment::StrategyForm;
use crate::lab::Lab;
use crate::lab::use_lab;
use crate::runs::Run;
use lab_client::{Attachments, Files};
use lab_protocol::{Command, LabError};
use leptos::prelude::*;

/// What is asked, and what was answered so far.
#[derive(Clone, PartialEq)]
pub struct Asked {
    pub prompt: String,
    /// Of the question that the worker is at, one model after the other.
    pub id: String,
    /// By the strategies' keys, in the experiment's order.
    pub replies: Vec<(usize, Reply)>,
}

#[derive(Clone, PartialEq)]
pub enum Reply {
    Waiting,
    Text(String),
    /// It was cancelled, or cannot be asked.
    Nothing,
    Failed(LabError),
}

impl Asked {
    /// Key of the strategy whose answer is waited for.
    fn next(&self) -> Option<usize> {
        let mut replies = self.replies.iter();
        let waiting = replies.find(|(_, reply)| *reply == Reply::Waiting);
        waiting.map(|(key, _)| *key)
    }
}

/// The strategies that have made a model, in the experiment's order.
pub(crate) fn with_model(lab: Lab) -> Vec<StrategyForm> {
    let mut forms = lab.form.strategies.get();
    forms.retain(|form| form.run.result.with(Option::is_some) && lab.has_model(form));
    forms
}

impl Lab {
    /// Asks every model of the experiment, one after the other.
    pub fn ask(&self, prompt: String) {
        let forms = untrack(|| with_model(*self)).into_iter();
        self.store.asked_all.set(Some(Asked {
            prompt,
            id: String::new(),
            replies: forms.map(|form| (form.key, Reply::Waiting)).collect(),
        }));
        self.ask_next();
    }

    fn ask_next(&self) {
        let asked = self.store.asked_all.get_untracked();
        let Some((prompt, key)) =
            asked.and_then(|asked| Some((asked.prompt.clone(), asked.next()?)))
        else {
            return;
        };
        let Some((run, base)) = self.made(key) else {
            return self.reply(Reply::Nothing);
        };
        let id = format!("ask-{}", self.next_question());
        self.store.asked_all.update(|asked| {
            if let Some(asked) = asked {
                asked.id.clone_from(&id);
            }
        });
        let command = Command::Ask {
            run: id,
            experiment: run.experiment,
            strategy: run.strategy,
            base: Vec::new(),
            prompt,
        };
        let attachments = Attachments {
            base,
            checkpoint: None,
        };
        self.client().send(&command, &attachments);
    }

    /// The run of a strategy, and the files that it has made.
    pub(crate) fn made(&self, key: usize) -> Option<(Run, Files)> {
        let run = self.form.strategy(key)?.run;
        Some((run.run.get_untracked()?, self.client().files(key)))
    }

    /// Counts what models are asked once they are done.
    pub(crate) fn next_question(&self) -> usize {
        let count = self.inner.try_update_value(|inner| {
            inner.questions += 1;
            inner.questions
        });
        count.unwrap_or_default()
    }

    /// Whether the worker is at the question of this id.
    pub(crate) fn is_asked(&self, id: &str) -> bool {
        let asked = self.store.asked_all;
        asked.with_untracked(|asked| asked.as_ref().is_some_and(|asked| asked.id == id))
    }

    /// Takes the reply that is waited for, and asks the next model.
    pub(crate) fn reply(&self, reply: Reply) {
        self.store.asked_all.update(|asked| {
            if let Some(asked) = asked
                && let Some(key) = asked.next()
            {
                asked.id.clear();
                let mut replies = asked.replies.iter_mut();
                if let Some((_, place)) = replies.find(|(other, _)| *other == key) {
                    *place = reply;
                }
            }
        });
        self.ask_next();
    }

    /// Waits for no more answers; those that are there stay.
    pub(crate) fn stop_asking(&self) {
        let mut under_way = String::new();
        self.store.asked_all.update(|asked| {
            if let Some(asked) = asked {
                under_way = std::mem::take(&mut asked.id);
                for (_, reply) in &mut asked.replies {
                    if *reply == Reply::Waiting {
                        *reply = Reply::Nothing;
                    }
                }
            }
        });
        if !under_way.is_empty() {
            let stop = Command::Stop { run: under_way };
            self.client().send(&stop, &Attachments::default());
        }
    }
}

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
                <input type="text" autocomplete="off" placeholder="What they were trained to go on with, or to answer"
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
