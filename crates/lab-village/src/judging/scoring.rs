//! Scores for a set of answers, computed alike for every strategy.

use super::answers::{Fault, Verdict, answer_in, compare, normalised};
use super::statistics::Estimate;
use crate::tasks::question::{Completion, Question};
use crate::tasks::reward::reward;
use lab_protocol::{ErrorCode, LabError, text};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The scores of the answers to a set of questions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Score {
    pub questions: usize,
    /// Share of right answers; see [`Verdict::exact`].
    pub exact: Estimate,
    /// Share of answers that are the reference, character for character.
    pub strict: Estimate,
    pub f1: Estimate,
    /// True reward of the answers, right or wrong.
    pub reward: Estimate,
    pub refusals: Refusals,
    pub by_kind: BTreeMap<String, Estimate>,
    pub by_attribute: BTreeMap<String, Estimate>,
    /// Number of answers by fault.
    pub faults: BTreeMap<String, usize>,
    /// Every answer that is not right.
    pub failures: Vec<Failure>,
}

/// Answers that say "I do not know".
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Refusals {
    /// Share of the questions without an answer that were refused.
    pub right: Estimate,
    /// Share of the questions with an answer that were refused.
    pub wrong: Estimate,
}

/// An answer that is not right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub id: String,
    pub question: String,
    pub expected: String,
    pub given: String,
    pub fault: Fault,
}

/// Scores a model's outputs for each question, in the same order. Several questions about one fact count as one
/// observation in the confidence intervals; `seed` decides their resampling.
pub fn score(questions: &[Question], outputs: &[String], seed: u64) -> Result<Score, LabError> {
    same_length(questions.len(), outputs.len())?;
    let mut score = Score {
        questions: questions.len(),
        ..Score::default()
    };
    let mut rows = Vec::with_capacity(questions.len());
    for (question, output) in questions.iter().zip(outputs) {
        let verdict = compare(question, output);
        if let Err(fault) = verdict.exact {
            *score.faults.entry(fault.name().to_owned()).or_default() += 1;
            score.failures.push(Failure {
                id: question.id.clone(),
                question: question.text.clone(),
                expected: question.reference(),
                given: answer_in(output).to_owned(),
                fault,
            });
        }
        rows.push(Row {
            question,
            verdict,
            reward: reward(answer_in(output)).total,
        });
    }
    let one = |yes: bool| f64::from(u8::from(yes));
    score.exact = share(rows.iter(), |row| one(row.verdict.exact.is_ok()));
    score.strict = share(rows.iter(), |row| one(row.verdict.strict));
    score.f1 = mean(&rows, seed, |row| row.verdict.f1);
    score.reward = mean(&rows, seed, |row| row.reward);
    let refused = |answerable: bool| {
        let asked = rows
            .iter()
            .filter(move |row| row.question.answer.is_some() == answerable);
        share(asked, |row| one(row.verdict.refused))
    };
    score.refusals = Refusals {
        right: refused(false),
        wrong: refused(true),
    };
    score.by_kind = shares_by(&rows, |row| row.question.kind.name());
    score.by_attribute = shares_by(&rows, |row| row.question.attribute.name());
    Ok(score)
}

struct Row<'q> {
    question: &'q Question,
    verdict: Verdict,
    reward: f64,
}

impl Row<'_> {
    /// Questions about one fact are one group; each question with passages is a group of its own.
    fn group(&self) -> String {
        if self.question.passages.is_empty() {
            format!(
                "{} {}",
                self.question.subject,
                self.question.attribute.name()
            )
        } else {
            self.question.id.clone()
        }
    }
}

/// Sums and numbers of a value by group.
fn grouped<'r, 'q: 'r>(
    rows: impl Iterator<Item = &'r Row<'q>>,
    value: impl Fn(&Row) -> f64,
) -> Vec<(f64, usize)> {
    let mut groups: BTreeMap<String, (f64, usize)> = BTreeMap::new();
    for row in rows {
        let (sum, count) = groups.entry(row.group()).or_default();
        *sum += value(row);
        *count += 1;
    }
    groups.into_values().collect()
}

