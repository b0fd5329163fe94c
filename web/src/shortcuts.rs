//! Single keys for the controls of a run, and for the choice between two answers. They can be turned off, and do
//! nothing while the user types.

use crate::lab::Lab;
use crate::platform;
use crate::run_bar::press_primary;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

const KEY: &str = "llm-labs-shortcuts";

/// Whether the keys are enabled.
#[derive(Clone, Copy)]
struct Enabled(RwSignal<bool>);

/// Listens to keys for the page's life.
pub fn listen(lab: Lab) {
    let enabled = RwSignal::new(platform::remembered(KEY).as_deref() != Some("off"));
    provide_context(Enabled(enabled));
    let handle = window_event_listener(leptos::ev::keydown, move |event| {
        let modified = event.ctrl_key() || event.alt_key() || event.meta_key() || event.repeat();
        if !enabled.get_untracked() || modified || is_typing(&event) {
            return;
        }
        let active = lab.store.phase.get_untracked().is_active();
        match event.key().to_lowercase().as_str() {
            "r" if !active => press_primary(lab),
            "p" if active => press_primary(lab),
            "s" => lab.step(),
            "x" => lab.stop(),
            "1" => lab.pick(Some(0)),
            "2" => lab.pick(Some(1)),
            "0" => lab.pick(None),
            _ => return,
        }
        event.prevent_default();
    });
    on_cleanup(move || handle.remove());
}

/// Whether the key goes into an element that takes text or uses letters to choose.
fn is_typing(event: &web_sys::KeyboardEvent) -> bool {
    let element = event
        .target()
        .and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    element.is_some_and(|element| {
        let letters = "input:not([type=checkbox]):not([type=radio]):not([type=range]):not([type=file]), textarea, select, [contenteditable]";
        element.closest(letters).ok().flatten().is_some()
    })
}

/// The keys, and the switch that turns them off.
#[component]
pub fn ShortcutHelp() -> impl IntoView {
    let enabled = expect_context::<Enabled>().0;
    let change = move |event| {
        let on = event_target_checked(&event);
        enabled.set(on);
        platform::remember(KEY, if on { "on" } else { "off" });
    };
    Effect::new(move || {
        if let Some(root) = document().document_element() {
            // Styles hide the keys on the buttons when they are off.
            let _ = root.set_attribute("data-shortcuts", if enabled.get() { "on" } else { "off" });
        }
    });
    view! {
        <label class="shortcut-switch">
            <input type="checkbox" prop:checked=enabled on:change=change/>
            <span>"Keys: "<kbd>"R"</kbd>" run, "<kbd>"P"</kbd>" pause or resume, "<kbd>"S"</kbd>" step, "<kbd>"X"</kbd>" stop, "<kbd>"1"</kbd>" "<kbd>"2"</kbd>" the better answer"</span>
        </label>
    }
}
