//! The proof that held-out data occurs nowhere in training data. It checks the texts themselves, not the code that
//! wrote them.

use crate::language::windows::Windows;
use crate::tasks::question::{QuestionKind, fill};
use crate::village::Village;
use crate::world::attribute::Attribute;
use serde::Serialize;
use std::collections::{BTreeSet, HashMap, HashSet};

/// The size of the comparison, and everything that was found on both sides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Separation {
    /// Lines of training text that were looked at: documents, passages, questions and answers.
    pub trained_lines: usize,
    /// Full names that only held-out people have.
    #[serde(rename = "judged_names")]
    pub held_out_names: usize,
    #[serde(rename = "judged_questions")]
    pub held_out_questions: usize,
    /// Facts that held-out questions ask for and training may not.
    #[serde(rename = "judged_facts")]
    pub held_out_facts: usize,
    /// Runs of [`WINDOW`](crate::WINDOW) words in held-out text (and whole documents that are shorter).
    #[serde(rename = "judged_runs")]
    pub held_out_runs: usize,
    /// A sentence for each held-out item that was found in training data.
    pub violations: Vec<String>,
}

/// A question about a resident of the village, recognised by its text.
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

/// Every line of the training data.
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

/// New people, and people in held-out passages, are named nowhere.
fn names(village: &Village, trained: &[&str], result: &mut Separation) {
    let newcomers = village.world.newcomers.iter().map(|person| person.name);
    let held_out: HashSet<(&str, &str)> = newcomers
        .chain(village.world.held_out_readers.all())
        .map(|name| (name.first, name.surname))
        .collect();
    result.held_out_names = held_out.len();
    for line in trained {
        let mut before = "";
        for word in line
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
        {
            if held_out.contains(&(before, word)) {
                result.violations.push(format!(
                    "{before} {word} is held out and is named in training: {line}"
                ));
            }
            before = word;
        }
    }
}

/// No held-out question is asked.
fn questions(village: &Village, trained: &[&str], result: &mut Separation) {
    let asked: HashSet<&str> = trained.iter().copied().collect();
    for question in village.held_out_questions() {
        result.held_out_questions += 1;
        if asked.contains(question.text.as_str()) {
            result.violations.push(format!(
                "{} is asked in training: {}",
                question.id, question.text
            ));
        }
    }
}

/// No held-out fact is asked in any wording, and nothing at all about a held-out person.
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

    let mut held_out: BTreeSet<Asked> = BTreeSet::new();
    for question in &village.questions {
        let subject = question.subject.as_str();
        held_out.insert((subject, question.attribute));
        if question.kind == QuestionKind::UnseenPerson && asked_about.contains(subject) {
            result.violations.push(format!(
                "{subject} is held out, but asked about in training"
            ));
        }
    }
    result.held_out_facts = held_out.len();
    for (subject, attribute) in held_out.intersection(&asked) {
        result.violations.push(format!(
            "the {} of {subject} is held out and asked in training",
            attribute.name()
        ));
    }
}

/// No long run of words of held-out text, and no whole held-out document, occurs in training data.
fn runs(village: &Village, trained: &[&str], result: &mut Separation) {
    let mut held_out = Windows::default();
    village
        .pretraining
        .held_out
        .iter()
        .for_each(|document| held_out.add(document));
    result.held_out_runs = held_out.len();
    for line in trained.iter().filter(|line| held_out.occur_in(line)) {
        result
            .violations
            .push(format!("a long run of held-out words is trained: {line}"));
    }
}
