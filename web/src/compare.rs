//! The comparison of strategies: by the final metrics of their runs, and by their settings.

use crate::chart::Stroke;
use crate::export;
use crate::format::metric;
use crate::lab::Lab;
use crate::lab::use_lab;
use crate::metrics;
use lab_protocol::{Comparison, Measured, Standing};
use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

#[component]
pub fn CompareSection() -> impl IntoView {
    let lab = use_lab();
    let several = Memo::new(move |_| lab.form.finished().len() > 1);
    view! {
        <Show when=move || several.get()>
            <section class="card compare" aria-labelledby="compare-title">
                <h2 id="compare-title">"Comparison"</h2>
                <Metrics/>
                <Differences/>
                <Export/>
            </section>
        </Show>
    }
}

/// Whether a metric is shown before the user asks for all: metrics on held-out data, and the cost.
fn is_main(name: &str) -> bool {
    name.starts_with("held_out/")
        || (name.starts_with("validation_") && name != "validation_tokens")
        || ["seconds", "tokens_per_second", "trainable_parameters"].contains(&name)
        || metrics::rank(name) < 6
}

#[component]
fn Metrics() -> impl IntoView {
    let lab = use_lab();
    let all = RwSignal::new(false);
    let comparison = Memo::new(move |_| Comparison::of(&lab.form.results()));
    let names = Memo::new(move |_| {
        let mut names: Vec<String> = comparison.with(|comparison| {
            let names = comparison.metric_names().into_iter();
            names.map(str::to_owned).collect()
        });
        if !all.get() {
            names.retain(|name| is_main(name));
        }
        names.sort_by_key(|name| (!name.starts_with("held_out/"), metrics::rank(name)));
        names
    });
    let row = move |name: String| {
        comparison.with(|comparison| {
            let standings = comparison.standings(&name);
            let cells = comparison.rows.iter().zip(standings);
            let cells: Vec<_> = cells
                .map(|(row, standing)| cell(row.metrics.get(&name), standing))
                .collect();
            let info = comparison.info(&name);
            let (help, title) = (info.help.into_owned(), info.label.into_owned());
            let title = if title.is_empty() {
                metrics::title(&name)
            } else {
                title
            };
            view! {
                <tr>
                    <th scope="row">{title}<span class="metric-help">{help}</span></th>
                    {cells}
                </tr>
            }
        })
    };
    // Also when a result comes that brings no new metric.
    let rows = move || {
        lab.form.finished();
        names.get().into_iter().map(row).collect_view()
    };
    view! {
        <div class="table-place" tabindex="0" role="region" aria-label="Strategies by metrics">
            <table>
                <caption>"The best of each row is marked. ≈ is no further from it than two standard errors: within the noise."</caption>
                <thead><tr><th scope="col">"Metric"</th>{move || heads(lab)}</tr></thead>
                <tbody>{move || rows()}</tbody>
            </table>
        </div>
        <label class="check">
            <input type="checkbox" prop:checked=all on:change=move |event| all.set(event_target_checked(&event))/>
            "All metrics"
        </label>
    }
}

/// A column's head for each strategy.
fn heads(lab: Lab) -> impl IntoView {
    lab.form.finished()
        .into_iter()
        .map(|(place, form)| {
            view! { <th scope="col"><span class="compare-head"><Stroke place/>{form.name}</span></th> }
        })
        .collect_view()
}

fn cell(value: Option<&Measured>, standing: Standing) -> AnyView {
    let Some(value) = value else {
        return view! { <td class="muted">"–"</td> }.into_any();
    };
    let error = value.standard_error.map(
        |error| view! { <span class="standard-error">{format!(" ± {}", metric(error))}</span> },
    );
    let (class, mark, words) = match standing {
        Standing::Best => ("best", "★ ", "Best: "),
        Standing::WithinNoise => ("near", "≈ ", "Within the noise of the best: "),
        Standing::Behind | Standing::Unranked => ("", "", ""),
    };
    view! {
        <td class=class>
            <span aria-hidden="true">{mark}</span><span class="visually-hidden">{words}</span>
            {metric(value.mean)}{error}
        </td>
    }
    .into_any()
}

