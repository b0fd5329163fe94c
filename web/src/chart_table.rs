//! The chart as a table.

use crate::curves::Part;
use crate::format::{count, duration, metric};
use crate::run_log::{Row, pick};
use leptos::prelude::*;

/// Rows that are shown.
const ROWS: usize = 40;

/// A row of the table, with its strategy if there are several.
#[derive(Clone, PartialEq)]
pub struct TableRow {
    strategy: Option<String>,
    row: Row,
}

/// About [`ROWS`] rows, latest first, strategy by strategy.
pub fn table_rows(parts: &[Part]) -> Vec<TableRow> {
    let each = ROWS / parts.len().max(1);
    let several = parts.len() > 1;
    let rows_of = |part: &Part| {
        let strategy = several.then(|| part.name.clone());
        let rows = pick(&part.rows, each).into_iter().rev();
        rows.map(|row| TableRow {
            strategy: strategy.clone(),
            row,
        })
        .collect::<Vec<_>>()
    };
    parts.iter().flat_map(rows_of).collect()
}

#[component]
pub fn ChartTable(
    #[prop(into)] title: Signal<String>,
    #[prop(into)] rows: Signal<Vec<TableRow>>,
) -> impl IntoView {
    let number = |value: f64| {
        if value.is_finite() {
            metric(value)
        } else {
            String::new()
        }
    };
    let several =
        Memo::new(move |_| rows.with(|rows| rows.iter().any(|row| row.strategy.is_some())));
    let caption = move || format!("{} by step, at most {ROWS} rows", title.get());
    view! {
        <div class="table-place" tabindex="0" role="region" aria-label=move || format!("{} by step", title.get())>
            <table>
                <caption>{caption}</caption>
                <thead>
                    <tr>
                        <Show when=move || several.get()><th scope="col">"Strategy"</th></Show>
                        <th scope="col">"Step"</th>
                        <th scope="col">"Tokens"</th>
                        <th scope="col">"Time"</th>
                        <th scope="col">"Value"</th>
                        <th scope="col">"Smoothed"</th>
                        <th scope="col">"Validation"</th>
                    </tr>
                </thead>
                <tbody>
                    {move || rows.get().into_iter().map(|TableRow { strategy, row }| view! {
                        <tr>
                            {strategy.map(|strategy| view! { <td>{strategy}</td> })}
                            <th scope="row">{count(row.step)}</th>
                            <td>{count(row.tokens as usize)}</td>
                            <td>{duration(row.seconds)}</td>
                            <td>{number(row.value)}</td>
                            <td>{number(row.smoothed)}</td>
                            <td>{number(row.validation)}</td>
                        </tr>
                    }).collect_view()}
                </tbody>
            </table>
        </div>
    }
}
