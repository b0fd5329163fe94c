//! The chart: one topic of all runs of the experiment. uPlot draws it, this feeds it.

use crate::chart_table::{ChartTable, table_rows};
use crate::curves::{Part, curves};
use crate::lab::Lab;
use crate::lab::use_lab;
use crate::metrics;
use crate::run_log::Axis;
use js_sys::Float64Array;
use leptos::prelude::*;
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Duration;
use wasm_bindgen::prelude::*;
use web_sys::HtmlElement;

#[wasm_bindgen(module = "/src/chart.js")]
extern "C" {
    /// See `chart.js`.
    type Chart;
    #[wasm_bindgen(constructor)]
    fn new(host: &HtmlElement) -> Chart;
    #[wasm_bindgen(method)]
    fn draw(this: &Chart, axis: &str, log: bool, lines: JsValue, columns: Vec<Float64Array>);
    #[wasm_bindgen(method)]
    fn destroy(this: &Chart);
}

/// Points beyond which the curves are thinned out; a screen has no more columns.
const POINTS: usize = 2000;

/// Weight of the past in the smoothed line, to begin with.
pub const SMOOTHING: f64 = 0.8;

const AXES: [(Axis, &str); 3] = [
    (Axis::Step, "Steps"),
    (Axis::Tokens, "Tokens"),
    (Axis::Time, "Time"),
];

/// The view of the chart that the user chose. Copy: the signals live as long as the card.
#[derive(Clone, Copy)]
struct Look {
    axis: RwSignal<Axis>,
    log_scale: RwSignal<bool>,
    smoothing: RwSignal<f64>,
    /// Keys of strategies that are left out.
    hidden: RwSignal<BTreeSet<usize>>,
}

/// The topic that is charted.
pub fn topic(lab: Lab) -> String {
    let chosen = lab.store.topic.get();
    let main = || {
        let form = lab.shown()?;
        form.run.revision.get();
        let tiles = form.kind.tiles;
        let recorded = |name: &&&str| form.run.log.with_value(|log| log.latest(name).is_some());
        let best = tiles.iter().find(recorded).or(tiles.first());
        best.map(|name| (*name).to_owned())
    };
    chosen.or_else(main).unwrap_or_else(|| "loss".to_owned())
}

/// The curves with their controls, their summary and their table.
#[component]
pub fn ChartCard() -> impl IntoView {
    let lab = use_lab();
    let look = Look {
        axis: RwSignal::new(Axis::Step),
        log_scale: RwSignal::new(false),
        smoothing: RwSignal::new(SMOOTHING),
        hidden: RwSignal::new(BTreeSet::new()),
    };
    let table = RwSignal::new(false);
    let topic = Memo::new(move |_| topic(lab));
    let title = move || metrics::title(&topic.get());
    let summary = Memo::new(move |_| summary(lab, &topic.get(), look));
    let rows = Signal::derive(move || {
        if !table.get() {
            return Vec::new();
        }
        table_rows(&parts(lab, &topic.get(), look))
    });
    let axis_choice = move |(value, label): (Axis, &'static str)| {
        view! {
            <label class="segment">
                <input type="radio" name="axis" prop:checked=move || look.axis.get() == value on:change=move |_| look.axis.set(value)/>
                <span>{label}</span>
            </label>
        }
    };
    view! {
        <figure class="card chart" aria-labelledby="chart-title">
            <div class="chart-head">
                <h2 id="chart-title">{title}</h2>
                <Legend topic look/>
            </div>
            <div class="chart-body" class:away=table>
                <Canvas topic look summary/>
            </div>
            <Show when=move || table.get()>
                <ChartTable title=Signal::derive(title) rows/>
            </Show>
            <figcaption>{summary}</figcaption>
            <div class="chart-tools">
                <TopicChoice topic/>
                <div class="segments" role="radiogroup" aria-label="Horizontal axis">{AXES.map(axis_choice).collect_view()}</div>
                <label class="check">
                    <input type="checkbox" prop:checked=look.log_scale on:change=move |event| look.log_scale.set(event_target_checked(&event))/>
                    "Log scale"
                </label>
                <label class="check smoothing">
                    "Smoothing"
                    <input type="range" min="0" max="0.99" step="0.01" prop:value=move || look.smoothing.get().to_string()
                        on:input=move |event| look.smoothing.set(event_target_value(&event).parse().unwrap_or(SMOOTHING))/>
                </label>
                <label class="check">
                    <input type="checkbox" prop:checked=table on:change=move |event| table.set(event_target_checked(&event))/>
                    "Table"
                </label>
            </div>
        </figure>
    }
}

/// All topics that any run has recorded, to choose from.
#[component]
fn TopicChoice(topic: Memo<String>) -> impl IntoView {
    let lab = use_lab();
    let topics = Memo::new(move |_| {
        let mut names = BTreeSet::from([topic.get()]);
        for form in lab.form.strategies.get() {
            form.run.revision.get();
            form.run
                .log
                .with_value(|log| names.extend(log.names().map(str::to_owned)));
        }
        metrics::topics(names.iter().map(String::as_str))
    });
    let choose = move |event| lab.store.topic.set(Some(event_target_value(&event)));
    view! {
        <label class="check topic">
            "Show"
            <select on:change=choose>
                {move || topics.get().into_iter().map(|name| {
                    let title = metrics::title(&name);
                    let chosen = topic.get() == name;
                    view! { <option value=name selected=chosen>{title}</option> }
                }).collect_view()}
            </select>
        </label>
    }
}

