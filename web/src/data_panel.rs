//! The text: chosen from the built-in ones, pasted, or a file; and its summary.

use crate::data::Preview;
use crate::field::FormError;
use crate::format::count;
use crate::lab::Lab;
use crate::lab::use_lab;
use crate::platform;
use lab_protocol::DataSource;
use leptos::prelude::*;
use leptos::task::spawn_local;

#[component]
pub fn DataPanel() -> impl IntoView {
    let lab = use_lab();
    let form = lab.form;
    let dragged = RwSignal::new(false);
    let take = move |file: web_sys::File| {
        spawn_local(async move {
            match lab.data.take_file(form, file).await {
                Ok(()) => lab.store.input_changed(),
                Err(error) => lab.store.fail_with(error),
            }
        });
    };
    let drop_file = move |event: web_sys::DragEvent| {
        event.prevent_default();
        dragged.set(false);
        let active = lab.store.phase.get_untracked().is_active();
        let file = event
            .data_transfer()
            .and_then(|data| data.files())
            .and_then(|files| files.get(0));
        if let Some(file) = file.filter(|_| !active) {
            take(file);
        }
    };
    let drag_over = move |event: web_sys::DragEvent| {
        event.prevent_default();
        dragged.set(true);
    };
    let source = move |value: DataSource, label: &'static str| {
        view! {
            <label class="segment">
                <input type="radio" name="source" prop:checked=move || form.source.get() == value
                    on:change=move |_| form.source.set(value)/>
                <span>{label}</span>
            </label>
        }
    };
    view! {
        <div class="data" class:dragged=dragged on:drop=drop_file on:dragover=drag_over on:dragleave=move |_| dragged.set(false)>
            <div class="segments" role="radiogroup" aria-label="Text">
                {source(DataSource::BuiltIn, "Built-in text")}
                {source(DataSource::Village, "The village")}
                {source(DataSource::User, "Your own text")}
            </div>
            {move || match form.source.get() {
                DataSource::BuiltIn => view! { <BuiltIn/> }.into_any(),
                DataSource::Village => view! { <Village/> }.into_any(),
                DataSource::User => view! { <Own take/> }.into_any(),
            }}
            <DataError/>
            <PreviewOfText/>
        </div>
    }
}

#[component]
fn BuiltIn() -> impl IntoView {
    let lab = use_lab();
    let form = lab.form;
    let texts = lab.data.built_in;
    let chosen = move || {
        texts.with(|texts| {
            texts
                .iter()
                .find(|text| text.name == form.built_in.get())
                .cloned()
        })
    };
    view! {
        <label class="field">
            <span class="visually-hidden">"Built-in text"</span>
            <select id="field-data-name" on:change=move |event| form.built_in.set(event_target_value(&event))>
                {move || texts.get().into_iter().map(|text| {
                    let name = text.name.clone();
                    view! { <option value=text.name selected=move || form.built_in.get() == name>{text.title}</option> }
                }).collect_view()}
            </select>
            <span class="field-help">
                {move || chosen().map(|text| text.description)}
                " "
                <span class="field-range">{move || chosen().map(|text| text.licence)}</span>
            </span>
        </label>
    }
}

/// The presets of the village, smallest first, with their descriptions.
const PRESETS: [(&str, &str, &str); 3] = [
    (
        "hamlet",
        "A hamlet",
        "24 people and 6 shops; learned in minutes on a laptop's CPU.",
    ),
    ("village", "A village", "96 people and 16 shops."),
    (
        "town",
        "A town",
        "300 people and 32 shops; needs patience or a GPU.",
    ),
];

#[component]
fn Village() -> impl IntoView {
    let form = use_lab().form;
    let help = move || {
        let chosen = form.preset.get();
        PRESETS
            .iter()
            .find(|(name, ..)| *name == chosen)
            .map(|(.., help)| *help)
    };
    view! {
        <label class="field">
            <span class="visually-hidden">"Size of the village"</span>
            <select id="field-data-preset" on:change=move |event| form.preset.set(event_target_value(&event))>
                {PRESETS.map(|(name, title, _)| view! {
                    <option value=name selected=move || form.preset.get() == name>{title}</option>
                }).collect_view()}
            </select>
            <span class="field-help">
                "A small world made from the seed, in which everything is known: who lives where, who keeps which animal. "
                {help}
            </span>
        </label>
    }
}

#[component]
fn Own(take: impl Fn(web_sys::File) + Copy + Send + Sync + 'static) -> impl IntoView {
    let lab = use_lab();
    let data = lab.data;
    let choose = move |event: web_sys::Event| {
        if let Some(file) = platform::take_chosen_file(&event) {
            take(file);
        }
    };
    let paste = move || {
        match data.file.get() {
        Some(file) => view! {
            <p class="file-name">
                <strong>{file.name}</strong>
                <button type="button" class="link" on:click=move |_| data.drop_file(lab.form)>"Remove"</button>
            </p>
        }
        .into_any(),
        None => view! {
            <textarea id="field-data" rows="5" aria-label="Text to train on" placeholder="Paste a text here"
                prop:value=data.pasted on:input=move |event| data.pasted.set(event_target_value(&event))></textarea>
        }
        .into_any(),
    }
    };
    view! {
        {paste}
        <div class="choose">
            <label class="button file-button">
                "Choose a file…"
                <input type="file" accept="text/*,.txt,.md,.csv,.json,.jsonl" class="visually-hidden" aria-label="Choose a text file" on:change=choose/>
            </label>
            <span class="field-help">"or drop one here: any UTF-8 text. It stays on this device."</span>
        </div>
    }
}

/// The error of the text.
#[component]
fn DataError() -> impl IntoView {
    let error = expect_context::<FormError>().at("data".to_owned());
    view! { <p class="field-error">{move || error().map(|error| format!("{}. {}", error.message, error.hint))}</p> }
}

#[component]
fn PreviewOfText() -> impl IntoView {
    let data = use_lab().data;
    let preview = Memo::new(move |_| {
        let text = data.text.get()?.ok().filter(|text| !text.is_empty())?;
        Some(Preview::of(&text))
    });
    move || {
        preview.get().map(|preview| {
            view! {
                <div class="preview">
                    <p class="preview-counts">
                        <b>{count(preview.characters)}</b>" characters, "
                        <b>{count(preview.distinct)}</b>" distinct, "
                        <b>{count(preview.lines)}</b>{if preview.lines == 1 { " line" } else { " lines" }}
                    </p>
                    <pre tabindex="0" aria-label="Beginning of the text">{preview.beginning}</pre>
                </div>
            }
        })
    }
}

/// The text's name for the folded card.
pub fn title(lab: Lab) -> String {
    match lab.form.source.get() {
        DataSource::BuiltIn => {
            let name = lab.form.built_in.get();
            let listed = lab.data.built_in.with(|texts| {
                texts
                    .iter()
                    .find(|text| text.name == name)
                    .map(|text| text.title.clone())
            });
            listed.unwrap_or(name)
        }
        DataSource::Village => PRESETS
            .iter()
            .find(|(name, ..)| *name == lab.form.preset.get())
            .map_or("The village", |(_, title, _)| title)
            .to_owned(),
        DataSource::User => lab.data.file.with(|file| {
            file.as_ref()
                .map_or("Your own text".to_owned(), |file| file.name.clone())
        }),
    }
}
