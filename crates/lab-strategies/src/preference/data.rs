//! Preferences and prompts as tokens.

use crate::data::{Preference, PromptRow, Skipped, Split, read_preferences, read_prompts, split};
use crate::run::base::Base;
use crate::run::context::TrainingData;
use crate::run::prompts::Prompt;
use lab_model::chat::ChatMessage;
use lab_model::prompts::PromptFormat;
use lab_model::rl::Sequence;
use lab_protocol::{ErrorCode, LabError, OnError, PreferenceExample, Text, text};
use lab_village::{PreferencePair, Question};
use std::collections::HashSet;

/// A preference that fits the model, each answer with its end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EncodedPair {
    pub chosen: Sequence,
    pub rejected: Sequence,
    pub margin: Option<f64>,
}

impl EncodedPair {
    /// Of both sequences, prompt and answer.
    pub fn tokens(&self) -> usize {
        self.chosen.len() + self.rejected.len()
    }

    /// Of both answers alone.
    pub fn answer_tokens(&self) -> usize {
        self.chosen.response.len() + self.rejected.response.len()
    }
}

/// Pairs that could not be used, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dropped {
    pub equal: usize,
    pub empty: usize,
    pub too_long: usize,
}

/// A prompt as text and tokens, and its question if the village knows the answer.
#[derive(Clone, Debug)]
pub(crate) struct EncodedPrompt {
    pub text: String,
    pub tokens: Vec<u32>,
    pub question: Option<Question>,
}

/// Pairs to learn from, pairs for evaluation, and prompts to answer.
pub(crate) struct PreferenceData {
    pub training: Vec<EncodedPair>,
    pub held_out: Vec<EncodedPair>,
    pub dropped: Dropped,
    pub prompts: Vec<EncodedPrompt>,
    pub held_out_prompts: Vec<EncodedPrompt>,
    /// Number of prompts left out because they leave no room for an answer.
    pub long_prompts: usize,
    /// Rows that could not be used.
    pub skipped: Skipped,
}

/// Requirements on the data.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub pairs: bool,
    /// Collected pairs that replace the data's.
    pub collected: &'a [PreferenceExample],
    pub on_error: OnError,
    /// Maximum number of tokens of an answer, for which a prompt must leave room; `None` if no prompts are wanted.
    pub response_tokens: usize,
    /// Tokens that end an answer; the policy writes the first one.
    pub ends: &'a [u32],
    /// Seed of the split of a user's rows.
    pub seed: u64,
}

impl PreferenceData {
    /// Tokens of the longest sequence among the pairs.
    pub fn longest_pair(&self) -> usize {
        let pairs = self.training.iter().chain(&self.held_out);
        let longest = pairs.map(|pair| pair.chosen.len().max(pair.rejected.len()));
        longest.max().unwrap_or(0)
    }

    /// Number of tokens in both answers of the longest pair of answers.
    pub fn most_answer_tokens(&self) -> usize {
        let answers = self.training.iter().map(EncodedPair::answer_tokens);
        answers.max().unwrap_or(0)
    }

    /// Tokens of the longest prompt.
    pub fn longest_prompt(&self) -> usize {
        let prompts = self.prompts.iter().chain(&self.held_out_prompts);
        let longest = prompts.map(|prompt| prompt.tokens.len());
        longest.max().unwrap_or(0)
    }

    /// Reads the text, to find its faults before a model is loaded.
    pub fn check(
        data: &TrainingData,
        pairs: bool,
        collected: &[PreferenceExample],
        on_error: OnError,
    ) -> Result<(), LabError> {
        if data.village.is_some() || !collected.is_empty() {
            return Ok(());
        }
        match pairs {
            true => read_preferences(&data.text, on_error).map(|_| ()),
            false => read_prompts(&data.text, on_error).map(|_| ()),
        }
    }

