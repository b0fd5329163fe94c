//! The experiment's card: the choice of an example, the text, and the settings that all strategies share.

use crate::data_panel::{self, DataPanel};
use crate::experiment::shown;
use crate::field::{Field, unfolded};
use crate::lab::Lab;
use crate::lab::use_lab;
use crate::opening::{load_bytes, load_example};
use crate::platform;
use crate::share::ShareButton;
use lab_protocol::{ExperimentConfig, Settings, places};
use leptos::prelude::*;
use leptos::task::spawn_local;

/// The example experiments, by their file in `experiments/`.
const EXAMPLES: [(&str, &str); 5] = [
    ("quickstart", "Quick start"),
    ("nanogpt-cpu", "nanoGPT on a CPU"),
    ("fine-tuning", "Fine-tuning in a village"),
    ("rlhf", "RLHF in a village"),
    ("village", "Four strategies compared"),
];

#[component]
pub fn ExperimentCard() -> impl IntoView {
    let lab = use_lab();
    let form = lab.form;
    let (open, toggled) = unfolded();
    let active = Memo::new(move |_| lab.store.phase.get().is_active());
    // The select shows an example's name only as long as the form holds that example.
    let chosen = move || {
        let name = form.name.get();
        EXAMPLES
            .iter()
            .find(|(file, _)| *file == name)
            .map_or("", |(file, _)| *file)
    };
    let choose = move |event| {
        let name = event_target_value(&event);
        spawn_local(async move { load_example(lab, &name).await });
    };
    let load_file = move |event: web_sys::Event| {
        let Some(file) = platform::take_chosen_file(&event) else {
            return;
        };
        spawn_local(async move {
            match platform::read_file(&file).await {
                Ok(bytes) => {
                    load_bytes(lab, bytes);
                }
                Err(error) => lab.store.fail_with(error),
            }
        });
    };
    let shared: Vec<_> = places(ExperimentConfig::OBJECT)
        .into_iter()
        .filter_map(|place| {
            let value = match place.path.as_str() {
                "data.validation_fraction" => form.validation_fraction,
                "seed" => form.seed,
                _ => return None,
            };
            let default = shown(
                &place.setting,
                place.setting.default.map(|default| default()).as_ref(),
            );
            Some(view! { <Field path=place.path setting=place.setting default value/> })
        })
        .collect();
    view! {
        <details class="card step-card experiment" open=open on:toggle=toggled>
            <summary>
                <h2>"Experiment"</h2>
                <span class="headline">{move || headline(lab)}</span>
            </summary>
            <fieldset class="plain" disabled=active>
                <legend class="visually-hidden">"Experiment and text"</legend>
                <div class="choose">
                    <label class="field grow">
                        <span class="field-label">"Example"</span>
                        <select on:change=choose prop:value=chosen>
                            <option value="" disabled=true hidden=true>{move || form.name.get()}</option>
                            {EXAMPLES.iter().map(|(file, title)| view! { <option value=*file>{*title}</option> }).collect_view()}
                        </select>
                    </label>
                    <label class="button file-button">
                        "Load experiment…"
                        <input type="file" accept=".json,application/json" class="visually-hidden" on:change=load_file/>
                    </label>
                    <ShareButton/>
                </div>
                <p class="lead">{move || form.description.get()}</p>
                <DataPanel/>
                <div class="fields shared">
                    {shared}
                </div>
            </fieldset>
        </details>
    }
}

fn headline(lab: Lab) -> String {
    let text = data_panel::title(lab);
    let seed = lab.form.seed.get();
    format!("{text} · seed {seed}")
}
