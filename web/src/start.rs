//! Starting runs: of strategies that are not done yet, or of one strategy again.

use crate::experiment::StrategyForm;
use crate::kinds::ENDPOINT;
use crate::lab::Lab;
use lab_client::{Experiment, StrategyRun};
use lab_orchestrator::scheduler::Key;
use lab_protocol::Secret;
use leptos::prelude::*;
use std::collections::BTreeSet;
use std::time::Duration;

impl Lab {
    /// Runs the strategies that are not done yet; if all are done, runs all of them again.
    pub fn run(&self) {
        let outdated = untrack(|| self.outdated());
        let all = outdated.is_empty();
        self.run_these(|key| all || outdated.contains_key(&key));
    }

    /// Runs this strategy again, and the strategies that start from it.
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
                checkpoint: None,
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
        // In a task of its own, because the page is busy folding its cards.
        let lab = *self;
        set_timeout(move || lab.client().run(experiment), Duration::ZERO);
    }

    /// The typed key of the endpoint, if the strategy uses one.
    fn endpoint_key(&self, form: &StrategyForm) -> Option<Secret> {
        let asks = form.value_at(ENDPOINT)?.get_untracked() == "true";
        let key = self.store.endpoint_key.get_untracked();
        let key = key.trim();
        (asks && !key.is_empty()).then(|| Secret(key.to_owned()))
    }
}
