//! A prompt of the user's, continued by the current model.

use crate::lab::use_lab;
use crate::samples::SampleText;
use lab_protocol::GenerateRequest;
use leptos::prelude::*;

#[component]
pub fn WriteBox() -> impl IntoView {
    let lab = use_lab();
    let store = lab.store;
    let prompt = RwSignal::new(String::new());
    let temperature = RwSignal::new("0.8".to_owned());
    let length = RwSignal::new("200".to_owned());
    let asked = RwSignal::new(0_u64);
    let waits = move || store.asked.with(Option::is_some);
    let write = move || {
        if untrack(waits) {
            return;
        }
        // Another seed each time: the same prompt may be continued in another way.
        asked.update(|asked| *asked += 1);
        let prompt = prompt.get_untracked();
        lab.write(GenerateRequest {
            prompt: if prompt.is_empty() {
                "\n".to_owned()
            } else {
                prompt
            },
            max_tokens: length.get_untracked().parse().unwrap_or(200),
            temperature: temperature.get_untracked().parse().unwrap_or(0.8),
            seed: asked.get_untracked(),
            ..Default::default()
        });
    };
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        write();
    };
    // Enter makes a new line in a text; together with Ctrl or the command key it sends.
    let send = move |event: web_sys::KeyboardEvent| {
        if event.key() == "Enter" && (event.ctrl_key() || event.meta_key()) {
            event.prevent_default();
            write();
        }
    };
    view! {
        <section class="card write" aria-labelledby="write-title">
            <h2 id="write-title">"Write"</h2>
            <form on:submit=submit>
                <label class="field">
                    <span class="field-label">"Prompt"</span>
                    <textarea rows="2" placeholder="The model goes on from here" on:keydown=send
                        prop:value=prompt on:input=move |event| prompt.set(event_target_value(&event))></textarea>
                </label>
                <div class="write-row">
                    <label class="field range-field">
                        <span class="field-label">"Temperature "{temperature}</span>
                        <input type="range" min="0" max="2" step="0.1" prop:value=temperature
                            on:input=move |event| temperature.set(event_target_value(&event))/>
                    </label>
                    <label class="field length-field">
                        <span class="field-label">"Tokens"</span>
                        <input type="number" min="1" max="2000" step="1" prop:value=length
                            on:input=move |event| length.set(event_target_value(&event))/>
                    </label>
                    <button type="submit" class="button" aria-disabled=move || waits().to_string()>
                        {move || if waits() { "Writing…" } else { "Write" }}
                    </button>
                </div>
            </form>
            <div class="answer" aria-live="polite">
                {move || store.answer.get().map(|sample| view! { <SampleText sample/> })}
            </div>
        </section>
    }
}
