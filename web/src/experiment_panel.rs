//! The experiment's card: which example, the text, and what all strategies share.

use crate::app::use_lab;
use crate::data_panel::{self, DataPanel};
use crate::field::{Field, unfolded};
use crate::lab::Lab;
use crate::platform;
use crate::settings::Kind;
use crate::share::ShareButton;
use lab_protocol::{BackendChoice, ExperimentConfig, from_json, text_from_bytes};
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

static SEED: Kind = Kind::Whole(0, usize::MAX);
static FRACTION: Kind = Kind::Number(0.0, 0.9);

/// Fills the form with an example.
pub async fn load_example(lab: Lab, name: &str) {
    let path = format!("experiments/{name}.json");
    match platform::fetch(&path).await {
        Ok(bytes) => {
            take(lab, bytes);
        }
        Err(error) => lab.store.fail_with(error),
    }
}

/// Fills the form with an experiment's file, or shows why it cannot be.
pub fn take(lab: Lab, bytes: Vec<u8>) -> bool {
    let experiment = text_from_bytes(bytes).and_then(|text| from_json::<ExperimentConfig>(&text));
    let loaded = experiment.and_then(|experiment| {
        let backend = experiment.backend;
        lab.form.load(experiment).map(|()| backend)
    });
    match loaded {
        Ok(backend) => {
            lab.store.input_changed();
            lab.forget();
            if backend != BackendChoice::Auto && backend != lab.store.backend.get_untracked() {
                lab.start_worker(backend);
            }
            true
        }
        Err(error) => {
            lab.store.fail_with(error);
            false
        }
    }
}

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
        let Some(file) = take_file(&event) else {
            return;
        };
        spawn_local(async move {
            match platform::read_file(&file).await {
                Ok(bytes) => {
                    take(lab, bytes);
                }
                Err(error) => lab.store.fail_with(error),
            }
        });
    };
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
                    <Field path="data.validation_fraction" label="Held out" kind=&FRACTION value=form.validation_fraction
                        help="Share of the text, at its end, that is never trained on." range="0 to 0.9, default 0.1"/>
                    <Field path="seed" label="Seed" kind=&SEED value=form.seed
                        help="The same seed gives the same run." range="0 to 2⁵³ − 1, default 1337"/>
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

/// The file that was chosen in an input, which is emptied so that the same file can be chosen again.
pub fn take_file(event: &web_sys::Event) -> Option<web_sys::File> {
    let input: web_sys::HtmlInputElement = event_target(event);
    let file = input.files()?.get(0);
    input.set_value("");
    file
}
