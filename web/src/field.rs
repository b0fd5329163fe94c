//! A labelled field of a form, with its explanation, range and default, and the error that names it.

use crate::app::use_lab;
use crate::lab::field_id;
use crate::settings::{Kind, Setting};
use lab_protocol::LabError;
use leptos::prelude::*;

/// The experiment's first error, as the form stands. Views show it at the field that it names.
#[derive(Clone, Copy)]
pub struct FormError(pub Memo<Option<LabError>>);

impl FormError {
    /// What is wrong at `path`: the form's own error, or one that the worker has reported.
    pub fn at(self, path: String) -> impl Fn() -> Option<LabError> + Clone + Send + Sync + 'static {
        let problem = use_lab().store.problem;
        move || {
            let names_it = |error: &LabError| error.field.as_deref() == Some(path.as_str());
            self.0
                .with(|error| error.clone().filter(names_it))
                .or_else(|| {
                    problem.with(|problem| {
                        problem
                            .as_ref()
                            .map(|problem| problem.error.clone())
                            .filter(names_it)
                    })
                })
        }
    }
}

/// An input for one value. `path` is the field's path in the experiment.
#[component]
pub fn Field(
    #[prop(into)] path: String,
    #[prop(into)] label: String,
    /// What the value means, in a sentence.
    #[prop(into)]
    help: String,
    /// Its range and default.
    #[prop(into, default = String::new())]
    range: String,
    kind: &'static Kind,
    value: RwSignal<String>,
) -> impl IntoView {
    let id = field_id(&path);
    let help_id = format!("{id}-help");
    let error_id = format!("{id}-error");
    let error = expect_context::<FormError>().at(path);
    let invalid = {
        let error = error.clone();
        Memo::new(move |_| error().is_some())
    };
    let described = format!("{help_id} {error_id}");
    let shown_error =
        move || error().map(|error| format!("{} {}", sentence(&error.message), error.hint));
    view! {
        <div class="field" class:invalid=invalid class:switch=matches!(kind, Kind::Switch | Kind::Part) class:wide=matches!(kind, Kind::Text | Kind::Lines | Kind::Rows)>
            <label class="field-label" for=id.clone()>{label}</label>
            <Control id described invalid kind value/>
            <p class="field-help" id=help_id>{help} <span class="field-range">{range}</span></p>
            <p class="field-error" id=error_id>{shown_error}</p>
        </div>
    }
}

#[component]
fn Control(
    id: String,
    described: String,
    invalid: Memo<bool>,
    kind: &'static Kind,
    value: RwSignal<String>,
) -> impl IntoView {
    let type_in = move |event| value.set(event_target_value(&event));
    let wrong = move || invalid.get().then_some("true");
    match kind {
        Kind::Whole(..) | Kind::WholeUpTo(..) => view! {
            <input type="number" step="1" id=id aria-describedby=described aria-invalid=wrong prop:value=value on:input=type_in/>
        }
        .into_any(),
        Kind::Number(..) | Kind::Text | Kind::List => view! {
            <input type="text" inputmode=if matches!(kind, Kind::Number(..)) { "decimal" } else { "text" } autocomplete="off" spellcheck="false"
                id=id aria-describedby=described aria-invalid=wrong prop:value=value on:input=type_in/>
        }
        .into_any(),
        Kind::Lines | Kind::Rows => view! {
            <textarea rows="3" id=id aria-describedby=described aria-invalid=wrong prop:value=value on:input=type_in></textarea>
        }
        .into_any(),
        Kind::Switch | Kind::Part => view! {
            <input type="checkbox" id=id aria-describedby=described aria-invalid=wrong
                prop:checked=move || value.get() == "true"
                on:change=move |event| value.set(event_target_checked(&event).to_string())/>
        }
        .into_any(),
        Kind::Maybe(neither) => view! {
            <select id=id aria-describedby=described aria-invalid=wrong prop:value=value on:change=type_in>
                <option value="">{*neither}</option>
                <option value="true">"On"</option>
                <option value="false">"Off"</option>
            </select>
        }
        .into_any(),
        Kind::Choice(choices) => view! {
            <select id=id aria-describedby=described aria-invalid=wrong prop:value=value on:change=type_in>
                {choices.iter().map(|(name, title)| view! { <option value=*name>{*title}</option> }).collect_view()}
            </select>
        }
        .into_any(),
    }
}

/// The range and default of a setting in words.
pub fn range(setting: &Setting, default: &str) -> String {
    let default_of = |choices: &[(&str, &str)]| {
        choices
            .iter()
            .find(|(name, _)| *name == default)
            .map_or(default.to_owned(), |(_, title)| (*title).to_owned())
    };
    match &setting.kind {
        Kind::Whole(..) | Kind::Number(..) if default.is_empty() => "Empty is none".to_owned(),
        Kind::Whole(low, high) if *high >= 1 << 31 => format!("{low} or more, default {default}"),
        Kind::Whole(low, high) => format!(
            "{low} to {}, default {default}",
            crate::format::count(*high)
        ),
        Kind::WholeUpTo(low, limit) => format!("{low} to {limit}, default {default}"),
        Kind::Number(low, high) if *low == f64::MIN_POSITIVE => {
            format!("above 0 to {high}, default {default}")
        }
        Kind::Number(low, high) if *high >= 1e9 => format!("{low} or more, default {default}"),
        Kind::Number(low, high) if *high >= 1000.0 => {
            format!(
                "{low} to {}, default {default}",
                crate::format::count(*high as usize)
            )
        }
        Kind::Number(low, high) => format!("{low} to {high}, default {default}"),
        Kind::Switch | Kind::Part => {
            format!("Default {}", if default == "true" { "on" } else { "off" })
        }
        Kind::Maybe(neither) => format!("Default {}", neither.to_lowercase()),
        Kind::Choice(choices) => format!("Default {}", default_of(choices)),
        Kind::Text | Kind::List | Kind::Lines | Kind::Rows if default.is_empty() => {
            "Default empty".to_owned()
        }
        Kind::Text | Kind::List | Kind::Lines | Kind::Rows => format!("Default {default}"),
    }
}

/// An error's message as a sentence before its hint.
fn sentence(message: &str) -> String {
    let mut characters = message.chars();
    let first = characters
        .next()
        .map(|first| first.to_uppercase().to_string())
        .unwrap_or_default();
    format!("{first}{}.", characters.as_str().trim_end_matches('.'))
}

/// Whether a card is unfolded: folded when a run begins, so that its results come into sight; otherwise
/// as the user has it.
pub fn unfolded() -> (
    RwSignal<bool>,
    impl Fn(web_sys::Event) + Copy + Send + Sync + 'static,
) {
    let open = RwSignal::new(true);
    let phase = use_lab().store.phase;
    Effect::new(move |before: Option<bool>| {
        let active = phase.get().is_active();
        if active && before == Some(false) {
            open.set(false);
        }
        active
    });
    let toggled = move |event: web_sys::Event| {
        let card: web_sys::Element = event_target(&event);
        open.set(card.has_attribute("open"));
    };
    (open, toggled)
}
