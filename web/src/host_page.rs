//! The page around this one, if this one is framed: it sets the experiment, commands runs and hears of them.

use crate::embed::{
    self, Address, Command, Settings, event, hidden_parts, is_allowed, is_example_name,
};
use crate::lab::Lab;
use crate::opening::{load_bytes, load_example};
use crate::platform;
use crate::runs::Phase;
use crate::theme::Theme;
use lab_client::Change;
use lab_protocol::{DataSource, Event, LabError, text, text_from_bytes};
use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use wasm_bindgen::JsValue;
use web_sys::{MessageEvent, Window};

/// The site's list of allowed origins.
const SITE: &str = "embed.json";
const EXAMPLE: &str = "quickstart";

/// The embedding of this page, framed or not. Copy: everything in it lives as long as the page.
#[derive(Clone, Copy)]
pub struct HostPage {
    lab: Lab,
    theme: RwSignal<Theme>,
    /// The origin that is allowed to send commands, and gets events.
    origin: StoredValue<Option<String>>,
    /// Settings that are still to be applied, in order.
    waiting: StoredValue<VecDeque<Settings>>,
    /// Whether settings are being applied.
    busy: RwSignal<bool>,
    /// Whether a run starts as soon as it can.
    wants_run: RwSignal<bool>,
    /// The lists of parts to show and to hide.
    view: RwSignal<String>,
    hide: RwSignal<String>,
}

impl HostPage {
    /// Watches the lab for the page's life. Nothing happens before [`HostPage::open`].
    pub fn new(lab: Lab, theme: RwSignal<Theme>) -> Self {
        let page = Self {
            lab,
            theme,
            origin: StoredValue::new(None),
            waiting: StoredValue::new(VecDeque::new()),
            busy: RwSignal::new(true),
            wants_run: RwSignal::new(false),
            view: RwSignal::new(String::new()),
            hide: RwSignal::new(String::new()),
        };
        page.run_when_ready();
        page.tell_the_end();
        page.tell_problems();
        page.hide_parts();
        let handle = window_event_listener(leptos::ev::message, move |message| page.hear(&message));
        on_cleanup(move || handle.remove());
        page
    }

    /// Applies the settings of the page's address. `shared` says that the address carries the experiment itself.
    pub async fn open(&self, shared: bool) {
        let address = Address::read(&platform::parameters());
        let wrong = address.as_ref().err().cloned();
        let Address {
            mut settings,
            autoplay,
            host,
        } = address.unwrap_or_default();
        if !shared {
            settings.experiment.get_or_insert_with(|| json!(EXAMPLE));
        }
        self.wants_run.set(autoplay);
        self.waiting
            .update_value(|waiting| waiting.push_front(settings));
        if let Some(host) = host.filter(|_| frame().is_some()) {
            self.allow(host).await;
        }
        self.apply_waiting().await;
        if let Some(error) = wrong {
            self.fail_with(error);
        }
    }

    /// Tells the page around this one the metrics among the changes.
    pub fn hear_change(&self, change: &Change) {
        if let Change::Run {
            event: Event::Metrics { records, .. },
            ..
        } = change
        {
            for record in records {
                self.tell("metric", json!(record));
            }
        }
    }

    /// Notes the origin of the page around this one, if it is allowed.
    async fn allow(&self, host: String) {
        let own = window().location().origin().unwrap_or_default();
        let site = platform::fetch(SITE).await.and_then(text_from_bytes);
        match site.and_then(|site| is_allowed(&host, &own, &site)) {
            Ok(true) => self.origin.set_value(Some(host)),
            Ok(false) => {
                leptos::logging::log!("{SITE} does not list {host}: its messages do nothing.")
            }
            Err(error) => self.lab.store.fail_with(error),
        }
    }

    /// Sends an event to the page around this one, if it is allowed to have it.
    fn tell(&self, name: &str, detail: Value) {
        let (Some(frame), Some(origin)) = (frame(), self.origin.get_value()) else {
            return;
        };
        if let Ok(message) = js_sys::JSON::parse(&event(name, detail).to_string()) {
            // It fails only for an origin that is not an address, and such a page has no message to get.
            let _ = frame.post_message(&message, &origin);
        }
    }

    /// Obeys a message, if the page around this one is allowed to send it.
    fn hear(&self, message: &MessageEvent) {
        let from_frame = frame().is_some_and(|frame| {
            message
                .source()
                .is_some_and(|source| JsValue::from(source) == JsValue::from(frame))
        });
        if !from_frame || self.origin.get_value() != Some(message.origin()) {
            return;
        }
        let json = js_sys::JSON::stringify(&message.data()).ok();
        let json = json.and_then(|json| JsValue::from(json).as_string());
        match json.and_then(|json| embed::command(&json)) {
            Some(command) => self.obey(command),
            None => leptos::logging::log!("A message of {} is not a command.", message.origin()),
        }
    }

