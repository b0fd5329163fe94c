//! The whole page, top to bottom.

use crate::ask_panel::AskSection;
use crate::changes;
use crate::collect_panel::CollectSection;
use crate::compare::CompareSection;
use crate::device::DeviceControls;
use crate::errors::ErrorPanel;
use crate::field::FormError;
use crate::history_panel::HistorySection;
use crate::host_page::HostPage;
use crate::lab::Lab;
use crate::live::LiveSection;
use crate::pipeline::Pipeline;
use crate::platform;
use crate::result_panel::ResultPanel;
use crate::run_bar::RunBar;
use crate::share::{follow_address, open_address};
use crate::shortcuts::{self, ShortcutHelp};
use crate::theme::{ThemeButton, theme};
use lab_protocol::{BackendChoice, DataSource};
use leptos::prelude::*;
use leptos::task::spawn_local;

#[component]
pub fn App() -> impl IntoView {
    let lab = Lab::new();
    provide_context(lab);
    provide_context(FormError(Memo::new(move |_| {
        lab.form.build(lab.store.backend.get()).err()
    })));
    let theme = theme();
    let host = HostPage::new(lab, theme);
    changes::listen(lab, move |change| host.hear_change(change));
    shortcuts::listen(lab);
    warn_before_leaving(lab);
    fetch_named_text(lab);
    follow_address(lab);
    spawn_local(open(lab, host));

    view! {
        <a class="skip" href="#run">"Skip to Run"</a>
        <header class="top">
            <div class="brand">
                <Logo/>
                <div>
                    <h1>"LLM Labs"</h1>
                    <p>"Train a language model in this tab. Nothing is uploaded."</p>
                </div>
            </div>
            <div class="top-tools">
                <DeviceControls/>
                <ThemeButton theme/>
            </div>
        </header>
        <main>
            <RunBar/>
            <ErrorPanel/>
            <Pipeline/>
            <ResultPanel/>
            <CompareSection/>
            <AskSection/>
            <CollectSection/>
            <LiveSection/>
            <HistorySection/>
        </main>
        <footer>
            <p>
                "Everything is computed on this device. The page's own security policy lets it connect to nothing but the server it came from."
            </p>
            <ShortcutHelp/>
        </footer>
    }
}

#[component]
fn Logo() -> impl IntoView {
    view! {
        <svg class="logo" viewBox="0 0 32 32" width="36" height="36" aria-hidden="true">
            <rect width="32" height="32" rx="8"></rect>
            <path d="M6 8c3 0 4 14 9 15s7-1 11-1" fill="none" stroke-width="2.5" stroke-linecap="round"></path>
            <circle cx="26" cy="22" r="2.2"></circle>
        </svg>
    }
}

/// Brings the page into its first state: the worker starts while the experiment is loaded.
async fn open(lab: Lab, host: HostPage) {
    lab.client().use_backend(BackendChoice::Auto);
    let shared = open_address(lab).await;
    host.open(shared).await;
    if let Err(error) = lab.data.fetch_list().await {
        lab.store.fail_with(error);
    }
}

/// Fetches the built-in text that the form names.
fn fetch_named_text(lab: Lab) {
    Effect::new(move || {
        let name = lab.form.built_in.get();
        let listed = lab.data.built_in.with(|texts| !texts.is_empty());
        if listed && lab.form.source.get() == DataSource::BuiltIn {
            spawn_local(async move { lab.data.fetch_text(name).await });
        }
    });
}

/// A run is lost when the page is left, so the browser asks first. A framed page does not: it is not what is left.
fn warn_before_leaving(lab: Lab) {
    if platform::is_framed() {
        return;
    }
    let handle = window_event_listener(leptos::ev::beforeunload, move |event| {
        if lab.store.phase.get_untracked().is_active() {
            event.prevent_default();
        }
    });
    on_cleanup(move || handle.remove());
}
