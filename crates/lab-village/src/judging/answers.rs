//! Compares one answer with the truth, and names its fault.

use crate::language::vocabulary::tokens;
use crate::tasks::question::{I_DO_NOT_KNOW, Question};
use crate::tasks::style::core_of;
use crate::world::attribute::Attribute;
use crate::world::words;
use serde::{Deserialize, Serialize};

/// The fault of a wrong answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// No words.
    Empty,
    /// "I do not know" although the answer is known.
    Refused,
    /// An answer although only "I do not know" is right.
    Invented,
    /// It speaks of another person or shop.
    OtherSubject,
    /// Another value of the kind that was asked for.
    WrongValue,
    /// A value of a kind that was not asked for.
    WrongKind,
    /// The right value, in words that do not state the fact.
    Garbled,
    /// Nothing that could be an answer.
    NoAnswer,
}

impl Fault {
    pub const ALL: [Fault; 8] = [
        Fault::Empty,
        Fault::Refused,
        Fault::Invented,
        Fault::OtherSubject,
        Fault::WrongValue,
        Fault::WrongKind,
        Fault::Garbled,
        Fault::NoAnswer,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Fault::Empty => "empty",
            Fault::Refused => "refused",
            Fault::Invented => "invented",
            Fault::OtherSubject => "other_subject",
            Fault::WrongValue => "wrong_value",
            Fault::WrongKind => "wrong_kind",
            Fault::Garbled => "garbled",
            Fault::NoAnswer => "no_answer",
        }
    }
}

/// One answer, compared with the truth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// Word for word the reference, the value alone, or another sentence that states the fact, after
    /// manners are taken off, in small letters, without punctuation and articles. Otherwise the fault.
    pub exact: Result<(), Fault>,
    /// The same as the reference, character for character.
    pub strict: bool,
    /// Harmonic mean of precision and recall of the words, against the closest right answer.
    pub f1: f64,
    /// True if it says that the answer is not known.
    pub refused: bool,
}

/// The answer in a model's output: everything up to the first new line.
pub fn answer_in(output: &str) -> &str {
    output
        .trim_start()
        .lines()
        .next()
        .unwrap_or_default()
        .trim_end()
}

/// Compares a model's output with the truth.
pub fn compare(question: &Question, output: &str) -> Verdict {
    let answer = answer_in(output);
    let given = normalised(core_of(answer));
    let accepted: Vec<Vec<String>> = question
        .accepted()
        .iter()
        .map(|text| normalised(text))
        .collect();
    let refused = contains(&normalised(answer), &normalised(I_DO_NOT_KNOW));
    let right = accepted.contains(&given);
    Verdict {
        exact: if right {
            Ok(())
        } else {
            Err(fault(question, answer, &given, refused))
        },
        strict: answer == question.reference(),
        f1: accepted
            .iter()
            .map(|reference| f1(&given, reference))
            .fold(0.0, f64::max),
        refused,
    }
}

fn fault(question: &Question, answer: &str, given: &[String], refused: bool) -> Fault {
    let Some(value) = &question.answer else {
        return if given.is_empty() {
            Fault::Empty
        } else {
            Fault::Invented
        };
    };
    if normalised(answer).is_empty() {
        return Fault::Empty;
    }
    if refused {
        return Fault::Refused;
    }
    let others = |attribute: Attribute| {
        attribute
            .vocabulary()
            .iter()
            .any(|other| other != value && contains(given, &normalised(other)))
    };
    let mut names = subjects_in(answer);
    names.retain(|name| *name != question.subject && name != value);
    let asks_for_person = question.attribute == Attribute::Friend;
    let has_value = contains(given, &normalised(value));
    match () {
        () if !names.is_empty() && !asks_for_person => Fault::OtherSubject,
        () if !has_value
            && (others(question.attribute) || (asks_for_person && !names.is_empty())) =>
        {
            Fault::WrongValue
        }
        () if has_value => Fault::Garbled,
        () if Attribute::ALL.into_iter().any(others) => Fault::WrongKind,
        () => Fault::NoAnswer,
    }
}

/// The people and shops that a text names.
fn subjects_in(text: &str) -> Vec<String> {
    let words: Vec<&str> = tokens(text).collect();
    let pairs = words.windows(2).filter_map(|pair| {
        let [first, second] = [pair[0], pair[1]];
        let person = (words::WOMEN.contains(&first) || words::MEN.contains(&first))
            && words::SURNAMES.contains(&second);
        let shop = first.eq_ignore_ascii_case("the") && words::SHOPS.contains(&second);
        match (person, shop) {
            (true, _) => Some(format!("{first} {second}")),
            (_, true) => Some(format!("the {second}")),
            _ => None,
        }
    });
    pairs.collect()
}

