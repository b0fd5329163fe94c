//! Scores without any knowledge, and the best possible scores of each strategy.

use crate::tasks::question::{Question, QuestionKind};
use crate::tasks::reward::reward;
use crate::village::Village;
use crate::world::attribute::Attribute;
use serde::Serialize;
use std::collections::BTreeMap;

/// The score of answers without knowledge, for one kind of question about one attribute.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Baseline {
    pub kind: QuestionKind,
    pub attribute: Attribute,
    pub questions: usize,
    /// Different answers to choose from.
    pub values: usize,
    /// Expected share of right answers when one of them is taken at random.
    pub chance: f64,
    /// The answer that is most common among the residents.
    pub majority_answer: String,
    /// Share of right answers when that one is always given.
    pub majority: f64,
}

/// The best possible score of a strategy in one measure, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ceiling {
    pub strategy: &'static str,
    pub measure: &'static str,
    pub best: f64,
    pub why: &'static str,
}

impl Village {
    /// The scores of answers without knowledge, by kind of question and attribute.
    pub fn baselines(&self) -> Vec<Baseline> {
        baselines(self)
    }

    /// The best possible scores of each strategy.
    pub fn ceilings(&self) -> Vec<Ceiling> {
        ceilings(self)
    }
}

fn baselines(village: &Village) -> Vec<Baseline> {
    let mut asked: BTreeMap<(QuestionKind, Attribute), Vec<&Question>> = BTreeMap::new();
    for question in village
        .held_out_questions()
        .filter(|question| question.answer.is_some())
    {
        asked
            .entry((question.kind, question.attribute))
            .or_default()
            .push(question);
    }
    asked
        .into_iter()
        .map(|((kind, attribute), questions)| baseline(village, kind, attribute, &questions))
        .collect()
}

fn baseline(
    village: &Village,
    kind: QuestionKind,
    attribute: Attribute,
    questions: &[&Question],
) -> Baseline {
    let world = &village.world;
    let people = world.people.iter().map(|person| person.value(attribute));
    let shops = world.shops.iter().map(|shop| shop.value(attribute));
    let majority_answer = most_common(people.chain(shops).filter(|value| !value.is_empty())).0;
    let answers = || {
        questions
            .iter()
            .filter_map(|question| question.answer.as_deref())
    };
    let share = |count: usize| count as f64 / questions.len() as f64;
    let values = number_of_values(village, kind, attribute);
    Baseline {
        kind,
        attribute,
        questions: questions.len(),
        values,
        chance: 1.0 / values as f64,
        majority: share(
            answers()
                .filter(|answer| *answer == majority_answer)
                .count(),
        ),
        majority_answer: majority_answer.to_owned(),
    }
}

/// The value that occurs most often; of several, the first in alphabetical order.
fn most_common<'v>(values: impl Iterator<Item = &'v str>) -> (&'v str, usize) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    let first_best = |best: (&'v str, usize), (value, count): (&'v str, usize)| {
        if count > best.1 { (value, count) } else { best }
    };
    counts.into_iter().fold(("", 0), first_best)
}

fn ceilings(village: &Village) -> Vec<Ceiling> {
    let baselines = village.baselines();
    let guessed = |kinds: &[QuestionKind]| mean_chance(&baselines, kinds);
    let known = [QuestionKind::UnseenPerson, QuestionKind::UnseenQuestion];
    let floor = village.floor().nats_per_token();
    let imitated: f64 = village
        .instructions
        .iter()
        .map(|pair| reward(&pair.response).total)
        .sum::<f64>()
        / village.instructions.len().max(1) as f64;
    let known_guess = guessed(&known);
    let new_guess = guessed(&[QuestionKind::NewPerson]);
    let row = |strategy, measure, best, why| Ceiling {
        strategy,
        measure,
        best,
        why,
    };
    vec![
        row(
            "pretraining",
            "nats a token (word tokens)",
            floor,
            "the entropy of the language; nothing gets below it",
        ),
        row(
            "pretraining",
            "completions",
            1.0,
            "every fact stands in its text",
        ),
        row(
            "pretraining",
            "held-out questions",
            known_guess,
            "it has never seen a question; guessing brings so much",
        ),
        row(
            "pretraining",
            "new people",
            new_guess,
            "it has never heard of them; guessing brings so much",
        ),
        row(
            "fine_tuning",
            "held-out questions",
            1.0,
            "the facts are in the base model, training shows how they are asked",
        ),
        row(
            "fine_tuning",
            "reading",
            1.0,
            "the answer stands in the passages",
        ),
        row(
            "fine_tuning",
            "new people",
            new_guess,
            "it has never heard of them; guessing brings so much",
        ),
        row(
            "fine_tuning",
            "true reward",
            imitated,
            "it imitates its examples, manners included",
        ),
        row(
            "rlhf",
            "held-out questions",
            1.0,
            "the reward does not ask for the truth, but nothing makes it forget",
        ),
        row(
            "rlhf",
            "new people",
            new_guess,
            "it has never heard of them; guessing brings so much",
        ),
        row(
            "rlhf",
            "true reward",
            1.0,
            "a polite, cheerful, short sentence answers every question",
        ),
        row("rag", "new people", 1.0, "the documents hold every answer"),
        row(
            "rag",
            "recall@3",
            1.0,
            "each question has one document that answers it",
        ),
    ]
}

/// Number of possible answers; for a friend, everybody else who could be meant.
fn number_of_values(village: &Village, kind: QuestionKind, attribute: Attribute) -> usize {
    let world = &village.world;
    match (attribute, kind) {
        (Attribute::Friend, QuestionKind::NewPerson) => world.newcomers.len() - 1,
        (Attribute::Friend, QuestionKind::Reading) => world.held_out_readers.all().count() - 1,
        (Attribute::Friend, _) => world.people.len() - 1,
        _ => world.values_of(attribute).len(),
    }
}

/// Expected share of right guesses, over all questions of these kinds. All values are about equally common, so no
/// guess is better than another.
fn mean_chance(baselines: &[Baseline], kinds: &[QuestionKind]) -> f64 {
    let chosen = baselines
        .iter()
        .filter(|baseline| kinds.contains(&baseline.kind));
    let (right, all) = chosen.fold((0.0, 0), |(right, all), baseline| {
        (
            right + baseline.chance * baseline.questions as f64,
            all + baseline.questions,
        )
    });
    if all == 0 { 0.0 } else { right / all as f64 }
}
