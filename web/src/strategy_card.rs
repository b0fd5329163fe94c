//! A strategy of the experiment: its state, its base, its main settings, the rest folded away.

use crate::base_card::BaseFiles;
use crate::chart::Stroke;
use crate::experiment::{StrategyForm, shown};
use crate::field::{Field, FormError, unfolded};
use crate::format::{duration, metric};
use crate::kinds::{Base, ENDPOINT};
use crate::lab::use_lab;
use crate::lab::{Lab, field_id};
use crate::metrics;
use crate::run_bar::steps;
use crate::runs::{Phase, RunState};
use lab_orchestrator::plan::Outdated;
use lab_protocol::{Group, RunResult};
use leptos::prelude::*;

#[component]
pub fn StrategyCard(index: usize, form: StrategyForm) -> impl IntoView {
    let lab = use_lab();
    let kind = form.kind;
    let headline = {
        let form = form.clone();
        move || form.headline()
    };
    let (open, toggled) = unfolded();
    let active = Memo::new(move |_| lab.store.phase.get().is_active());
    let several = Memo::new(move |_| lab.form.strategies.with(Vec::len) > 1);
    let advanced: Vec<_> = Group::FOLDED
        .into_iter()
        .filter(|group| kind.settings.iter().any(|place| place.group == *group))
        .map(|group| {
            let fields = fields(index, &form, group);
            view! {
                <fieldset class="group">
                    <legend>{group.title()}</legend>
                    <div class="fields">{fields}</div>
                </fieldset>
            }
        })
        .collect();
    let (name, key) = (form.name, form.key);
    let from = form.clone();
    view! {
        <details class="card step-card" open=open on:toggle=toggled>
            <summary>
                <Show when=move || several.get()><Stroke place=index/></Show>
                <h2>{kind.title}</h2>
                <Show when=move || several.get()><code class="strategy-name">{name}</code></Show>
                <State form=form.clone()/>
                <Outcome form=form.clone()/>
                <span class="headline">{headline}</span>
            </summary>
            <p class="lead">{kind.description}</p>
            <fieldset class="plain" disabled=active>
                <legend class="visually-hidden">{move || format!("Settings of {}", name.get())}</legend>
                <div class="fields">
                    <Show when=move || several.get()><Name index name/></Show>
                    <From index form=from.clone()/>
                    {fields(index, &form, Group::Main)}
                    <EndpointKey form=from.clone()/>
                </div>
                {(!kind.runs).then(|| view! { <BaseFiles form=from.clone()/> })}
                {(!advanced.is_empty()).then(|| view! {
                    <details class="more">
                        <summary>"More settings"</summary>
                        {advanced}
                    </details>
                })}
                <Show when=move || several.get()>
                    <div class="card-actions">
                        {kind.runs.then(|| view! {
                            <button type="button" class="button" on:click=move |_| lab.run_from(key)>
                                {move || if form.run.phase.get() == Phase::Finished { "Run again from here" } else { "Run from here" }}
                                <span class="visually-hidden">{move || format!(", {}", name.get())}</span>
                            </button>
                        })}
                        <button type="button" class="button quiet" on:click=move |_| remove(lab, key)>
                            "Remove"<span class="visually-hidden">{move || format!(" {}", name.get())}</span>
                        </button>
                    </div>
                </Show>
            </fieldset>
        </details>
    }
}

fn remove(lab: Lab, key: usize) {
    lab.form.remove(key);
    lab.store.input_changed();
    crate::platform::focus("primary");
}

#[component]
fn Name(index: usize, name: RwSignal<String>) -> impl IntoView {
    view! {
        <Labelled path=format!("strategies[{index}].name") label="Name" help="How the charts and the comparison call it."
            control=move |id: String, described: String| view! {
                <input type="text" id=id aria-describedby=described autocomplete="off" spellcheck="false"
                    prop:value=name on:input=move |event| name.set(event_target_value(&event))/>
            }.into_any()/>
    }
}

/// The key for the endpoint, if one answers. It is not part of the form: it is stored nowhere.
#[component]
fn EndpointKey(form: StrategyForm) -> impl IntoView {
    let key = use_lab().store.endpoint_key;
    let asks = form.value_at(ENDPOINT);
    let asks = Memo::new(move |_| asks.is_some_and(|asks| asks.get() == "true"));
    let field = move || {
        view! {
            <Labelled path="endpoint_key".to_owned() label="Key"
                help="Sent to that address and nowhere else, and never stored; empty if it needs none."
                control=move |id: String, described: String| view! {
                    <input type="password" id=id aria-describedby=described autocomplete="off" spellcheck="false"
                        prop:value=key on:input=move |event| key.set(event_target_value(&event))/>
                }.into_any()/>
        }
    };
    move || asks.get().then(field)
}

/// The choice of the strategy whose model this one starts from.
#[component]
fn From(index: usize, form: StrategyForm) -> impl IntoView {
    let lab = use_lab();
    let (key, from) = (form.key, form.from);
    let offered = form.kind.base != Base::Never;
    let choose = move |event| from.set(event_target_value(&event).parse().ok());
    let options = move || {
        let bases = lab.form.bases_for(key).into_iter();
        bases
            .map(|base| {
                let value = base.key.to_string();
                let selected = move || from.get() == Some(base.key);
                view! { <option value=value selected=selected>{base.name}</option> }
            })
            .collect_view()
    };
    view! {
        <Show when=move || offered || from.get().is_some()>
            <Labelled path=format!("strategies[{index}].from") label="Starts from" help="The strategy whose model it goes on with."
                control=move |id: String, described: String| view! {
                    <select id=id aria-describedby=described on:change=choose>
                        <option value="" selected=move || from.get().is_none()>"Nothing"</option>
                        {options}
                    </select>
                }.into_any()/>
        </Show>
    }
}