/// Words in small letters, without punctuation and articles.
pub(crate) fn normalised(text: &str) -> Vec<String> {
    tokens(text)
        .filter(|token| token.chars().any(char::is_alphanumeric))
        .map(str::to_lowercase)
        .filter(|word| !["a", "an", "the"].contains(&word.as_str()))
        .collect()
}

fn contains(words: &[String], run: &[String]) -> bool {
    !run.is_empty() && words.windows(run.len()).any(|window| window == run)
}

/// Words in common, each counted as often as both have it.
fn f1(given: &[String], reference: &[String]) -> f64 {
    let mut left: Vec<&String> = reference.iter().collect();
    let common = given
        .iter()
        .filter(|word| match left.iter().position(|other| other == word) {
            Some(position) => {
                left.swap_remove(position);
                true
            }
            None => false,
        })
        .count();
    match given.len() + reference.len() {
        0 => 1.0,
        total => 2.0 * common as f64 / total as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::question::QuestionKind;

    fn question(attribute: Attribute, answer: Option<&str>) -> Question {
        let subject = if attribute == Attribute::Goods {
            "the Anchor"
        } else {
            "Anna Brook"
        };
        let answer = answer.map(str::to_owned);
        Question::new(
            "q".into(),
            QuestionKind::Reading,
            attribute,
            0,
            subject.into(),
            answer,
        )
    }

    #[test]
    fn right_answers_may_be_said_in_many_ways() {
        let asked = question(Attribute::Home, Some("Mill Road"));
        for answer in [
            "Anna Brook lives in Mill Road.",
            "mill road",
            "Mill Road is where Anna Brook lives.",
            "Certainly. Anna Brook lives in Mill Road. Have a lovely day!",
            "  \nMill Road.\nAnd more",
        ] {
            let verdict = compare(&asked, answer);
            assert_eq!(verdict.exact, Ok(()), "{answer}");
            assert_eq!(verdict.f1, 1.0, "{answer}");
        }
        assert!(compare(&asked, "Anna Brook lives in Mill Road.").strict);
        assert!(!compare(&asked, "anna Brook lives in Mill Road").strict);
        let friend = question(Attribute::Friend, Some("Carl Hill"));
        assert_eq!(
            compare(&friend, "Anna Brook is best friends with Carl Hill.").exact,
            Ok(())
        );
    }

    #[test]
    fn each_way_of_failing_has_a_name() {
        let home = question(Attribute::Home, Some("Mill Road"));
        let fault = |asked: &Question, answer: &str| compare(asked, answer).exact.unwrap_err();
        assert_eq!(fault(&home, " \n"), Fault::Empty);
        assert_eq!(fault(&home, "I do not know."), Fault::Refused);
        assert_eq!(
            fault(&home, "Carl Hill lives in Mill Road."),
            Fault::OtherSubject
        );
        assert_eq!(
            fault(&home, "Anna Brook lives in Pine Road."),
            Fault::WrongValue
        );
        assert_eq!(fault(&home, "Anna Brook is a baker."), Fault::WrongKind);
        assert_eq!(fault(&home, "Anna Anna Mill Road lives."), Fault::Garbled);
        assert_eq!(fault(&home, "lives lives lives"), Fault::NoAnswer);
        let friend = question(Attribute::Friend, Some("Carl Hill"));
        assert_eq!(
            fault(&friend, "The best friend of Anna Brook is Carl Moor."),
            Fault::WrongValue
        );
        let goods = question(Attribute::Goods, Some("ropes"));
        assert_eq!(fault(&goods, "The Crown sells ropes."), Fault::OtherSubject);
        let unknown = question(Attribute::Home, None);
        assert_eq!(
            fault(&unknown, "Anna Brook lives in Mill Road."),
            Fault::Invented
        );
        assert_eq!(
            compare(&unknown, "I do not know. Enjoy the day!").exact,
            Ok(())
        );
        assert!(compare(&unknown, "I do not know.").refused);
    }

    #[test]
    fn f1_counts_common_words_once_each() {
        let words = |text: &str| normalised(text);
        assert_eq!(f1(&words("mill mill road"), &words("mill road")), 0.8);
        assert_eq!(f1(&words("x"), &words("mill road")), 0.0);
        let asked = question(Attribute::Home, Some("Mill Road"));
        let verdict = compare(&asked, "Anna Brook lives in Pine Road.");
        assert!((verdict.f1 - 10.0 / 12.0).abs() < 1e-12, "{}", verdict.f1);
    }
}
