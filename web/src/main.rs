//! The playground: a page on which a language model trains. All computing is done in workers, which `lab-client` runs.

mod app;
mod ask;
mod ask_panel;
mod base_card;
mod base_model;
mod changes;
mod chart;
mod chart_table;
mod collect;
mod collect_panel;
mod compare;
mod curves;
mod data;
mod data_panel;
mod device;
mod embed;
mod errors;
mod experiment;
mod experiment_panel;
mod export;
mod field;
mod format;
mod history;
mod history_panel;
mod host_page;
mod kinds;
mod lab;
mod live;
mod metrics;
mod opening;
mod outside;
mod pipeline;
mod platform;
mod questions;
mod recipe;
mod result_panel;
mod run_bar;
mod run_log;
mod runs;
mod samples;
mod share;
mod shortcuts;
mod start;
mod store;
mod strategy_card;
mod strategy_form;
mod theme;
mod vector_map;
mod write_box;

use leptos::prelude::*;

fn main() {
    console_error_panic_hook::set_once();
    if let Some(loading) = document().get_element_by_id("loading") {
        loading.remove();
    }
    mount_to_body(app::App);
}
