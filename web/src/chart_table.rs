//! The loss curve as a table.

use crate::format::{count, duration, metric};
use crate::run_log::Row;
use leptos::prelude::*;

/// Rows that are shown.
pub const ROWS: usize = 40;

#[component]
pub fn ChartTable(#[prop(into)] rows: Signal<Vec<Row>>) -> impl IntoView {
    let number = |value: f64| {
        if value.is_finite() {
            metric(value)
        } else {
            String::new()
        }
    };
    view! {
        <div class="table-place" tabindex="0" role="region" aria-label="Loss by step">
            <table>
                <caption>"Loss by step, at most 40 rows"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Step"</th>
                        <th scope="col">"Tokens"</th>
                        <th scope="col">"Time"</th>
                        <th scope="col">"Loss"</th>
                        <th scope="col">"Smoothed"</th>
                        <th scope="col">"Validation"</th>
                    </tr>
                </thead>
                <tbody>
                    {move || rows.get().into_iter().rev().map(|row| view! {
                        <tr>
                            <th scope="row">{count(row.step)}</th>
                            <td>{count(row.tokens as usize)}</td>
                            <td>{duration(row.seconds)}</td>
                            <td>{number(row.loss)}</td>
                            <td>{number(row.smoothed)}</td>
                            <td>{number(row.validation)}</td>
                        </tr>
                    }).collect_view()}
                </tbody>
            </table>
        </div>
    }
}
