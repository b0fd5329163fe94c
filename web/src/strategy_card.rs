//! A strategy of the experiment: its main settings, its state, and the rest folded away.

use crate::app::use_lab;
use crate::experiment::{StrategyForm, shown};
use crate::field::{Field, range, unfolded};
use crate::settings::{ADVANCED, Group};
use crate::store::Phase;
use leptos::prelude::*;

#[component]
pub fn StrategyCard(index: usize, form: StrategyForm) -> impl IntoView {
    let lab = use_lab();
    let kind = form.kind;
    let headline = {
        let form = form.clone();
        move || form.headline()
    };
    let (open, toggled) = unfolded();
    let active = Memo::new(move |_| lab.store.phase.get().is_active());
    let advanced: Vec<_> = ADVANCED
        .iter()
        .map(|(group, title)| {
            let fields = fields(index, &form, *group);
            view! {
                <fieldset class="group">
                    <legend>{*title}</legend>
                    <div class="fields">{fields}</div>
                </fieldset>
            }
        })
        .collect();
    view! {
        <details class="card step-card" open=open on:toggle=toggled>
            <summary>
                <h2>{kind.title}</h2>
                <State/>
                <span class="headline">{headline}</span>
            </summary>
            <p class="lead">{kind.description}</p>
            <fieldset class="plain" disabled=active>
                <legend class="visually-hidden">{format!("Settings of {}", form.name)}</legend>
                <div class="fields">{fields(index, &form, Group::Main)}</div>
                <details class="more">
                    <summary>"More settings"</summary>
                    {advanced}
                </details>
            </fieldset>
        </details>
    }
}

fn fields(index: usize, form: &StrategyForm, group: Group) -> Vec<impl IntoView + use<>> {
    let kind = form.kind;
    let members = kind
        .settings
        .iter()
        .zip(&form.values)
        .filter(|(setting, _)| setting.group == group);
    members
        .map(|(setting, value)| {
            let path = format!("strategies[{index}].config.{}", setting.path);
            let range = range(setting, &shown(&kind.default_of(setting)));
            view! { <Field path label=setting.label help=setting.help range kind=&setting.kind value=*value/> }
        })
        .collect()
}

/// The run's state as a word on the card.
#[component]
fn State() -> impl IntoView {
    let store = use_lab().store;
    let word = move || match store.phase.get() {
        Phase::Idle => "Not run yet",
        Phase::Starting => "Starting",
        Phase::Running | Phase::Pausing => "Training",
        Phase::Paused => "Paused",
        Phase::Stopping => "Stopping",
        Phase::Finished => "Trained",
        Phase::Failed => "Failed",
    };
    view! { <span class="pill" data-phase=word>{word}</span> }
}
