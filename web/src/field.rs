//! A labelled field of a form, with its explanation, range and default, and the error that names it.

use crate::lab::field_id;
use crate::lab::use_lab;
use lab_protocol::{ABOVE_ZERO, Kind, LabError, Range, Setting};
use leptos::prelude::*;

/// The experiment's first error, as the form stands. Views show it at the field that it names.
#[derive(Clone, Copy)]
pub struct FormError(pub Memo<Option<LabError>>);

impl FormError {
    /// The error at `path`: the form's own, or one that the worker has reported.
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

/// An input for one value. `path` is the field's path in the experiment; `default` is shown with its range.
#[component]
pub fn Field(
    #[prop(into)] path: String,
    setting: Setting,
    #[prop(into)] default: String,
    value: RwSignal<String>,
) -> impl IntoView {
    let kind = setting.kind;
    let range = range(&setting, &default);
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
        <div class="field" class:invalid=invalid class:switch=is_switch(&setting) class:wide=matches!(kind, Kind::Text | Kind::Lines | Kind::Rows(_) | Kind::Any)>
            <label class="field-label" for=id.clone()>{setting.label}</label>
            <Control id described invalid setting value/>
            <p class="field-help" id=help_id>{setting.help} <span class="field-range">{range}</span></p>
            <p class="field-error" id=error_id>{shown_error}</p>
        </div>
    }
}

/// Whether a setting is only on or off.
fn is_switch(setting: &Setting) -> bool {
    match setting.kind {
        Kind::Switch => !setting.optional,
        Kind::Part(_) => true,
        _ => false,
    }
}

#[component]
fn Control(
    id: String,
    described: String,
    invalid: Memo<bool>,
    setting: Setting,
    value: RwSignal<String>,
) -> impl IntoView {
    let type_in = move |event| value.set(event_target_value(&event));
    let wrong = move || invalid.get().then_some("true");
    match setting.kind {
        Kind::Whole => view! {
            <input type="number" step="1" id=id aria-describedby=described aria-invalid=wrong prop:value=value on:input=type_in/>
        }
        .into_any(),
        Kind::Number | Kind::Text | Kind::List => view! {
            <input type="text" inputmode=if matches!(setting.kind, Kind::Number) { "decimal" } else { "text" } autocomplete="off" spellcheck="false"
                id=id aria-describedby=described aria-invalid=wrong prop:value=value on:input=type_in/>
        }
        .into_any(),
        Kind::Lines | Kind::Rows(_) | Kind::Any => view! {
            <textarea rows="3" id=id aria-describedby=described aria-invalid=wrong prop:value=value on:input=type_in></textarea>
        }
        .into_any(),
        Kind::Switch if setting.optional => view! {
            <select id=id aria-describedby=described aria-invalid=wrong prop:value=value on:change=type_in>
                <option value="">{setting.none}</option>
                <option value="true">"On"</option>
                <option value="false">"Off"</option>
            </select>
        }
        .into_any(),
        Kind::Switch | Kind::Part(_) => view! {
            <input type="checkbox" id=id aria-describedby=described aria-invalid=wrong
                prop:checked=move || value.get() == "true"
                on:change=move |event| value.set(event_target_checked(&event).to_string())/>
        }
        .into_any(),
        Kind::Choice(_) | Kind::Layouts(_) => view! {
            <select id=id aria-describedby=described aria-invalid=wrong prop:value=value on:change=type_in>
                {setting.kind.choices().into_iter().map(|choice| view! { <option value=choice.value>{choice.label}</option> }).collect_view()}
            </select>
        }
        .into_any(),
    }
}

/// The range and default of a setting in words.
fn range(setting: &Setting, default: &str) -> String {
    match (setting.kind, setting.range) {
        (Kind::Whole | Kind::Number, _) if default.is_empty() => "Empty is none".to_owned(),
        (_, Some(Range { low, high })) => {
            let low = match low {
                ABOVE_ZERO => "above 0".to_owned(),
                low => low.to_string(),
            };
            let range = match high {
                high if high >= 1e9 => format!("{low} or more"),
                high if high >= 1000.0 => {
                    format!("{low} to {}", crate::format::count(high as usize))
                }
                high => format!("{low} to {high}"),
            };
            format!("{range}, default {default}")
        }
        _ if is_switch(setting) => {
            format!("Default {}", if default == "true" { "on" } else { "off" })
        }
        (Kind::Switch, _) if default.is_empty() => {
            format!("Default {}", setting.none.to_lowercase())
        }
        (Kind::Choice(_) | Kind::Layouts(_), _) => {
            let choices = setting.kind.choices();
            let choice = choices.iter().find(|choice| choice.value == default);
            format!("Default {}", choice.map_or(default, |choice| choice.label))
        }
        _ if default.is_empty() => "Default empty".to_owned(),
        _ => format!("Default {default}"),
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

/// Whether a card is unfolded: folded when a run begins, to bring its results into sight; otherwise as the user left
/// it.
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