/// The strategies that have recorded the topic, by key, name and place in the experiment.
fn recorded(lab: Lab, topic: &str) -> Vec<(usize, String, usize)> {
    let forms = lab.form.strategies.get();
    let there = forms.iter().enumerate().filter(|(_, form)| {
        form.run.revision.get();
        let log = form.run.log;
        log.with_value(|log| log.names().any(|name| metrics::topic(name) == topic))
    });
    there
        .map(|(place, form)| (form.key, form.name.get(), place))
        .collect()
}

/// The legend of the lines. With several strategies, each can be hidden.
#[component]
fn Legend(topic: Memo<String>, look: Look) -> impl IntoView {
    let lab = use_lab();
    let there = Memo::new(move |_| recorded(lab, &topic.get()));
    let strategy = move |(key, name, place): (usize, String, usize)| {
        let shown = move || look.hidden.with(|hidden| !hidden.contains(&key));
        let toggle = move |_| {
            look.hidden.update(|hidden| {
                if !hidden.remove(&key) {
                    hidden.insert(key);
                }
            });
        };
        view! {
            <li>
                <button type="button" class="legend-button" aria-pressed=move || shown().to_string() on:click=toggle>
                    <Stroke place/>{name}
                </button>
            </li>
        }
    };
    view! {
        <ul class="legend" aria-label="Lines">
            {move || {
                let there = there.get();
                if there.len() > 1 {
                    return there.into_iter().map(strategy).collect_view().into_any();
                }
                view! {
                    <li><span class="swatch raw" aria-hidden="true"></span>"Training"</li>
                    <li><span class="swatch smooth" aria-hidden="true"></span>"Smoothed"</li>
                    <li><span class="swatch validation" aria-hidden="true"></span>"Validation"</li>
                }
                .into_any()
            }}
        </ul>
    }
}

/// Dashes and gaps of a strategy's line in pixels, as `chart.js` draws them.
const DASHES: [&str; 4] = ["", "9 4", "2 3", "11 3 2 3"];

/// A piece of a strategy's line.
#[component]
pub fn Stroke(place: usize) -> impl IntoView {
    view! {
        <svg class=format!("stroke run-{}", place % 6) width="26" height="10" viewBox="0 0 26 10" aria-hidden="true">
            <line x1="1" y1="5" x2="25" y2="5" stroke="currentColor" stroke-width="3" stroke-dasharray=DASHES[place % 4]></line>
        </svg>
    }
}

/// The lines that the chart shows of each run.
fn parts(lab: Lab, topic: &str, look: Look) -> Vec<Part> {
    let (smoothing, hidden) = (look.smoothing.get(), look.hidden.get());
    let there = recorded(lab, topic);
    let only = there.len() == 1;
    let visible = there
        .into_iter()
        .filter(|(key, ..)| only || !hidden.contains(key));
    visible
        .filter_map(|(key, name, place)| {
            let log = lab.form.strategy(key)?.run.log;
            log.with_value(|log| {
                Some(Part {
                    name,
                    place,
                    rows: log.rows(topic, smoothing),
                    dense: log.is_dense(topic),
                })
            })
        })
        .collect()
}

fn summary(lab: Lab, topic: &str, look: Look) -> String {
    let smoothing = look.smoothing.get();
    let there = recorded(lab, topic);
    let several = there.len() > 1;
    let sentences: Vec<_> = there
        .into_iter()
        .filter_map(|(key, name, _)| {
            let log = lab.form.strategy(key)?.run.log;
            let text = log.with_value(|log| log.summary(topic, smoothing));
            Some(if several {
                format!("{name}: {text}")
            } else {
                text
            })
        })
        .collect();
    if sentences.is_empty() {
        "No step has been recorded yet.".to_owned()
    } else {
        sentences.join(" ")
    }
}

#[component]
fn Canvas(topic: Memo<String>, look: Look, summary: Memo<String>) -> impl IntoView {
    let lab = use_lab();
    let host = NodeRef::<leptos::html::Div>::new();
    let chart = StoredValue::new_local(None::<Chart>);
    let ready = RwSignal::new(false);
    // In a task of its own, because the elements around it have just been drawn.
    Effect::new(move || {
        if host.get().is_some() {
            set_timeout(
                move || {
                    ready.try_set(true);
                },
                Duration::ZERO,
            );
        }
    });
    Effect::new(move || {
        let Some(host) = host.get().filter(|_| ready.get()) else {
            return;
        };
        if chart.with_value(Option::is_none) {
            chart.set_value(Some(Chart::new(&host)));
        }
        let axis = look.axis.get();
        let name = match axis {
            Axis::Step => "step",
            Axis::Tokens => "tokens",
            Axis::Time => "time",
        };
        let (lines, columns) = curves(&parts(lab, &topic.get(), look), axis, POINTS);
        let columns = columns
            .iter()
            .map(|column| Float64Array::from(column.as_slice()))
            .collect();
        let log = look.log_scale.get();
        // Plain data, which always can be written.
        let lines = lines
            .serialize(&serde_wasm_bindgen::Serializer::json_compatible())
            .unwrap_or_default();
        chart.with_value(|chart| {
            if let Some(chart) = chart {
                chart.draw(name, log, lines, columns);
            }
        });
    });
    on_cleanup(move || {
        chart.update_value(|chart| {
            if let Some(chart) = chart.take() {
                chart.destroy();
            }
        });
    });
    let label = move || format!("{} curve. {}", metrics::title(&topic.get()), summary.get());
    view! { <div class="plot" role="img" aria-label=label node_ref=host></div> }
}