fn share<'r, 'q: 'r>(
    rows: impl Iterator<Item = &'r Row<'q>>,
    value: impl Fn(&Row) -> f64,
) -> Estimate {
    let groups = grouped(rows, value);
    let (sum, count) = groups.iter().fold((0.0, 0), |(sum, count), group| {
        (sum + group.0, count + group.1)
    });
    if count == 0 {
        Estimate::default()
    } else {
        Estimate::share(sum / count as f64, groups.len())
    }
}

fn mean(rows: &[Row], seed: u64, value: impl Fn(&Row) -> f64) -> Estimate {
    Estimate::mean(&grouped(rows.iter(), value), seed)
}

fn shares_by(rows: &[Row], name: impl Fn(&Row) -> &'static str) -> BTreeMap<String, Estimate> {
    let names: BTreeMap<&'static str, ()> = rows.iter().map(|row| (name(row), ())).collect();
    let of = |wanted: &'static str| {
        let chosen = rows.iter().filter(|row| name(row) == wanted);
        share(chosen, |row| f64::from(u8::from(row.verdict.exact.is_ok())))
    };
    names
        .into_keys()
        .map(|wanted| (wanted.to_owned(), of(wanted)))
        .collect()
}

/// The scores of completed beginnings of sentences.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CompletionScore {
    pub exact: Estimate,
    pub by_attribute: BTreeMap<String, Estimate>,
    /// Prompt, expected and given of each that is not right.
    pub failures: Vec<(String, String, String)>,
}

/// Scores a model's continuation of each beginning: it is right if it starts with the value.
pub fn score_completions(
    completions: &[Completion],
    outputs: &[String],
) -> Result<CompletionScore, LabError> {
    same_length(completions.len(), outputs.len())?;
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut failures = Vec::new();
    for (completion, output) in completions.iter().zip(outputs) {
        let right = normalised(output).starts_with(&normalised(&completion.answer));
        let (rights, all) = counts
            .entry(completion.attribute.name().to_owned())
            .or_default();
        *rights += usize::from(right);
        *all += 1;
        if !right {
            failures.push((
                completion.prompt.clone(),
                completion.answer.clone(),
                output.clone(),
            ));
        }
    }
    let share =
        |(rights, all): (usize, usize)| Estimate::share(rights as f64 / all.max(1) as f64, all);
    let total = (completions.len() - failures.len(), completions.len());
    let by_attribute = counts
        .into_iter()
        .map(|(name, counts)| (name, share(counts)))
        .collect();
    Ok(CompletionScore {
        exact: share(total),
        by_attribute,
        failures,
    })
}

/// A model's loss on held-out documents beside the best possible one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LossScore {
    pub nats_per_token: f64,
    pub floor_per_token: f64,
    /// The difference, nats a token.
    pub gap: Estimate,
    pub perplexity: f64,
    pub floor_perplexity: f64,
}

/// Scores a model's nats for each held-out document, its new line included, against the nats of the best possible
/// model. `tokens` is the number of tokens of each document.
pub fn score_loss(
    nats: &[f64],
    floors: &[f64],
    tokens: &[usize],
    seed: u64,
) -> Result<LossScore, LabError> {
    same_length(floors.len(), nats.len())?;
    same_length(floors.len(), tokens.len())?;
    let total: usize = tokens.iter().sum();
    if total == 0 {
        return Err(LabError::new(
            ErrorCode::InvalidData,
            "no token was scored",
            "Score at least one document.",
        ));
    }
    let nats_per_token = nats.iter().sum::<f64>() / total as f64;
    let floor_per_token = floors.iter().sum::<f64>() / total as f64;
    let gaps: Vec<(f64, usize)> = nats
        .iter()
        .zip(floors)
        .zip(tokens)
        .map(|((nats, floor), tokens)| (nats - floor, *tokens))
        .collect();
    Ok(LossScore {
        nats_per_token,
        floor_per_token,
        gap: Estimate::mean(&gaps, seed),
        perplexity: libm::exp(nats_per_token),
        floor_perplexity: libm::exp(floor_per_token),
    })
}

