//! Light, dark, or as the system has it.

use crate::platform;
use leptos::prelude::*;
use serde::Deserialize;

/// Also read by `start.js`, which sets the theme before the first paint.
const KEY: &str = "llm-labs-theme";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Theme {
    System,
    Light,
    Dark,
}

impl Theme {
    fn name(self) -> &'static str {
        match self {
            Theme::System => "system",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }

    fn next(self) -> Self {
        match self {
            Theme::System => Theme::Light,
            Theme::Light => Theme::Dark,
            Theme::Dark => Theme::System,
        }
    }
}

/// The page's theme: at first the one that `start.js` has set. A change shows at once.
pub fn theme() -> RwSignal<Theme> {
    let root = document().document_element();
    let first = root
        .as_ref()
        .and_then(|root| root.get_attribute("data-theme"));
    let theme = RwSignal::new(match first.as_deref() {
        Some("light") => Theme::Light,
        Some("dark") => Theme::Dark,
        _ => Theme::System,
    });
    Effect::new(move || {
        if let Some(root) = document().document_element() {
            // `set_attribute` fails only for invalid attribute names.
            let _ = root.set_attribute("data-theme", theme.get().name());
        }
    });
    theme
}

/// Goes through the themes.
#[component]
pub fn ThemeButton(theme: RwSignal<Theme>) -> impl IntoView {
    let change = move |_| {
        let next = theme.get_untracked().next();
        theme.set(next);
        platform::remember(KEY, next.name());
    };
    view! {
        <button class="icon-button" type="button" on:click=change
            aria-label=move || format!("Colours: {}. Change", theme.get().name())
            title=move || format!("Colours: {}", theme.get().name())>
            <svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round">
                {move || match theme.get() {
                    Theme::System => view! {
                        <g><circle cx="12" cy="12" r="8"></circle><path d="M12 4a8 8 0 0 1 0 16z" fill="currentColor"></path></g>
                    }.into_any(),
                    Theme::Light => view! {
                        <g><circle cx="12" cy="12" r="4"></circle><path d="M12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6L19 19M5 19l1.4-1.4M17.6 6.4L19 5"></path></g>
                    }.into_any(),
                    Theme::Dark => view! {
                        <g><path d="M20 14.5A8 8 0 1 1 9.5 4a6.5 6.5 0 0 0 10.5 10.5z"></path></g>
                    }.into_any(),
                }}
            </svg>
        </button>
    }
}
