//! The strategies that must be run, with the reasons.

use crate::scheduler::Key;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Everything that decides the outcome of a run. Two runs of the same recipe are the same run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// The experiment's `data`.
    pub data: Value,
    /// Tells texts apart.
    pub text: String,
    pub seed: String,
    /// The strategy's configuration.
    pub config: Value,
    /// The run that it starts from, or an id of a base model's files.
    pub base: Option<String>,
}

/// Why a strategy has no result that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outdated {
    /// It has no finished run.
    NotRun,
    Data,
    Seed,
    Settings,
    /// The strategy that it starts from was run again, or has to be.
    Base,
}

impl Recipe {
    /// The reason why a run of this recipe is not one of `wanted`; `None` if they are the same.
    pub fn outdated(&self, wanted: &Self) -> Option<Outdated> {
        if self.data != wanted.data || self.text != wanted.text {
            Some(Outdated::Data)
        } else if self.seed != wanted.seed {
            Some(Outdated::Seed)
        } else if self.config != wanted.config {
            Some(Outdated::Settings)
        } else {
            (self.base != wanted.base).then_some(Outdated::Base)
        }
    }
}

/// A strategy, and why its own result does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub key: Key,
    pub base: Option<Key>,
    pub outdated: Option<Outdated>,
}

/// The strategies that have no result that counts: their own is outdated, or that of one they start from.
pub fn outdated(strategies: &[Candidate]) -> BTreeMap<Key, Outdated> {
    let own = |one: &Candidate| Some((one.key, one.outdated?));
    let mut found: BTreeMap<Key, Outdated> = strategies.iter().filter_map(own).collect();
    loop {
        let starts_from = |one: &&Candidate| {
            let base = one.base.is_some_and(|base| found.contains_key(&base));
            base && !found.contains_key(&one.key)
        };
        let more: Vec<Key> = strategies
            .iter()
            .filter(starts_from)
            .map(|one| one.key)
            .collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more.into_iter().map(|key| (key, Outdated::Base)));
    }
}

/// The strategies to run for a new result of the strategy `key`: itself, all that start from it, and the outdated
/// strategies that it starts from.
pub fn rerun(strategies: &[Candidate], key: Key) -> BTreeSet<Key> {
    let changed = strategies.iter().map(|one| Candidate {
        outdated: (one.key == key).then_some(Outdated::NotRun),
        ..*one
    });
    let mut wanted: BTreeSet<Key> = outdated(&changed.collect::<Vec<_>>()).into_keys().collect();
    let outdated = outdated(strategies);
    let base_of = |key| {
        let found = strategies.iter().find(|one| one.key == key);
        found.and_then(|one| one.base)
    };
    let mut base = base_of(key);
    while let Some(before) = base.filter(|base| outdated.contains_key(base)) {
        if !wanted.insert(before) {
            break;
        }
        base = base_of(before);
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// 1 and 2 start from 0, 3 from 2; 4 starts from nothing.
    fn graph(outdated: &[(Key, Outdated)]) -> Vec<Candidate> {
        let bases = [None, Some(0), Some(0), Some(2), None];
        let candidate = |(key, base)| Candidate {
            key,
            base,
            outdated: outdated.iter().find(|one| one.0 == key).map(|one| one.1),
        };
        bases.into_iter().enumerate().map(candidate).collect()
    }

    #[test]
    fn what_starts_from_something_outdated_is_outdated() {
        assert!(outdated(&graph(&[])).is_empty());
        let found = outdated(&graph(&[(2, Outdated::Settings)]));
        assert_eq!(found, [(2, Outdated::Settings), (3, Outdated::Base)].into());
        let found = outdated(&graph(&[(0, Outdated::Seed), (3, Outdated::NotRun)]));
        let base = Outdated::Base;
        let expected = [
            (0, Outdated::Seed),
            (1, base),
            (2, base),
            (3, Outdated::NotRun),
        ];
        assert_eq!(found, expected.into());
    }

    #[test]
    fn a_strategy_is_run_again_with_what_starts_from_it_and_what_it_lacks() {
        assert_eq!(rerun(&graph(&[]), 2), [2, 3].into());
        assert_eq!(rerun(&graph(&[(0, Outdated::NotRun)]), 3), [0, 2, 3].into());
        assert_eq!(
            rerun(&graph(&[(4, Outdated::NotRun)]), 0),
            [0, 1, 2, 3].into()
        );
        // A circle ends.
        let circle = [(0, 1), (1, 0)].map(|(key, base)| Candidate {
            key,
            base: Some(base),
            outdated: Some(Outdated::NotRun),
        });
        assert_eq!(rerun(&circle, 0), [0, 1].into());
    }

    #[test]
    fn a_recipe_says_what_has_changed() {
        let recipe = Recipe {
            data: json!({"source": "village"}),
            text: "1".into(),
            seed: "7".into(),
            config: json!({"steps": 3}),
            base: Some("run-1".into()),
        };
        assert_eq!(recipe.outdated(&recipe), None);
        let mut other = recipe.clone();
        other.base = Some("run-2".into());
        assert_eq!(recipe.outdated(&other), Some(Outdated::Base));
        other.config = json!({"steps": 4});
        assert_eq!(recipe.outdated(&other), Some(Outdated::Settings));
        other.seed = "8".into();
        assert_eq!(recipe.outdated(&other), Some(Outdated::Seed));
        other.text = "2".into();
        assert_eq!(recipe.outdated(&other), Some(Outdated::Data));
        let text = serde_json::to_string(&recipe).unwrap();
        assert_eq!(lab_protocol::from_json::<Recipe>(&text).unwrap(), recipe);
    }
}