fn same_length(expected: usize, found: usize) -> Result<(), LabError> {
    if expected == found {
        return Ok(());
    }
    Err(LabError::new(
        ErrorCode::InvalidData,
        text!(
            "there are {expected} entries to score and {found} results",
            expected,
            found
        ),
        "Give one result for each entry, in the same order.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::question::{I_DO_NOT_KNOW, QuestionKind};
    use crate::world::attribute::Attribute;

    /// Four questions about one fact, four others, and one that has no answer.
    fn questions() -> Vec<Question> {
        let ask = |number: usize, subject: &str, attribute: Attribute, answer: Option<&str>| {
            let kind = if answer.is_some() {
                QuestionKind::UnseenPerson
            } else {
                QuestionKind::Unknown
            };
            Question::new(
                format!("q{number}"),
                kind,
                attribute,
                number % 3,
                subject.into(),
                answer.map(str::to_owned),
            )
        };
        let mut list: Vec<Question> = (0..4)
            .map(|n| ask(n, "Anna Brook", Attribute::Pet, Some("cat")))
            .collect();
        let others = ["Carl Hill", "Emil Moor", "Dora Vale", "Ben Reed"];
        list.extend(
            others
                .iter()
                .enumerate()
                .map(|(n, name)| ask(n + 4, name, Attribute::Home, Some("Mill Road"))),
        );
        list.push(ask(8, "Ida Ford", Attribute::Home, None));
        list
    }

    #[test]
    fn references_score_full_marks() {
        let questions = questions();
        let answers: Vec<String> = questions.iter().map(Question::reference).collect();
        let score = score(&questions, &answers, 1).unwrap();
        assert_eq!(
            (score.exact.value, score.strict.value, score.f1.value),
            (1.0, 1.0, 1.0)
        );
        assert_eq!(
            (score.refusals.right.value, score.refusals.wrong.value),
            (1.0, 0.0)
        );
        assert!(score.failures.is_empty() && score.faults.is_empty());
        assert_eq!(score.exact.count, 6);
        assert_eq!(score.reward.value, 0.5);
    }

    #[test]
    fn failures_are_listed_with_their_fault() {
        let questions = questions();
        let mut answers: Vec<String> = questions.iter().map(Question::reference).collect();
        answers[4] = "Carl Hill lives in Pine Road.".into();
        answers[5] = I_DO_NOT_KNOW.into();
        answers[8] = "Ida Ford lives in Pine Road.".into();
        let score = score(&questions, &answers, 1).unwrap();
        assert!((score.exact.value - 6.0 / 9.0).abs() < 1e-12);
        let faults: Vec<Fault> = score.failures.iter().map(|failure| failure.fault).collect();
        assert_eq!(faults, [Fault::WrongValue, Fault::Refused, Fault::Invented]);
        assert_eq!(score.failures[0].expected, "Carl Hill lives in Mill Road.");
        assert_eq!(
            (score.refusals.right.value, score.refusals.wrong.value),
            (0.0, 0.125)
        );
        assert_eq!(score.by_kind["unknown"].value, 0.0);
        assert_eq!(
            (
                score.by_attribute["pet"].value,
                score.by_attribute["home"].value
            ),
            (1.0, 0.4)
        );
    }

    #[test]
    fn completions_are_right_when_they_begin_with_the_value() {
        let completion = Completion::new(Attribute::Home, "Anna Brook".into(), "Mill Road".into());
        let outputs = [" Mill Road and has a cat.", " Mill Lane.", ""].map(str::to_owned);
        let score = score_completions(
            &[completion.clone(), completion.clone(), completion],
            &outputs,
        )
        .unwrap();
        assert!((score.exact.value - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(score.failures.len(), 2);
    }

    #[test]
    fn a_loss_is_read_against_the_floor() {
        let score = score_loss(&[12.0, 22.0, 11.0], &[10.0, 20.0, 10.0], &[10, 20, 20], 1).unwrap();
        assert!(
            (score.gap.value - 0.1).abs() < 1e-12 && score.gap.low < 0.1 && score.gap.high > 0.1
        );
        assert!((score.nats_per_token - 0.9).abs() < 1e-12);
        assert!((score.floor_perplexity - libm::exp(0.8)).abs() < 1e-12);
    }

    #[test]
    fn results_that_do_not_fit_are_refused() {
        assert!(score(&questions(), &[], 1).is_err());
        assert!(score_loss(&[1.0], &[1.0, 2.0], &[3], 1).is_err());
        assert!(score_loss(&[], &[], &[], 1).is_err());
        assert_eq!(score(&[], &[], 1).unwrap(), Score::default());
    }
}
