//! The recipes of the form: of each strategy, and the results that do not match their recipe any more.

use crate::experiment::StrategyForm;
use crate::lab::Lab;
use crate::runs::Phase;
use lab_client::Files;
use lab_orchestrator::plan::{self, Candidate, Outdated, Recipe};
use lab_orchestrator::scheduler::Key;
use leptos::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

impl Lab {
    /// The inputs that decide the outcome of a strategy's run, from the form; every field is read reactively.
    pub fn recipe(&self, form: &StrategyForm) -> Recipe {
        let base = form.from.get().and_then(|key| self.form.strategy(key));
        let base = base.map(|base| {
            base.run.revision.track();
            let run = base.run.run;
            let id = run.with(|run| run.as_ref().map(|run| run.id.clone()));
            // A model from outside has no run: its files tell it apart.
            id.unwrap_or_else(|| Files::fingerprint(&self.client().files(base.key)))
        });
        Recipe {
            data: self.form.data_value(),
            text: self.data.fingerprint.get().to_string(),
            seed: self.form.seed.get(),
            config: form.config(),
            base,
        }
    }

    /// The reason why a strategy's own result does not count; `None` if it does.
    fn outdated_by(&self, form: &StrategyForm) -> Option<Outdated> {
        if form.run.phase.get() != Phase::Finished {
            return Some(Outdated::NotRun);
        }
        let wanted = self.recipe(form);
        let run = form.run.run;
        run.with(|run| run.as_ref()?.recipe.outdated(&wanted))
    }

    /// The strategies that have no result that counts, and why.
    pub fn outdated(&self) -> BTreeMap<Key, Outdated> {
        plan::outdated(&self.candidates())
    }

    /// The strategies to run for a new result of this one.
    pub fn rerun(&self, key: Key) -> BTreeSet<Key> {
        plan::rerun(&self.candidates(), key)
    }

    fn candidates(&self) -> Vec<Candidate> {
        let forms = self.form.strategies.get().into_iter();
        forms
            .filter(|form| form.kind.runs)
            .map(|form| Candidate {
                key: form.key,
                base: form.from.get(),
                outdated: self.outdated_by(&form),
            })
            .collect()
    }
}
