//! Questions, the prompts they become, and the answers that count as right.

use crate::language::writer::names_subject;
use crate::world::attribute::Attribute;
use crate::world::words;
use serde::{Deserialize, Serialize};

/// The answer if neither the model nor the passages know one.
pub const I_DO_NOT_KNOW: &str = "I do not know.";

/// The task that a question sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuestionKind {
    /// About a resident, asked in training.
    Trained,
    /// About a resident about whom training asks nothing.
    UnseenPerson,
    /// About a person or shop that other questions were trained on.
    UnseenQuestion,
    /// The answer is in passages that come with the question.
    Reading,
    /// The passages that come with the question do not hold the answer.
    Unknown,
    /// About a new person, whom only the documents describe: the passages must be found.
    NewPerson,
}

impl QuestionKind {
    pub fn name(self) -> &'static str {
        match self {
            QuestionKind::Trained => "trained",
            QuestionKind::UnseenPerson => "unseen_person",
            QuestionKind::UnseenQuestion => "unseen_question",
            QuestionKind::Reading => "reading",
            QuestionKind::Unknown => "unknown",
            QuestionKind::NewPerson => "new_person",
        }
    }
}

/// A question and the truth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    pub id: String,
    pub kind: QuestionKind,
    pub attribute: Attribute,
    /// The subject within a sentence: `Anna Brook`, `the Anchor`.
    pub subject: String,
    /// The question alone.
    pub text: String,
    /// The passages before it in the prompt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passages: Vec<String>,
    /// The value asked for; `None` if the passages do not say.
    pub answer: Option<String>,
}

impl Question {
    /// A question in the `wording`-th of its wordings.
    pub(crate) fn new(
        id: String,
        kind: QuestionKind,
        attribute: Attribute,
        wording: usize,
        subject: String,
        answer: Option<String>,
    ) -> Self {
        let text = fill(attribute.wordings().questions[wording], &subject, "");
        Self {
            id,
            kind,
            attribute,
            subject,
            text,
            passages: Vec::new(),
            answer,
        }
    }

    /// The prompt for a model: a line for each passage and one for the question. The answer ends at the
    /// end-of-text token or a new line.
    pub fn prompt(&self) -> String {
        prompt(&self.passages, &self.text)
    }

    /// The answer as a whole sentence, in the words that training uses.
    pub fn reference(&self) -> String {
        match &self.answer {
            Some(value) => fill(
                self.attribute.wordings().statements[0].1,
                &self.subject,
                value,
            ),
            None => I_DO_NOT_KNOW.to_owned(),
        }
    }

    /// All right answers: the value alone, and every sentence that states it.
    pub fn accepted(&self) -> Vec<String> {
        let Some(value) = &self.answer else {
            return vec![I_DO_NOT_KNOW.to_owned()];
        };
        let wordings = self.attribute.wordings();
        let sentences = wordings
            .statements
            .iter()
            .map(|(_, template)| *template)
            .filter(|template| names_subject(template))
            .map(|template| fill(template, &self.subject, value));
        let mut accepted = vec![format!("{value}."), self.reference()];
        accepted.extend(sentences.skip(1));
        if !wordings.predicate.is_empty() {
            accepted.push(fill(
                &format!("{{S}} {}.", wordings.predicate),
                &self.subject,
                value,
            ));
        }
        accepted
    }
}

/// The prompt for a question with passages before it: a line each.
pub fn prompt(passages: &[String], question: &str) -> String {
    let mut text = String::new();
    for passage in passages {
        text.push_str(passage);
        text.push('\n');
    }
    text.push_str(question);
    text.push('\n');
    text
}

/// A template in plain form: the subject by its full name everywhere.
pub(crate) fn fill(template: &str, subject: &str, value: &str) -> String {
    let mut start = subject.to_owned();
    if let Some(first) = start.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let (own, them) = if is_woman(subject) {
        ("her", "her")
    } else {
        ("his", "him")
    };
    template
        .replace("{S}", &start)
        .replace("{s}", subject)
        .replace("{N}", subject)
        .replace("{F}", subject)
        .replace("{p}", own)
        .replace("{o}", them)
        .replace("{v}", value)
}

fn is_woman(subject: &str) -> bool {
    let first = subject.split(' ').next().unwrap_or_default();
    words::WOMEN.contains(&first)
}

/// The beginning of a sentence about a resident, and the value that completes it: a task for a model that was
/// only pretrained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Completion {
    pub attribute: Attribute,
    pub subject: String,
    /// Without a blank at its end.
    pub prompt: String,
    /// The continuation, after a blank.
    pub answer: String,
}

impl Completion {
    pub(crate) fn new(attribute: Attribute, subject: String, answer: String) -> Self {
        let sentence = fill(attribute.wordings().statements[0].1, &subject, "\0");
        let prompt = sentence
            .split('\0')
            .next()
            .unwrap_or_default()
            .trim_end()
            .to_owned();
        Self {
            attribute,
            subject,
            prompt,
            answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(attribute: Attribute, subject: &str, answer: &str) -> Question {
        let id = "q".to_owned();
        Question::new(
            id,
            QuestionKind::Reading,
            attribute,
            0,
            subject.to_owned(),
            Some(answer.to_owned()),
        )
    }

    #[test]
    fn a_question_becomes_a_prompt_of_lines() {
        let mut asked = question(Attribute::Home, "Anna Brook", "Mill Road");
        assert_eq!(asked.prompt(), "Where does Anna Brook live?\n");
        asked.passages = vec!["One.".into(), "Two.".into()];
        assert_eq!(asked.prompt(), "One.\nTwo.\nWhere does Anna Brook live?\n");
    }

    #[test]
    fn the_value_and_every_sentence_that_states_it_are_accepted() {
        let accepted = question(Attribute::Trade, "Carl Hill", "baker").accepted();
        for answer in [
            "baker.",
            "Carl Hill is a baker.",
            "Carl Hill earns his living as a baker.",
        ] {
            assert!(
                accepted.iter().any(|a| a == answer),
                "{answer}: {accepted:?}"
            );
        }
        assert!(
            accepted
                .iter()
                .all(|a| a.contains("baker") && !a.contains('{')),
            "{accepted:?}"
        );
        let shop = question(Attribute::Street, "the Anchor", "Mill Road");
        assert_eq!(shop.reference(), "The Anchor stands in Mill Road.");
        assert_eq!(shop.text, "Where is the shop called the Anchor?");
    }

    #[test]
    fn completions_end_before_the_value() {
        for attribute in Attribute::ALL {
            let subject = if Attribute::OF_SHOPS.contains(&attribute) {
                "the Anchor"
            } else {
                "Anna Brook"
            };
            let completion = Completion::new(attribute, subject.to_owned(), "plums".to_owned());
            let statement = question(attribute, subject, "plums").reference();
            assert_eq!(format!("{} plums.", completion.prompt), statement);
        }
    }
}
