//! The device that computes, the reason for it, and the choice of another.

use crate::lab::use_lab;
use lab_client::backend_name;
use lab_protocol::{BackendChoice, DeviceInfo};
use leptos::prelude::*;
use wasm_bindgen::JsCast;

const CHOICES: [(BackendChoice, &str); 3] = [
    (BackendChoice::Auto, "Automatic"),
    (BackendChoice::Cpu, "CPU"),
    (BackendChoice::Wgpu, "WebGPU"),
];

/// `WebGPU · adapter` or `CPU · SIMD`.
pub fn badge(device: &DeviceInfo) -> String {
    let backend = match device.backend {
        BackendChoice::Wgpu => "WebGPU",
        BackendChoice::Cpu | BackendChoice::Auto => "CPU",
    };
    if device.name.is_empty() {
        backend.to_owned()
    } else {
        format!("{backend} · {}", device.name)
    }
}

/// A badge that names the device; focus or a click shows why it was chosen, and the choice.
#[component]
pub fn DeviceControls() -> impl IntoView {
    let lab = use_lab();
    let store = lab.store;
    let open = RwSignal::new(false);
    let place = NodeRef::<leptos::html::Div>::new();
    let text = move || match store.device.get() {
        Some(device) => badge(&device),
        None if !store.alive.get() => "No device".to_owned(),
        None => "Finding a device…".to_owned(),
    };
    let reason = move || match store.device.get() {
        Some(device) => format!("{}.", device.reason.trim_end_matches('.')),
        None => "the worker that computes is not ready yet.".to_owned(),
    };
    let version = move || {
        store
            .device
            .get()
            .map(|device| format!("LLM Labs {}", device.version))
    };
    let active = move || store.phase.get().is_active();
    let choose = move |event| {
        let value = event_target_value(&event);
        if let Some((choice, _)) = CHOICES
            .iter()
            .find(|(choice, _)| backend_name(*choice) == value)
        {
            store.problem.set(None);
            lab.client().use_backend(*choice);
        }
    };
    // The focus has left if the element that takes it is not inside.
    let leave = move |event: web_sys::FocusEvent| {
        let next = event
            .related_target()
            .and_then(|next| next.dyn_into::<web_sys::Node>().ok());
        let stays = place
            .get_untracked()
            .is_some_and(|place| place.contains(next.as_ref()));
        if !stays {
            open.set(false);
        }
    };
    let close = move |event: web_sys::KeyboardEvent| {
        if event.key() == "Escape" {
            open.set(false);
        }
    };
    view! {
        <div class="device" class:open=open node_ref=place on:focusout=leave on:keydown=close>
            <button type="button" class="badge" aria-describedby="device-reason" aria-controls="device-panel"
                aria-expanded=move || open.get().to_string()
                class:ready=move || store.device.with(Option::is_some)
                on:click=move |_| open.update(|open| *open = !*open)>
                <span class="dot" aria-hidden="true"></span>
                <span class="visually-hidden">"Device: "</span>
                <span class="badge-text">{text}</span>
            </button>
            <div class="device-panel card" id="device-panel">
                <p id="device-reason"><b>"Why: "</b>{reason}</p>
                <label class="field">
                    <span class="field-label">"Compute on"</span>
                    <select disabled=active on:change=choose prop:value=move || backend_name(store.backend.get())>
                        {CHOICES.iter().map(|(choice, label)| view! {
                            <option value=backend_name(*choice)>{*label}</option>
                        }).collect_view()}
                    </select>
                    <span class="field-help">
                        {move || if active() { "Stop the run to change the device." } else { "Automatic takes the GPU where it is usable." }}
                    </span>
                </label>
                <p class="muted">{version}</p>
            </div>
        </div>
    }
}
