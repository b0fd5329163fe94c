//! The experiment in the page's address, for someone else or for later.

use crate::lab::Lab;
use crate::lab::use_lab;
use crate::opening::load_bytes;
use lab_protocol::{DataSource, ErrorCode, LabError};
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/share.js")]
extern "C" {
    /// See `share.js`.
    #[wasm_bindgen(catch)]
    async fn pack(text: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch)]
    async fn unpack(packed: &str) -> Result<JsValue, JsValue>;
    async fn copy(text: &str) -> JsValue;
}

/// The beginning of the fragment of an address with an experiment.
const PREFIX: &str = "#experiment=";

/// Fills the form with the experiment of the address. False if there is none, or it cannot be read.
pub async fn open_address(lab: Lab) -> bool {
    let hash = window().location().hash().unwrap_or_default();
    let Some(packed) = hash.strip_prefix(PREFIX) else {
        return false;
    };
    match unpack(packed).await.ok().and_then(|text| text.as_string()) {
        Some(text) => load_bytes(lab, text.into_bytes()),
        None => {
            lab.store.fail_with(LabError::new(
                ErrorCode::InvalidJson,
                "the address carries no experiment that can be read",
                "Ask for the whole address again; it may have been cut.",
            ));
            false
        }
    }
}

/// Opens an experiment whose address is entered while the page is open.
pub fn follow_address(lab: Lab) {
    let handle = window_event_listener(leptos::ev::hashchange, move |_| {
        if !lab.store.phase.get_untracked().is_active() {
            spawn_local(async move {
                open_address(lab).await;
            });
        }
    });
    on_cleanup(move || handle.remove());
}

/// Puts the experiment into the address and onto the clipboard.
#[component]
pub fn ShareButton() -> impl IntoView {
    let lab = use_lab();
    let said = RwSignal::new(String::new());
    let share = move |_| {
        let built = untrack(|| lab.form.build(lab.store.backend.get_untracked()));
        let text = built.and_then(|experiment| {
            serde_json::to_string(&experiment)
                .map_err(|error| LabError::internal(error.to_string()))
        });
        let text = match text {
            Ok(text) => text,
            Err(error) => return lab.refuse(error),
        };
        spawn_local(async move {
            let Some(packed) = pack(&text).await.ok().and_then(|packed| packed.as_string()) else {
                return said.set("This browser cannot compress it.".to_owned());
            };
            let location = window().location();
            let page = location.href().unwrap_or_default();
            let page = page.split('#').next().unwrap_or_default();
            let address = format!("{page}{PREFIX}{packed}");
            // Replaced, so Back leads away from the page and not through its experiments.
            let placed = window().history().and_then(|history| {
                history.replace_state_with_url(&JsValue::NULL, "", Some(&address))
            });
            let copied = copy(&address).await.is_truthy();
            let mut words = match (copied, placed.is_ok()) {
                (true, _) => "The address is on the clipboard.",
                (false, true) => "The page's address carries the experiment now.",
                (false, false) => {
                    "The browser allows neither the address nor the clipboard to be set."
                }
            }
            .to_owned();
            if lab.form.source.get_untracked() == DataSource::User {
                words += " Your own text is not in it.";
            }
            said.set(words);
        });
    };
    view! {
        <button type="button" class="button" on:click=share>"Share"</button>
        <span class="share-said" role="status">{said}</span>
    }
}