/// A label, a control of one's own, its explanation and the error that names it.
#[component]
fn Labelled(
    path: String,
    label: &'static str,
    help: &'static str,
    control: impl Fn(String, String) -> AnyView + 'static,
) -> impl IntoView {
    let id = field_id(&path);
    let (help_id, error_id) = (format!("{id}-help"), format!("{id}-error"));
    let described = format!("{help_id} {error_id}");
    let error = expect_context::<FormError>().at(path);
    let invalid = {
        let error = error.clone();
        move || error().is_some()
    };
    view! {
        <div class="field" class:invalid=invalid>
            <label class="field-label" for=id.clone()>{label}</label>
            {control(id, described)}
            <p class="field-help" id=help_id>{help}</p>
            <p class="field-error" id=error_id>{move || error().map(|error| format!("{}. {}", error.message, error.hint))}</p>
        </div>
    }
}

fn fields(index: usize, form: &StrategyForm, group: Group) -> Vec<AnyView> {
    let kind = form.kind;
    form.fields()
        .filter(|(place, _)| place.group == group)
        .map(|(place, value)| {
            let path = format!("strategies[{index}].config.{}", place.path);
            let setting = place.setting;
            let default = shown(&setting, kind.default_of(place).as_ref());
            let field = move || {
                view! { <Field path=path.clone() setting default=default.clone() value=value/> }
            };
            if place.when.is_empty() {
                return field().into_any();
            }
            let form = form.clone();
            let counts = Memo::new(move |_| form.counts(place));
            (move || counts.get().then(&field)).into_any()
        })
        .collect()
}

/// Why the result of a strategy does not count any more; none where it does, or where there is none.
fn changed(form: &StrategyForm) -> Memo<Option<Outdated>> {
    let (lab, key, phase) = (use_lab(), form.key, form.run.phase);
    Memo::new(move |_| match phase.get() {
        Phase::Finished => lab.outdated().get(&key).copied(),
        _ => None,
    })
}

/// The run's state as a word on the card.
#[component]
fn State(form: StrategyForm) -> impl IntoView {
    let changed = changed(&form);
    let form_runs = form.kind.runs;
    let word = move || match form.run.phase.get() {
        Phase::Idle if !form_runs => "No files yet",
        Phase::Finished if !form_runs => "Ready",
        Phase::Idle => "Not run yet",
        Phase::Waiting => "Waiting",
        Phase::Starting => "Starting",
        Phase::Running | Phase::Pausing => "Training",
        Phase::Paused => "Paused",
        Phase::Stopping => "Stopping",
        Phase::Finished if changed.get().is_some() => "Changed since",
        Phase::Finished => "Trained",
        Phase::Failed => "Failed",
        Phase::Skipped => "Skipped",
    };
    view! { <span class="pill" data-phase=word>{word}</span> }
}

/// The outcome of a run, also on the folded card: progress and time left, the main figure, why it does not count any
/// more, or the error.
#[component]
fn Outcome(form: StrategyForm) -> impl IntoView {
    let (run, figures) = (form.run, form.kind.figures);
    let changed = changed(&form);
    move || match run.phase.get() {
        phase if phase.is_active() => view! { <Progress run/> }.into_any(),
        Phase::Finished if form.kind.runs && changed.get().is_some() => {
            let why = match changed.get() {
                Some(Outdated::Data) => "Trained on other data.",
                Some(Outdated::Seed) => "Trained with another seed.",
                Some(Outdated::Settings) => "Trained with other settings.",
                Some(Outdated::Base) => "Trained from an earlier base.",
                Some(Outdated::NotRun) | None => "",
            };
            view! { <span class="outcome">{why}</span> }.into_any()
        }
        Phase::Finished => {
            let text = run
                .result
                .with(|result| result.as_ref().and_then(|result| figure(result, figures)));
            view! { <span class="outcome">{text}</span> }.into_any()
        }
        Phase::Failed => {
            let text = run
                .error
                .with(|error| error.as_ref().map(|error| error.message.to_string()));
            view! { <span class="outcome bad">{text}</span> }.into_any()
        }
        Phase::Skipped => {
            view! { <span class="outcome">"The strategy that it starts from has no model."</span> }
                .into_any()
        }
        _ => ().into_any(),
    }
}

#[component]
fn Progress(run: RunState) -> impl IntoView {
    let steps = Memo::new(move |_| steps(run));
    let left = move || {
        let left = run
            .progress
            .with(|progress| progress.as_ref().map(|progress| progress.seconds_left));
        left.map(|left| format!("{} left", duration(left)))
    };
    view! {
        <span class="outcome progress-outcome">
            <meter class="mini" min="0" max=move || steps.get().1 value=move || steps.get().0 aria-label="Progress of this strategy"></meter>
            <span>{left}</span>
        </span>
    }
}

/// The final metric that says most.
fn figure(result: &RunResult, figures: &[&str]) -> Option<String> {
    let (name, value) = figures
        .iter()
        .find_map(|name| Some((name, result.metrics.get(*name)?)))?;
    Some(format!("{} {}", metrics::title(name), metric(*value)))
}
