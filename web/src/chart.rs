//! The loss curve: uPlot draws it, this feeds it.

use crate::app::use_lab;
use crate::chart_table::{ChartTable, ROWS};
use crate::run_log::{Axis, Row, pick, thin_out};
use js_sys::Float64Array;
use leptos::prelude::*;
use wasm_bindgen::prelude::*;
use web_sys::HtmlElement;

#[wasm_bindgen(module = "/src/chart.js")]
extern "C" {
    /// See `chart.js`.
    type LossChart;
    #[wasm_bindgen(constructor)]
    fn new(host: &HtmlElement) -> LossChart;
    #[wasm_bindgen(method)]
    fn draw(this: &LossChart, axis: &str, log: bool, columns: &[Float64Array]);
    #[wasm_bindgen(method)]
    fn destroy(this: &LossChart);
}

/// Points beyond which the curve is thinned out; a screen has no more columns.
const POINTS: usize = 2000;

/// Weight of the past in the smoothed line, to begin with.
pub const SMOOTHING: f64 = 0.8;

const AXES: [(Axis, &str); 3] = [
    (Axis::Step, "Steps"),
    (Axis::Tokens, "Tokens"),
    (Axis::Time, "Time"),
];

/// The curve with its controls, its summary and its table.
#[component]
pub fn ChartCard() -> impl IntoView {
    let store = use_lab().store;
    let axis = RwSignal::new(Axis::Step);
    let log_scale = RwSignal::new(false);
    let smoothing = RwSignal::new(SMOOTHING);
    let table = RwSignal::new(false);
    let rows = Memo::new(move |_| {
        store.revision.get();
        store.log.with_value(|log| log.rows(smoothing.get()))
    });
    let summary = Memo::new(move |_| {
        store.revision.get();
        store.log.with_value(|log| log.summary(smoothing.get()))
    });
    let picked = Signal::derive(move || rows.with(|rows| pick(rows, ROWS)));
    let axis_choice = move |(value, label): (Axis, &'static str)| {
        view! {
            <label class="segment">
                <input type="radio" name="axis" prop:checked=move || axis.get() == value on:change=move |_| axis.set(value)/>
                <span>{label}</span>
            </label>
        }
    };
    view! {
        <figure class="card chart" aria-labelledby="chart-title">
            <div class="chart-head">
                <h2 id="chart-title">"Loss"</h2>
                <ul class="legend" aria-label="Lines">
                    <li><span class="swatch raw" aria-hidden="true"></span>"Training"</li>
                    <li><span class="swatch smooth" aria-hidden="true"></span>"Smoothed"</li>
                    <li><span class="swatch validation" aria-hidden="true"></span>"Validation"</li>
                </ul>
            </div>
            <div class="chart-body" class:away=table>
                <Canvas rows axis log_scale summary/>
            </div>
            <Show when=move || table.get()>
                <ChartTable rows=picked/>
            </Show>
            <figcaption>{summary}</figcaption>
            <div class="chart-tools">
                <div class="segments" role="radiogroup" aria-label="Horizontal axis">{AXES.map(axis_choice).collect_view()}</div>
                <label class="check">
                    <input type="checkbox" prop:checked=log_scale on:change=move |event| log_scale.set(event_target_checked(&event))/>
                    "Log scale"
                </label>
                <label class="check smoothing">
                    "Smoothing"
                    <input type="range" min="0" max="0.99" step="0.01" prop:value=move || smoothing.get().to_string()
                        on:input=move |event| smoothing.set(event_target_value(&event).parse().unwrap_or(SMOOTHING))/>
                </label>
                <label class="check">
                    <input type="checkbox" prop:checked=table on:change=move |event| table.set(event_target_checked(&event))/>
                    "Table"
                </label>
            </div>
        </figure>
    }
}

#[component]
fn Canvas(
    rows: Memo<Vec<Row>>,
    axis: RwSignal<Axis>,
    log_scale: RwSignal<bool>,
    summary: Memo<String>,
) -> impl IntoView {
    let host = NodeRef::<leptos::html::Div>::new();
    let chart = StoredValue::new_local(None::<LossChart>);
    Effect::new(move || {
        let Some(host) = host.get() else { return };
        if chart.with_value(Option::is_none) {
            chart.set_value(Some(LossChart::new(&host)));
        }
        let axis = axis.get();
        let name = match axis {
            Axis::Step => "step",
            Axis::Tokens => "tokens",
            Axis::Time => "time",
        };
        let columns = rows.with(|rows| columns(&thin_out(rows, POINTS), axis));
        let log = log_scale.get();
        chart.with_value(|chart| {
            if let Some(chart) = chart {
                chart.draw(name, log, &columns);
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
    view! { <div class="plot" role="img" aria-label=move || format!("Loss curve. {}", summary.get()) node_ref=host></div> }
}

/// x, loss, smoothed loss, validation loss; what is not there is NaN.
fn columns(rows: &[Row], axis: Axis) -> [Float64Array; 4] {
    let column = |value: &dyn Fn(&Row) -> f64| {
        let values: Vec<f64> = rows.iter().map(value).collect();
        Float64Array::from(values.as_slice())
    };
    [
        column(&|row| row.x(axis)),
        column(&|row| row.loss),
        column(&|row| row.smoothed),
        column(&|row| row.validation),
    ]
}
