//! Questions about residents with the answers of the training, and the split of the facts into trained and held-out
//! ones.

use super::question::{Completion, Question, QuestionKind};
use super::style::{Style, StyleMix};
use crate::choices::Choices;
use crate::random::{Purpose, Random};
use crate::world::attribute::Attribute;
use crate::world::people::Person;
use crate::world::population::World;
use crate::world::settings::{VillageSettings, thousandths};
use serde::{Deserialize, Serialize};

/// A question and an answer to learn from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    pub question: Question,
    pub response: String,
}

/// The facts that training asks about, and the held-out ones.
pub(crate) struct Split {
    pub trained: Vec<Fact>,
    pub unseen_people: Vec<Fact>,
    pub unseen_questions: Vec<Fact>,
}

/// The value of one attribute of a person or shop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fact {
    pub subject: String,
    pub attribute: Attribute,
    pub value: String,
}

impl Split {
    pub fn new(settings: &VillageSettings, world: &World) -> Self {
        let mut random = Random::new(settings.seed, Purpose::Split);
        let mut order: Vec<usize> = (0..world.people.len()).collect();
        random.shuffle(&mut order);
        let unseen = share_of(order.len(), settings.held_out_people).max(1);
        let facts_of = |&index: &usize| {
            let person = &world.people[index];
            Attribute::OF_PEOPLE.map(|attribute| Fact {
                subject: person.name.to_string(),
                attribute,
                value: person.value(attribute).to_owned(),
            })
        };
        let unseen_people = order[..unseen].iter().flat_map(facts_of).collect();
        let shops = world.shops.iter().flat_map(|shop| {
            Attribute::OF_SHOPS.map(|attribute| Fact {
                subject: shop.full_name(),
                attribute,
                value: shop.value(attribute).to_owned(),
            })
        });
        let mut others: Vec<Fact> = order[unseen..]
            .iter()
            .flat_map(facts_of)
            .chain(shops)
            .collect();
        random.shuffle(&mut others);
        let trained = others.split_off(share_of(others.len(), settings.held_out_questions));
        Self {
            trained,
            unseen_people,
            unseen_questions: others,
        }
    }

    /// All held-out facts, in the order of their questions.
    pub fn held_out(&self) -> impl Iterator<Item = &Fact> {
        self.unseen_people.iter().chain(&self.unseen_questions)
    }
}

impl Fact {
    /// Its subject and attribute: no two facts share them.
    pub fn key(&self) -> (String, Attribute) {
        (self.subject.clone(), self.attribute)
    }
}

fn share_of(count: usize, share: f64) -> usize {
    (count * thousandths(share) as usize).div_ceil(1000)
}

/// The pairs to train on: every trained fact in every wording of its question, each this many times.
pub(crate) fn training_pairs(settings: &VillageSettings, split: &Split) -> Vec<Pair> {
    let mut random = Random::new(settings.seed, Purpose::Instructions);
    let mut pairs = Vec::new();
    for question in questions(&split.trained, QuestionKind::Trained) {
        for number in 0..settings.answers_per_question {
            let question = Question {
                id: format!("{}-{number}", question.id),
                ..question.clone()
            };
            let style = Style::draw(&mut Choices::drawn(&mut random), StyleMix::INSTRUCTIONS);
            pairs.push(Pair {
                response: style.answer(&question),
                question,
            });
        }
    }
    pairs
}

/// The held-out questions: every held-out fact in every wording.
pub(crate) fn held_out_questions(split: &Split) -> Vec<Question> {
    questions(&split.unseen_people, QuestionKind::UnseenPerson)
        .chain(questions(
            &split.unseen_questions,
            QuestionKind::UnseenQuestion,
        ))
        .collect()
}

fn questions(facts: &[Fact], kind: QuestionKind) -> impl Iterator<Item = Question> {
    facts.iter().enumerate().flat_map(move |(number, fact)| {
        (0..fact.attribute.wordings().questions.len()).map(move |wording| {
            let id = format!("{}-{number:04}-{wording}", kind.name());
            let answer = Some(fact.value.clone());
            Question::new(
                id,
                kind,
                fact.attribute,
                wording,
                fact.subject.clone(),
                answer,
            )
        })
    })
}

/// The beginnings of sentences about all residents of the village, to be completed.
pub(crate) fn completions(world: &World) -> Vec<Completion> {
    let complete = |person: &Person| {
        Attribute::OF_PEOPLE.map(|attribute| {
            Completion::new(
                attribute,
                person.name.to_string(),
                person.value(attribute).to_owned(),
            )
        })
    };
    world.people.iter().flat_map(complete).collect()
}
