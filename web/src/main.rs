//! The playground: a page on which a language model trains. All computing is done in a worker, to which
//! the page talks through `lab-protocol` only.

mod app;
mod chart;
mod chart_table;
mod data;
mod data_panel;
mod device;
mod errors;
mod experiment;
mod experiment_panel;
mod field;
mod format;
mod lab;
mod live;
mod platform;
mod pretraining_settings;
mod reports;
mod result_panel;
mod run_bar;
mod run_log;
mod samples;
mod settings;
mod shortcuts;
mod store;
mod strategy_card;
mod theme;
mod worker;
mod write_box;

use leptos::prelude::*;

fn main() {
    console_error_panic_hook::set_once();
    if let Some(loading) = document().get_element_by_id("loading") {
        loading.remove();
    }
    mount_to_body(app::App);
}