    pub fn new(data: &TrainingData, base: &Base, wanted: Wanted<'_>) -> Result<Self, LabError> {
        let mut found = Self {
            training: Vec::new(),
            held_out: Vec::new(),
            dropped: Dropped::default(),
            prompts: Vec::new(),
            held_out_prompts: Vec::new(),
            long_prompts: 0,
            skipped: Skipped::new(wanted.on_error),
        };
        let collected = (1..).zip(wanted.collected);
        let collected = collected.map(|(row, pair)| Preference::collected(pair, row));
        let collected: Vec<Preference> = collected.collect();
        match &data.village {
            Some(village) => {
                if wanted.pairs {
                    let training = match collected.is_empty() {
                        true => of_village(&village.preferences),
                        false => collected,
                    };
                    found.training = found.encode(&training, base, wanted);
                    let judged = of_village(&village.held_out_preferences);
                    found.held_out = found.encode(&judged, base, wanted);
                }
                let trained = village.trained_questions().map(Asked::question);
                found.prompts = found.ask(trained, base, wanted);
                let judged = village.test_questions().map(Asked::question);
                found.held_out_prompts = found.ask(judged, base, wanted);
            }
            None => {
                let prompts = if wanted.pairs {
                    let pairs = found.pairs(data, collected, wanted)?;
                    found.training = found.encode(&pairs.training, base, wanted);
                    found.held_out = found.encode(&pairs.validation, base, wanted);
                    Split {
                        training: pairs.training.iter().map(Asked::prompt_of).collect(),
                        validation: pairs.validation.iter().map(Asked::prompt_of).collect(),
                    }
                } else {
                    found.rows(data, &collected, wanted)?
                };
                found.ask_split(prompts, base, wanted);
            }
        }
        found.skipped.check(1)?;
        if wanted.pairs && found.training.is_empty() {
            return Err(unusable(text!(
                "no pair of answers can be used; {reason}",
                reason = found.why_none(),
            )));
        }
        if wanted.response_tokens > 0 && found.prompts.is_empty() {
            return Err(unusable(text!(
                "no prompt can be used; {reason}",
                reason = found.why_none(),
            )));
        }
        Ok(found)
    }

    /// The pairs of a user's text, or the collected ones that replace them.
    fn pairs(
        &mut self,
        data: &TrainingData,
        collected: Vec<Preference>,
        wanted: Wanted<'_>,
    ) -> Result<Split<Preference>, LabError> {
        let mut rows = collected;
        if rows.is_empty() {
            let read = read_preferences(&data.text, wanted.on_error)?;
            (rows, self.skipped) = (read.rows, read.skipped);
        }
        let prompt = |pair: &Preference| pair.prompt.clone();
        let whole = |pair: &Preference| (pair.chosen.clone(), pair.rejected.clone());
        let fraction = data.validation_fraction;
        Ok(split(rows, fraction, wanted.seed, prompt, whole))
    }

    /// The prompts of a user's text, each once, or the prompts of the pairs that replace it.
    fn rows(
        &mut self,
        data: &TrainingData,
        collected: &[Preference],
        wanted: Wanted<'_>,
    ) -> Result<Split<Asked>, LabError> {
        let mut rows: Vec<Asked> = collected.iter().map(Asked::prompt_of).collect();
        if rows.is_empty() {
            let read = read_prompts(&data.text, wanted.on_error)?;
            self.skipped = read.skipped;
            rows = read.rows.into_iter().map(Asked::row).collect();
        }
        let mut seen = HashSet::new();
        rows.retain(|asked| seen.insert(asked.prompt.clone()));
        let prompt = |asked: &Asked| asked.prompt.clone();
        let fraction = data.validation_fraction;
        Ok(split(rows, fraction, wanted.seed, prompt, prompt))
    }

    /// Describes the pairs that were left out; `None` if there are none.
    pub fn left_out(&self) -> Option<String> {
        let Dropped {
            equal,
            empty,
            too_long,
        } = self.dropped;
        let counts = [
            (equal, "pairs of equal answers"),
            (empty, "pairs with an empty answer"),
            (too_long, "pairs that are too long for the model"),
            (
                self.long_prompts,
                "prompts that leave no room for an answer",
            ),
        ];
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        let mut parts: Vec<String> = counts
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        parts.extend(self.skipped.report().map(|skipped| skipped.to_string()));
        (!parts.is_empty()).then(|| format!("left out: {}", parts.join(", ")))
    }

    fn why_none(&self) -> String {
        self.left_out().unwrap_or_else(|| "there is none".into())
    }