/// The settings in which the runs differ, a row each.
#[component]
fn Differences() -> impl IntoView {
    let lab = use_lab();
    let rows = Memo::new(move |_| {
        let configs: Vec<_> = lab
            .form
            .finished()
            .iter()
            .map(|(_, form)| {
                let info = form.run.info.get();
                info.map(|info| flatten(&info.config)).unwrap_or_default()
            })
            .collect();
        differences(&configs)
    });
    view! {
        <Show when=move || rows.with(|rows| !rows.is_empty())>
            <details class="more">
                <summary>"What differs in their settings"</summary>
                <div class="table-place" tabindex="0" role="region" aria-label="Settings that differ">
                    <table>
                        <thead><tr><th scope="col">"Setting"</th>{move || heads(lab)}</tr></thead>
                        <tbody>
                            {move || rows.get().into_iter().map(|(path, values)| view! {
                                <tr>
                                    <th scope="row"><code>{path}</code></th>
                                    {values.into_iter().map(|value| view! { <td>{value.unwrap_or_else(|| "–".to_owned())}</td> }).collect_view()}
                                </tr>
                            }).collect_view()}
                        </tbody>
                    </table>
                </div>
            </details>
        </Show>
    }
}

/// Everything that the experiment has made, to take home.
#[component]
fn Export() -> impl IntoView {
    let lab = use_lab();
    let save = move |_| {
        spawn_local(async move {
            if let Err(error) = export::save(lab).await {
                lab.store.fail_with(error);
            }
        });
    };
    view! {
        <ul class="downloads" aria-label="Downloads of the experiment">
            <li>
                <button type="button" class="button download" on:click=save>
                    <span>{move || export::archive_name(lab)}</span>
                    <small>"The experiment, and of each strategy settings, metrics, results and model"</small>
                </button>
            </li>
        </ul>
    }
}

/// Every value of a configuration by its dotted path.
fn flatten(config: &Value) -> BTreeMap<String, String> {
    fn add(path: &str, value: &Value, flat: &mut BTreeMap<String, String>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let dot = if path.is_empty() { "" } else { "." };
                    add(&format!("{path}{dot}{key}"), value, flat);
                }
            }
            Value::String(text) => {
                flat.insert(path.to_owned(), text.clone());
            }
            other => {
                flat.insert(path.to_owned(), other.to_string());
            }
        }
    }
    let mut flat = BTreeMap::new();
    add("", config, &mut flat);
    flat
}

/// A setting's path, and its value in each configuration that has it.
type Difference = (String, Vec<Option<String>>);

/// The settings that at least two have, with different values.
fn differences(configs: &[BTreeMap<String, String>]) -> Vec<Difference> {
    let paths: BTreeSet<_> = configs.iter().flat_map(BTreeMap::keys).collect();
    let rows = paths.into_iter().filter_map(|path| {
        let values: Vec<_> = configs
            .iter()
            .map(|config| config.get(path).cloned())
            .collect();
        let distinct: BTreeSet<_> = values.iter().flatten().collect();
        (distinct.len() > 1).then(|| (path.clone(), values))
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_that_differ_are_found_and_others_are_not() {
        let configs = [
            json!({ "training": { "steps": 10, "rate": 0.1 }, "tokenizer": "byte" }),
            json!({ "training": { "steps": 20, "rate": 0.1 } }),
        ];
        let configs: Vec<_> = configs.iter().map(flatten).collect();
        assert_eq!(
            differences(&configs),
            [(
                "training.steps".to_owned(),
                vec![Some("10".to_owned()), Some("20".to_owned())]
            )]
        );
    }
}
