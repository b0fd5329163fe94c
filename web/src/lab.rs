//! What the user wants: an experiment run, its runs paused and stopped. The client does it; what it reports becomes
//! signals in `changes`.

use crate::changes::Unseen;
use crate::data::DataState;
use crate::experiment::{ExperimentForm, StrategyForm};
use crate::kinds::ENDPOINT;
use crate::platform;
use crate::runs::Phase;
use crate::store::Store;
use lab_client::{Client, Experiment, Options, StrategyRun};
use lab_orchestrator::scheduler::{Key, Offer};
use lab_protocol::{GenerateRequest, LabError, Secret};
use leptos::prelude::*;
use std::collections::BTreeSet;
use std::time::Duration;

/// The page's controller, with all its state. Copy: everything in it lives as long as the page.
#[derive(Clone, Copy)]
pub struct Lab {
    pub store: Store,
    pub form: ExperimentForm,
    pub data: DataState,
    client: StoredValue<Client, LocalStorage>,
    pub(crate) inner: StoredValue<Inner, LocalStorage>,
}

/// What no view reads.
#[derive(Default)]
pub(crate) struct Inner {
    /// Names the experiment as it was opened, in what is kept.
    pub experiment: String,
    pub samples: usize,
    /// Questions to models that are done, so that each has an id of its own.
    pub questions: usize,
    /// What has come since it was last shown.
    pub unseen: Unseen,
}

/// The controller, for any component.
pub fn use_lab() -> Lab {
    expect_context::<Lab>()
}

impl Lab {
    pub fn new() -> Self {
        let form = ExperimentForm::new();
        let modules = platform::modules();
        form.outside.set(!modules.is_empty());
        let client = Client::new(Options {
            worker: "worker/worker.js".to_owned(),
            modules,
        });
        let lab = Self {
            store: Store::new(),
            form,
            data: DataState::new(form),
            client: StoredValue::new_local(client.clone()),
            inner: StoredValue::new_local(Inner::default()),
        };
        client.on_change(move |change| lab.changed(change));
        lab
    }

    /// Runs experiments in workers.
    pub fn client(&self) -> Client {
        self.client.get_value()
    }

    /// Runs what is not done yet; when everything is, all of it again.
    pub fn run(&self) {
        let outdated = untrack(|| self.outdated());
        let all = outdated.is_empty();
        self.run_these(|key| all || outdated.contains(&key));
    }

    /// Runs this strategy again, and what starts from it.
    pub fn run_from(&self, key: Key) {
        let wanted: BTreeSet<Key> = untrack(|| self.rerun(key));
        self.run_these(|key| wanted.contains(&key));
    }

    fn run_these(&self, wanted: impl Fn(Key) -> bool) {
        let store = self.store;
        if store.phase.get_untracked().is_active() {
            return;
        }
        store.problem.set(None);
        store.notice.set(None);
        let experiment = untrack(|| self.form.build(store.backend.get_untracked()));
        let ready = experiment.and_then(|experiment| {
            let order = experiment.order()?;
            Ok((experiment, order, self.data.ready()?))
        });
        let (config, order, text) = match ready {
            Ok(ready) => ready,
            Err(error) => return self.refuse(error),
        };
        let forms = self.form.strategies.get_untracked();
        let forms = order.into_iter().filter_map(|index| forms.get(index));
        let forms = forms.filter(|form| form.kind.runs && wanted(form.key));
        let strategies = forms.map(|form| {
            form.run.clear();
            StrategyRun {
                key: form.key,
                name: form.name.get_untracked(),
                base: form.from.get_untracked(),
                endpoint_key: self.endpoint_key(form),
            }
        });
        let strategies = strategies.collect();
        store.chosen.set(None);
        store.current.set(None);
        let experiment = Experiment {
            config,
            text,
            strategies,
        };
        // In a task of its own: the page has enough to do with folding its cards.
        let lab = *self;
        set_timeout(move || lab.client().run(experiment), Duration::ZERO);
    }

    /// The typed key of the endpoint, where the strategy asks one.
    fn endpoint_key(&self, form: &StrategyForm) -> Option<Secret> {
        let asks = form.value_at(ENDPOINT)?.get_untracked() == "true";
        let key = self.store.endpoint_key.get_untracked();
        let key = key.trim();
        (asks && !key.is_empty()).then(|| Secret(key.to_owned()))
    }

    /// Shows an error of the input and moves to the field that it names.
    pub fn refuse(&self, error: LabError) {
        let field = error.field.clone();
        self.store.fail_with(error);
        if let Some(field) = field {
            // Only when the form has been drawn again: while a run is active its fields take no focus.
            set_timeout(move || platform::focus(&field_id(&field)), Duration::ZERO);
        }
    }

    /// Takes up an offer that an error came with.
    pub fn accept(&self, offer: Offer) {
        self.store.problem.set(None);
        self.client().accept(offer);
    }

    /// Lets go of what was run: the form holds another experiment now.
    pub fn forget(&self) {
        let store = self.store;
        store.current.set(None);
        store.chosen.set(None);
        store.topic.set(None);
        store.notice.set(None);
        self.stop_asking();
        store.asked_all.set(None);
        store.vote.set(None);
        self.client().forget();
        self.inner
            .update_value(|inner| inner.experiment = platform::new_id());
    }

    /// Pauses the runs under way, or resumes them.
    pub fn pause_or_resume(&self) {
        match self.store.phase.get_untracked() {
            Phase::Running => self.client().pause(),
            Phase::Paused => self.client().resume(),
            _ => {}
        }
    }

    /// One step of what is paused.
    pub fn step(&self) {
        if self.store.phase.get_untracked() == Phase::Paused {
            self.client().step();
        }
    }

    /// Ends the runs under way, and lets those that wait go.
    pub fn stop(&self) {
        self.client().stop();
    }

    /// Asks the model of the run that is looked at to continue `request.prompt`.
    pub fn write(&self, request: GenerateRequest) {
        let Some(form) = untrack(|| self.shown()).filter(|form| form.run.writes()) else {
            return;
        };
        self.store.answer.set(None);
        self.store
            .asked
            .set(Some((form.key, request.prompt.clone())));
        self.client().generate(form.key, request);
    }

    /// The strategy that the user looks at: the chosen one, or the one that is being run, or the first.
    pub fn shown(&self) -> Option<StrategyForm> {
        let chosen = self.store.chosen.get().or(self.store.current.get());
        self.form.strategies.with(|strategies| {
            let found = strategies.iter().find(|form| Some(form.key) == chosen);
            found.or(strategies.first()).cloned()
        })
    }

    /// Whether a strategy has a model that others can start from and that can be asked.
    pub fn has_model(&self, form: &StrategyForm) -> bool {
        form.run.phase.get() == Phase::Finished && !self.client().files(form.key).is_empty()
    }
}

/// The id of the element at which a field of the experiment is edited.
pub fn field_id(path: &str) -> String {
    let plain: String = path
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' {
                c
            } else {
                '-'
            }
        })
        .collect();
    format!("field-{plain}")
}