    fn encode(
        &mut self,
        examples: &[Preference],
        base: &Base,
        wanted: Wanted<'_>,
    ) -> Vec<EncodedPair> {
        let mut pairs = Vec::with_capacity(examples.len());
        for example in examples {
            let answers = [&example.chosen, &example.rejected].map(|answer| answer.trim_end());
            if answers[0] == answers[1] {
                self.dropped.equal += 1;
                continue;
            }
            if answers.contains(&"")
                || example
                    .prompt
                    .iter()
                    .all(|message| message.content.is_empty())
            {
                self.dropped.empty += 1;
                continue;
            }
            let [chosen, rejected] = match sequences(&example.prompt, answers, base, wanted.ends) {
                Ok(sequences) => sequences,
                Err(error) => {
                    self.skipped.add(example.row, &error.message);
                    continue;
                }
            };
            if chosen.len().max(rejected.len()) > base.shape.context {
                self.dropped.too_long += 1;
                continue;
            }
            pairs.push(EncodedPair {
                chosen,
                rejected,
                margin: example.margin,
            });
        }
        pairs
    }

    /// The prompts that leave room for an answer, each once.
    fn ask(
        &mut self,
        asked: impl IntoIterator<Item = Asked>,
        base: &Base,
        wanted: Wanted<'_>,
    ) -> Vec<EncodedPrompt> {
        let mut seen = HashSet::new();
        let mut prompts = Vec::new();
        if wanted.response_tokens == 0 {
            return prompts;
        }
        for asked in asked {
            if !seen.insert(asked.prompt.clone()) {
                continue;
            }
            let tokens = match asked.prompt.tokens(&base.format()) {
                Ok(tokens) => tokens,
                Err(error) => {
                    self.skipped.add(asked.row, &error.message);
                    continue;
                }
            };
            // The last token of an answer is never an input of the policy, but it is one of the reward model.
            let room = base.shape.context.saturating_sub(wanted.response_tokens);
            if tokens.is_empty() || tokens.len() > room {
                self.long_prompts += 1;
                continue;
            }
            prompts.push(EncodedPrompt {
                text: asked.prompt.text(),
                tokens,
                question: asked.question,
            });
        }
        prompts
    }

    /// Prompts to learn from and held-out prompts; a prompt that is trained on is not held out.
    fn ask_split(&mut self, prompts: Split<Asked>, base: &Base, wanted: Wanted<'_>) {
        let Split {
            training,
            mut validation,
        } = prompts;
        let trained: HashSet<&Prompt> = training.iter().map(|asked| &asked.prompt).collect();
        validation.retain(|asked| !trained.contains(&asked.prompt));
        self.prompts = self.ask(training, base, wanted);
        self.held_out_prompts = self.ask(validation, base, wanted);
    }
}

/// A prompt, the number of its row, and its question if it is one of the village's.
struct Asked {
    prompt: Prompt,
    row: usize,
    question: Option<Question>,
}

impl Asked {
    fn question(question: &Question) -> Self {
        Self {
            prompt: question.into(),
            row: 0,
            question: Some(question.clone()),
        }
    }

    fn row(row: PromptRow) -> Self {
        Self {
            prompt: Prompt::chat(row.prompt),
            row: row.row,
            question: None,
        }
    }

    fn prompt_of(pair: &Preference) -> Self {
        Self::row(PromptRow {
            prompt: pair.prompt.clone(),
            row: pair.row,
        })
    }
}

fn of_village(pairs: &[PreferencePair]) -> Vec<Preference> {
    let preference = |(row, pair): (usize, &PreferencePair)| Preference {
        prompt: Prompt::from(&pair.question).messages().unwrap_or_default(),
        chosen: pair.chosen.clone(),
        rejected: pair.rejected.clone(),
        margin: None,
        row,
    };
    (1..).zip(pairs).map(preference).collect()
}

fn unusable(message: Text) -> LabError {
    let hint = "Give pairs whose answers differ and fit the model's context, or a model with a longer one.";
    LabError::new(ErrorCode::InvalidData, message, hint).at("data")
}

/// A prompt with each of its two answers.
fn sequences(
    prompt: &[ChatMessage],
    answers: [&str; 2],
    base: &Base,
    ends: &[u32],
) -> Result<[Sequence; 2], LabError> {
    let format = base.format();
    let read = format.prompt(prompt)?;
    let answering = PromptFormat { ends, ..format };
    let sequence = |answer: &str| -> Result<Sequence, LabError> {
        Ok(Sequence {
            prompt: read.clone(),
            response: answering.answer(prompt, answer)?,
        })
    };
    Ok([sequence(answers[0])?, sequence(answers[1])?])
}
