//! Questions with known answers: exact match and token F1, as in SQuAD's evaluation (Rajpurkar et al. 2016, section
//! 6.1).

use crate::decoder::Decoder;
use crate::generate::generate_texts;
use crate::tokenizer::Tokenizer;
use lab_protocol::{GenerateRequest, LabError};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// A prompt and its right answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    pub prompt: String,
    pub answers: Vec<String>,
}

/// The scores of answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AnswerScore {
    /// Share of questions whose normalised answer equals a normalised right answer.
    pub exact_match: f64,
    /// Mean over the questions of the best F1 with any right answer.
    pub f1: f64,
    pub questions: usize,
    /// The model's answers, in the questions' order.
    pub answers: Vec<String>,
}

/// Lower case, without ASCII punctuation, without the articles a, an and the, words one space apart.
pub fn normalise(text: &str) -> String {
    let kept: String = text
        .to_lowercase()
        .chars()
        .filter(|c| !c.is_ascii_punctuation())
        .collect();
    let words = kept.split_whitespace();
    let words: Vec<&str> = words
        .filter(|word| !matches!(*word, "a" | "an" | "the"))
        .collect();
    words.join(" ")
}

/// Whether an answer is one of the right ones, once normalised.
pub fn exact_match(answer: &str, right: &[String]) -> bool {
    let answer = normalise(answer);
    right.iter().any(|right| normalise(right) == answer)
}

/// The harmonic mean of precision and recall of the words of an answer, the maximum over all right answers. Two texts
/// that are empty once normalised agree.
pub fn token_f1(answer: &str, right: &[String]) -> f64 {
    let answer = normalise(answer);
    let scores = right.iter().map(|right| f1(&answer, &normalise(right)));
    scores.fold(0.0, f64::max)
}

fn f1(answer: &str, right: &str) -> f64 {
    let count = |text: &str| text.split_whitespace().count();
    let (found, expected) = (count(answer), count(right));
    if found == 0 || expected == 0 {
        return if found == expected { 1.0 } else { 0.0 };
    }
    let mut left: HashMap<&str, usize> = HashMap::new();
    for word in right.split_whitespace() {
        *left.entry(word).or_default() += 1;
    }
    let mut common = 0;
    for word in answer.split_whitespace() {
        if let Some(count) = left.get_mut(word).filter(|count| **count > 0) {
            *count -= 1;
            common += 1;
        }
    }
    // 2pr / (p + r) with p = common/found and r = common/expected.
    2.0 * f64::from(common) / (found + expected) as f64
}

/// Lets a model answer, and scores its answers. The request's prompt is ignored.
pub async fn answer_questions(
    model: &Decoder,
    tokenizer: &Tokenizer,
    questions: &[Question],
    request: &GenerateRequest,
    stop_tokens: &[u32],
) -> Result<AnswerScore, LabError> {
    let prompts: Vec<String> = questions
        .iter()
        .map(|question| question.prompt.clone())
        .collect();
    let texts = generate_texts(model, tokenizer, &prompts, request, stop_tokens).await?;
    let answers: Vec<String> = texts.into_iter().map(|text| text.text).collect();
    Ok(score(questions, answers))
}

fn score(questions: &[Question], answers: Vec<String>) -> AnswerScore {
    let (mut exact, mut f1) = (0.0, 0.0);
    for (question, answer) in questions.iter().zip(&answers) {
        exact += f64::from(u8::from(exact_match(answer, &question.answers)));
        f1 += token_f1(answer, &question.answers);
    }
    let count = questions.len().max(1) as f64;
    AnswerScore {
        exact_match: exact / count,
        f1: f1 / count,
        questions: questions.len(),
        answers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn right(answers: &[&str]) -> Vec<String> {
        answers.iter().map(|&answer| answer.to_owned()).collect()
    }

    #[test]
    fn answers_are_compared_as_squad_does() {
        assert_eq!(normalise(" The  U.S.A.,  an Apple-pie "), "usa applepie");
        assert!(exact_match("the Cat!", &right(&["dog", "a cat"])));
        assert!(!exact_match("cats", &right(&["cat"])));
        // 2 of 3 words of the answer, 2 of 2 expected words: 2·2/(3+2).
        let f1 = token_f1("red big cat", &right(&["the red cat"]));
        assert!((f1 - 0.8).abs() < 1e-12, "{f1}");
        // A word counts as often as it is expected: 1 of 2 and 1 of 1.
        let f1 = token_f1("cat cat", &right(&["cat", "dog"]));
        assert!((f1 - 2.0 / 3.0).abs() < 1e-12, "{f1}");
        assert_eq!(token_f1("the", &right(&["a"])), 1.0);
        assert_eq!(token_f1("", &right(&["cat"])), 0.0);
    }

    #[test]
    fn scores_are_means_over_questions() {
        let question = |answers: &[&str]| Question {
            prompt: String::new(),
            answers: right(answers),
        };
        let questions = [question(&["red cat"]), question(&["dog"])];
        let score = score(&questions, vec!["red".into(), "Dog.".into()]);
        assert_eq!((score.exact_match, score.questions), (0.5, 2));
        assert!((score.f1 - (2.0 / 3.0 + 1.0) / 2.0).abs() < 1e-12);
    }
}