    fn obey(&self, command: Command) {
        let lab = self.lab;
        match (command, lab.store.phase.get_untracked()) {
            (Command::Run, Phase::Paused) | (Command::Pause, Phase::Running) => {
                lab.pause_or_resume()
            }
            (Command::Run, _) => self.wants_run.set(true),
            (Command::Pause, _) => {}
            (Command::Step, _) => lab.step(),
            (Command::Stop, _) => {
                self.wants_run.set(false);
                lab.stop();
            }
            (Command::Set { settings }, _) => {
                self.waiting
                    .update_value(|waiting| waiting.push_back(settings));
                if !self.busy.get_untracked() {
                    self.busy.set(true);
                    let page = *self;
                    spawn_local(async move { page.apply_waiting().await });
                }
            }
            (Command::Results { id }, _) => {
                self.tell(
                    "results",
                    json!({ "id": id, "results": untrack(|| lab.form.results()) }),
                );
            }
        }
    }

    async fn apply_waiting(&self) {
        while let Some(settings) = self.waiting.try_update_value(VecDeque::pop_front).flatten() {
            if let Err(error) = self.apply(settings).await {
                self.fail_with(error);
            }
        }
        self.busy.set(false);
    }

    /// Shows an error after the form has been checked: a form that has become valid takes errors away.
    fn fail_with(&self, error: LabError) {
        let store = self.lab.store;
        set_timeout(move || store.fail_with(error), Duration::ZERO);
    }

    async fn apply(&self, settings: Settings) -> Result<(), LabError> {
        let Settings {
            experiment,
            data,
            seed,
            theme,
            view,
            hide,
        } = settings;
        let form = self.lab.form;
        if let Some(theme) = theme {
            self.theme.set(theme);
        }
        let parts = self.show_parts(view, hide);
        let changes = experiment.is_some() || data.is_some() || seed.is_some();
        if changes && self.lab.store.phase.get_untracked().is_active() {
            return Err(LabError::config(
                "experiment",
                "the experiment cannot change while it runs",
                "Stop the run first.",
            ));
        }
        match experiment {
            Some(Value::String(name)) if is_example_name(&name) => {
                load_example(self.lab, &name).await
            }
            Some(Value::String(name)) => {
                return Err(LabError::config(
                    "experiment",
                    text!("no example is called \"{name}\"", name),
                    "Use the name of a file in the site's folder experiments, without its ending.",
                ));
            }
            Some(experiment) => {
                load_bytes(self.lab, experiment.to_string().into_bytes());
            }
            None => {}
        }
        if let Some(text) = data {
            self.lab.data.set_own(form, String::new(), Arc::from(text));
            form.source.set(DataSource::User);
        }
        if let Some(seed) = seed {
            let digits = seed.as_str().map(str::to_owned);
            form.seed.set(digits.unwrap_or_else(|| seed.to_string()));
        }
        parts
    }

    /// Sets the lists of parts. Nothing changes if one names an unknown part.
    fn show_parts(&self, view: Option<String>, hide: Option<String>) -> Result<(), LabError> {
        let view = view.unwrap_or_else(|| self.view.get_untracked());
        let hide = hide.unwrap_or_else(|| self.hide.get_untracked());
        hidden_parts(&view, &hide)?;
        self.view.set(view);
        self.hide.set(hide);
        Ok(())
    }

    /// Tells once that the page can run, and starts the run that is wanted.
    fn run_when_ready(self) {
        let lab = self.lab;
        let ready = Memo::new(move |_| {
            let has_text = lab.data.text.with(Option::is_some);
            !self.busy.get() && has_text && lab.store.device.with(Option::is_some)
        });
        Effect::new(move |told: Option<bool>| {
            let told = told.unwrap_or_default();
            if !ready.get() {
                return told;
            }
            if !told {
                self.tell(
                    "ready",
                    json!({ "device": lab.store.device.get_untracked() }),
                );
            }
            if self.wants_run.get() {
                self.wants_run.set(false);
                lab.run();
            }
            true
        });
    }

    /// Tells the end of each experiment, when all of its results are there.
    fn tell_the_end(self) {
        let lab = self.lab;
        Effect::new(move |was_active: Option<bool>| {
            let phase = lab.store.phase.get();
            let forms = lab.form.strategies.get();
            let whole = forms.iter().all(|form| {
                form.run.phase.get() != Phase::Finished || form.run.result.with(Option::is_some)
            });
            let was_active = was_active.unwrap_or_default();
            if was_active && !phase.is_active() && whole {
                let finished = phase == Phase::Finished;
                self.tell(
                    "done",
                    json!({ "finished": finished, "results": untrack(|| lab.form.results()) }),
                );
                return false;
            }
            was_active || phase.is_active()
        });
    }

    fn tell_problems(self) {
        let problem = self.lab.store.problem;
        Effect::new(move || {
            if let Some(problem) = problem.get() {
                self.tell("error", json!(problem.error));
            }
        });
    }

    /// Names the hidden parts at the root of the page, for the style sheet.
    fn hide_parts(self) {
        Effect::new(move || {
            let hidden = hidden_parts(&self.view.get(), &self.hide.get()).unwrap_or_default();
            if let Some(root) = document().document_element() {
                // `set_attribute` fails only for invalid attribute names.
                let _ = root.set_attribute("data-hide", &hidden.join(" "));
            }
        });
    }
}

/// The page around this one.
fn frame() -> Option<Window> {
    platform::is_framed()
        .then(|| window().parent().ok().flatten())
        .flatten()
}
