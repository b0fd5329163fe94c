//! Collecting preferences: a model gives two answers, and the user's pick is kept in the settings of every strategy
//! that learns from pairs.

use crate::ask::with_model;
use crate::experiment::StrategyForm;
use crate::kinds::PREFERENCES;
use crate::lab::Lab;
use crate::questions::{Vote, VoteState};
use lab_client::Attachments;
use lab_protocol::{Command, LabError, Place, PreferenceExample};
use leptos::prelude::*;

/// Strategies that learn from collected pairs, with the field that keeps them.
pub(crate) fn learners(lab: Lab) -> Vec<(StrategyForm, RwSignal<String>)> {
    let forms = lab.form.strategies.get().into_iter();
    forms
        .filter_map(|form| {
            let keeps = |(place, _): &(&Place, _)| place.path == PREFERENCES && form.counts(place);
            let (_, field) = form.fields().find(keeps)?;
            Some((form, field))
        })
        .collect()
}

/// Strategies with a model that can be asked for two answers.
pub(crate) fn speakers(lab: Lab) -> Vec<StrategyForm> {
    let mut forms = with_model(lab);
    forms.retain(|form| form.kind.id != "rag");
    forms
}

impl Lab {
    /// Asks the model of the strategy `key` for two answers to a prompt.
    pub(crate) fn ask_vote(&self, key: usize, prompt: String) {
        let Some((run, base)) = self.made(key) else {
            return;
        };
        let seed = self.next_question();
        let id = format!("vote-{seed}");
        self.store.vote.set(Some(Vote {
            id: id.clone(),
            key,
            prompt: prompt.clone(),
            state: VoteState::Waiting,
        }));
        let command = Command::Vote {
            run: id,
            experiment: run.experiment,
            strategy: run.strategy,
            base: Vec::new(),
            prompt,
            seed: seed as u64,
        };
        let attachments = Attachments {
            base,
            checkpoint: None,
        };
        self.client().send(&command, &attachments);
    }

    /// Whether the worker was asked for two answers under this id.
    pub(crate) fn is_vote(&self, id: &str) -> bool {
        let vote = self.store.vote;
        vote.with_untracked(|now| now.as_ref().is_some_and(|now| now.id == id))
    }

    pub(crate) fn answers_came(&self, came: Result<(String, [String; 2]), LabError>) {
        self.store.vote.update(|now| {
            if let Some(now) = now {
                now.state = match came {
                    Ok((prompt, answers)) => VoteState::There { prompt, answers },
                    Err(error) => VoteState::Failed(error),
                };
            }
        });
    }

    /// Waits for no answers any more.
    pub(crate) fn end_vote(&self) {
        self.store.vote.update(|now| {
            if now
                .as_ref()
                .is_some_and(|now| now.state == VoteState::Waiting)
            {
                *now = None;
            }
        });
    }

    /// Keeps the pair that is shown, with the answer at this index as the better one; keeps nothing for `None`. Then
    /// draws two more answers.
    pub(crate) fn pick(&self, better: Option<usize>) {
        let Some(now) = self.store.vote.get_untracked() else {
            return;
        };
        let VoteState::There { prompt, answers } = now.state else {
            return;
        };
        if let Some(better) = better {
            let [first, second] = answers;
            let (chosen, rejected) = if better == 0 {
                (first, second)
            } else {
                (second, first)
            };
            let pair = PreferenceExample {
                prompt,
                chosen,
                rejected,
                margin: None,
            };
            if let Ok(line) = serde_json::to_string(&pair) {
                for (_, field) in untrack(|| learners(*self)) {
                    field.update(|rows| {
                        if !rows.is_empty() && !rows.ends_with('\n') {
                            rows.push('\n');
                        }
                        rows.push_str(&line);
                    });
                }
            }
        }
        if self.store.phase.get_untracked().is_active() {
            self.store.vote.set(None);
        } else {
            self.ask_vote(now.key, now.prompt);
        }
    }
}
