//! Asking all models of the experiment the same prompt, one after the other.

use crate::experiment::StrategyForm;
use crate::lab::Lab;
use crate::questions::{Asked, Reply};
use crate::runs::Run;
use lab_client::{Attachments, Files};
use lab_protocol::Command;
use leptos::prelude::*;

/// The strategies that have made a model, in the experiment's order.
pub(crate) fn with_model(lab: Lab) -> Vec<StrategyForm> {
    let mut forms = lab.form.strategies.get();
    forms.retain(|form| form.run.result.with(Option::is_some) && lab.has_model(form));
    forms
}

impl Lab {
    /// Asks every model of the experiment, one after the other.
    pub fn ask(&self, prompt: String) {
        let forms = untrack(|| with_model(*self)).into_iter();
        self.store.asked_all.set(Some(Asked {
            prompt,
            id: String::new(),
            replies: forms.map(|form| (form.key, Reply::Waiting)).collect(),
        }));
        self.ask_next();
    }

    fn ask_next(&self) {
        let asked = self.store.asked_all.get_untracked();
        let Some((prompt, key)) =
            asked.and_then(|asked| Some((asked.prompt.clone(), asked.next()?)))
        else {
            return;
        };
        let Some((run, base)) = self.made(key) else {
            return self.reply(Reply::Nothing);
        };
        let id = format!("ask-{}", self.next_question());
        self.store.asked_all.update(|asked| {
            if let Some(asked) = asked {
                asked.id.clone_from(&id);
            }
        });
        let command = Command::Ask {
            run: id,
            experiment: run.experiment,
            strategy: run.strategy,
            base: Vec::new(),
            prompt,
        };
        let attachments = Attachments {
            base,
            checkpoint: None,
        };
        self.client().send(&command, &attachments);
    }

    /// The run of a strategy, and the files that it has made.
    pub(crate) fn made(&self, key: usize) -> Option<(Run, Files)> {
        let run = self.form.strategy(key)?.run;
        Some((run.run.get_untracked()?, self.client().files(key)))
    }

    /// Counts the questions to finished models.
    pub(crate) fn next_question(&self) -> usize {
        let count = self.inner.try_update_value(|inner| {
            inner.questions += 1;
            inner.questions
        });
        count.unwrap_or_default()
    }

    /// Whether the worker is answering the question with this id.
    pub(crate) fn is_asked(&self, id: &str) -> bool {
        let asked = self.store.asked_all;
        asked.with_untracked(|asked| asked.as_ref().is_some_and(|asked| asked.id == id))
    }

    /// Takes the reply that is waited for, and asks the next model.
    pub(crate) fn reply(&self, reply: Reply) {
        self.store.asked_all.update(|asked| {
            if let Some(asked) = asked
                && let Some(key) = asked.next()
            {
                asked.id.clear();
                let mut replies = asked.replies.iter_mut();
                if let Some((_, place)) = replies.find(|(other, _)| *other == key) {
                    *place = reply;
                }
            }
        });
        self.ask_next();
    }

    /// Waits for no more answers; the received ones stay.
    pub(crate) fn stop_asking(&self) {
        let mut under_way = String::new();
        self.store.asked_all.update(|asked| {
            if let Some(asked) = asked {
                under_way = std::mem::take(&mut asked.id);
                for (_, reply) in &mut asked.replies {
                    if *reply == Reply::Waiting {
                        *reply = Reply::Nothing;
                    }
                }
            }
        });
        if !under_way.is_empty() {
            let stop = Command::Stop { run: under_way };
            self.client().send(&stop, &Attachments::default());
        }
    }
}
