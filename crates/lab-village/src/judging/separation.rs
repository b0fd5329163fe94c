//! The proof that what is judged occurs in nothing that is trained. It looks at the texts themselves,
//! not at how they were made.

use crate::language::windows::Windows;
use crate::tasks::question::{QuestionKind, fill};
use crate::village::Village;
use crate::world::attribute::Attribute;
use serde::Serialize;
use std::collections::{BTreeSet, HashMap, HashSet};

/// What was compared, and everything that was found in both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Separation {
    /// Lines of training text that were looked at: documents, passages, questions and answers.
    pub trained_lines: usize,
    /// Full names that only those have who are judged.
    pub judged_names: usize,
    pub judged_questions: usize,
    /// Facts that are asked in judging and may not be asked in training.
    pub judged_facts: usize,
    /// Runs of [`WINDOW`](crate::WINDOW) words in held-out text (and whole documents that are shorter).
    pub judged_runs: usize,
    /// A sentence for each thing that is judged and was found in what is trained.
    pub violations: Vec<String>,
}

/// A question about somebody who lives in the village, recognised by its text.
type Asked<'v> = (&'v str, Attribute);

impl Village {
    /// Looks in the training data for everything that is held out.
    pub fn separation(&self) -> Separation {
        check(self)
    }
}

fn check(village: &Village) -> Separation {
    let trained = trained_lines(village);
    let mut result = Separation {
        trained_lines: trained.len(),
        ..Separation::default()
    };
    names(village, &trained, &mut result);
    questions(village, &trained, &mut result);
    facts(village, &trained, &mut result);
    runs(village, &trained, &mut result);
    for document in &village.pretraining.training {
        if document.contains('?') {
            result.violations.push(format!(
                "the text to pretrain on has a question in it: {document}"
            ));
        }
    }
    result
}

/// Every line of everything that is trained.
fn trained_lines(village: &Village) -> Vec<&str> {
    let mut lines: Vec<&str> = village
        .pretraining
        .training
        .iter()
        .map(String::as_str)
        .collect();
    for pair in &village.instructions {
        lines.extend(pair.question.passages.iter().map(String::as_str));
        lines.extend([pair.question.text.as_str(), pair.response.as_str()]);
    }
    for pair in &village.preferences {
        lines.extend(pair.question.passages.iter().map(String::as_str));
        lines.extend([
            pair.question.text.as_str(),
            pair.chosen.as_str(),
            pair.rejected.as_str(),
        ]);
    }
    lines
}

/// People who are new, and people in judged passages, are named nowhere.
fn names(village: &Village, trained: &[&str], result: &mut Separation) {
    let newcomers = village.world.newcomers.iter().map(|person| person.name);
    let judged: HashSet<(&str, &str)> = newcomers
        .chain(village.world.judged_readers.all())
        .map(|name| (name.first, name.surname))
        .collect();
    result.judged_names = judged.len();
    for line in trained {
        let mut before = "";
        for word in line
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
        {
            if judged.contains(&(before, word)) {
                result.violations.push(format!(
                    "{before} {word} is judged and is named in training: {line}"
                ));
            }
            before = word;
        }
    }
}

/// No judged question is asked.
fn questions(village: &Village, trained: &[&str], result: &mut Separation) {
    let asked: HashSet<&str> = trained.iter().copied().collect();
    for question in village.judged() {
        result.judged_questions += 1;
        if asked.contains(question.text.as_str()) {
            result.violations.push(format!(
                "{} is asked in training: {}",
                question.id, question.text
            ));
        }
    }
}

/// No held-out fact is asked in any wording, and nothing at all about somebody who is held out.
fn facts(village: &Village, trained: &[&str], result: &mut Separation) {
    let people: Vec<String> = village
        .world
        .people
        .iter()
        .map(|person| person.name.to_string())
        .collect();
    let shops: Vec<String> = village
        .world
        .shops
        .iter()
        .map(|shop| shop.full_name())
        .collect();
    let mut meaning: HashMap<String, Asked> = HashMap::new();
    for (subjects, attributes) in [
        (&people, &Attribute::OF_PEOPLE[..]),
        (&shops, &Attribute::OF_SHOPS[..]),
    ] {
        for (subject, &attribute) in subjects
            .iter()
            .flat_map(|s| attributes.iter().map(move |a| (s, a)))
        {
            for wording in attribute.wordings().questions {
                meaning.insert(fill(wording, subject, ""), (subject, attribute));
            }
        }
    }
    let asked: BTreeSet<Asked> = trained
        .iter()
        .filter_map(|line| meaning.get(*line).copied())
        .collect();
    let asked_about: BTreeSet<&str> = asked.iter().map(|(subject, _)| *subject).collect();

    let mut judged: BTreeSet<Asked> = BTreeSet::new();
    for question in &village.questions {
        let subject = question.subject.as_str();
        judged.insert((subject, question.attribute));
        if question.kind == QuestionKind::UnseenPerson && asked_about.contains(subject) {
            result.violations.push(format!(
                "{subject} is held out, but asked about in training"
            ));
        }
    }
    result.judged_facts = judged.len();
    for (subject, attribute) in judged.intersection(&asked) {
        result.violations.push(format!(
            "the {} of {subject} is judged and asked in training",
            attribute.name()
        ));
    }
}

/// No long run of words of held-out text, and no whole held-out document, occurs.
fn runs(village: &Village, trained: &[&str], result: &mut Separation) {
    let mut judged = Windows::default();
    village
        .pretraining
        .held_out
        .iter()
        .for_each(|document| judged.add(document));
    result.judged_runs = judged.len();
    for line in trained.iter().filter(|line| judged.occur_in(line)) {
        result
            .violations
            .push(format!("a long run of held-out words is trained: {line}"));
    }
}
