//! The card of a base model: files dropped or chosen, or an address, and the model's requirements.

use crate::base_model::{self, Needs};
use crate::experiment::StrategyForm;
use crate::lab::Lab;
use crate::lab::use_lab;
use lab_client::Files;
use lab_protocol::LabError;
use leptos::prelude::*;
use leptos::task::spawn_local;

#[component]
pub fn BaseFiles(form: StrategyForm) -> impl IntoView {
    let lab = use_lab();
    let said = RwSignal::new(String::new());
    let dragged = RwSignal::new(false);
    let address = form.value_at("address");
    let form = StoredValue::new(form);
    let take = move |list: Option<web_sys::FileList>| {
        let files: Vec<_> = list
            .map(|list| {
                (0..list.length())
                    .filter_map(|index| list.get(index))
                    .collect()
            })
            .unwrap_or_default();
        if files.is_empty() || lab.store.phase.get_untracked().is_active() {
            return;
        }
        said.set("Reading…".to_owned());
        spawn_local(async move {
            let read = base_model::from_files(files).await;
            done(lab, form.get_value(), said, read);
        });
    };
    let choose = move |event: web_sys::Event| {
        let input: web_sys::HtmlInputElement = event_target(&event);
        take(input.files());
        input.set_value("");
    };
    let drop_files = move |event: web_sys::DragEvent| {
        event.prevent_default();
        dragged.set(false);
        take(event.data_transfer().and_then(|data| data.files()));
    };
    let drag_over = move |event: web_sys::DragEvent| {
        event.prevent_default();
        dragged.set(true);
    };
    let fetch = move |_| {
        let address = address
            .map(|address| address.get_untracked())
            .unwrap_or_default();
        if address.trim().is_empty() {
            return;
        }
        said.set("Loading…".to_owned());
        spawn_local(async move {
            let read = base_model::from_address(address.trim()).await;
            done(lab, form.get_value(), said, read);
        });
    };
    view! {
        <div class="data" class:dragged=dragged on:drop=drop_files on:dragover=drag_over on:dragleave=move |_| dragged.set(false)>
            <div class="choose">
                <label class="button file-button">
                    "Choose files…"
                    <input type="file" multiple=true class="visually-hidden" aria-label="Choose the model's files" on:change=choose/>
                </label>
                <button type="button" class="button" on:click=fetch>"Load from the address"</button>
            </div>
            <p class="field-help">
                "Choose or drop the files of a Hugging Face folder (config.json, model.safetensors or its parts with their index, tokenizer.json) or one GGUF file. They stay on this device."
            </p>
            <p class="base-said" role="status">{said}</p>
        </div>
    }
}

fn done(
    lab: Lab,
    form: StrategyForm,
    said: RwSignal<String>,
    read: Result<(Files, Needs), LabError>,
) {
    match read {
        Ok((files, needs)) => {
            said.set(needs.told());
            lab.client().load(form.key, None, files);
            form.run.revision.update(|revision| *revision += 1);
            lab.store.input_changed();
        }
        Err(error) => {
            said.set(String::new());
            lab.client().unload(form.key);
            lab.store.fail_with(error);
        }
    }
}
