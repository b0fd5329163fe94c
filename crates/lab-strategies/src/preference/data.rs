//! Preferences and prompts as tokens.

use super::layouts::{read_preferences, read_prompts};
use crate::run::base::Base;
use crate::run::context::TrainingData;
use lab_model::rl::Sequence;
use lab_model::tokenizer::Tokenizer;
use lab_protocol::{ErrorCode, LabError, PreferenceExample};
use lab_village::{PreferencePair, Question};
use std::collections::HashSet;

/// A pair that fits the model, each answer with its end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EncodedPair {
    pub chosen: Sequence,
    pub rejected: Sequence,
    pub margin: Option<f64>,
}

/// Pairs that could not be used, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dropped {
    pub equal: usize,
    pub empty: usize,
    pub too_long: usize,
}

/// A prompt as text and tokens, and the question that it asks, where the village knows its answer.
#[derive(Clone, Debug)]
pub(crate) struct Prompt {
    pub text: String,
    pub tokens: Vec<u32>,
    pub question: Option<Question>,
}

/// Pairs to learn from, pairs to judge by, and prompts to answer.
pub(crate) struct PreferenceData {
    pub training: Vec<EncodedPair>,
    pub held_out: Vec<EncodedPair>,
    pub dropped: Dropped,
    pub prompts: Vec<Prompt>,
    pub held_out_prompts: Vec<Prompt>,
    /// Prompts left out, since they leave no room for an answer.
    pub long_prompts: usize,
}

/// What is wanted of the data.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub pairs: bool,
    /// Pairs that take the place of the data's.
    pub collected: &'a [PreferenceExample],
    /// Tokens of an answer for which a prompt must leave room; none where no prompts are wanted.
    pub response_tokens: usize,
    pub end: Option<u32>,
}

impl PreferenceData {
    /// Reads the text, to find what is wrong with it before there is a model.
    pub fn check(
        data: &TrainingData,
        pairs: bool,
        collected: &[PreferenceExample],
    ) -> Result<(), LabError> {
        if data.village.is_some() || !collected.is_empty() {
            return Ok(());
        }
        let found = if pairs {
            read_preferences(&data.text)?.len()
        } else {
            read_prompts(&data.text)?.len()
        };
        if found == 0 {
            return Err(nothing("preferences"));
        }
        Ok(())
    }

    pub fn new(data: &TrainingData, base: &Base, wanted: Wanted<'_>) -> Result<Self, LabError> {
        let mut found = Self {
            training: Vec::new(),
            held_out: Vec::new(),
            dropped: Dropped::default(),
            prompts: Vec::new(),
            held_out_prompts: Vec::new(),
            long_prompts: 0,
        };
        match &data.village {
            Some(village) => {
                let example = |pair: &PreferencePair| PreferenceExample {
                    prompt: pair.question.prompt(),
                    chosen: pair.chosen.clone(),
                    rejected: pair.rejected.clone(),
                    margin: None,
                };
                let training: Vec<_> = village.preferences.iter().map(example).collect();
                let judged: Vec<_> = village.held_out_preferences.iter().map(example).collect();
                if wanted.pairs {
                    let training = match wanted.collected {
                        [] => &training,
                        collected => collected,
                    };
                    found.training = found.encode(training, base, wanted.end)?;
                    found.held_out = found.encode(&judged, base, wanted.end)?;
                }
                let trained = village.trained_questions().cloned().map(Asked::Question);
                found.prompts = found.ask(trained, base, wanted)?;
                let judged = village.questions.iter().cloned().map(Asked::Question);
                found.held_out_prompts = found.ask(judged, base, wanted)?;
            }
            None => {
                let fraction = data.validation_fraction;
                if wanted.pairs {
                    let mut examples = match wanted.collected {
                        [] => read_preferences(&data.text)?,
                        collected => collected.to_vec(),
                    };
                    let judged = examples.split_off(kept(examples.len(), fraction));
                    found.training = found.encode(&examples, base, wanted.end)?;
                    found.held_out = found.encode(&judged, base, wanted.end)?;
                }
                let mut prompts = match wanted.collected {
                    [] => read_prompts(&data.text)?,
                    pairs => pairs.iter().map(|pair| pair.prompt.clone()).collect(),
                };
                // A prompt that comes back has been trained on: it is not held out.
                let mut seen = HashSet::new();
                prompts.retain(|prompt| seen.insert(prompt.clone()));
                let judged = prompts.split_off(kept(prompts.len(), fraction));
                found.prompts = found.ask(prompts.into_iter().map(Asked::Text), base, wanted)?;
                let judged = judged.into_iter().map(Asked::Text);
                found.held_out_prompts = found.ask(judged, base, wanted)?;
            }
        }
        if wanted.pairs && found.training.is_empty() {
            return Err(found.unusable("pair of answers"));
        }
        if wanted.response_tokens > 0 && found.prompts.is_empty() {
            return Err(found.unusable("prompt"));
        }
        Ok(found)
    }

    /// What was left out, in words; empty where nothing was.
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
        let parts: Vec<String> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        (!parts.is_empty()).then(|| format!("left out: {}", parts.join(", ")))
    }

    fn unusable(&self, what: &str) -> LabError {
        let reason = self.left_out().unwrap_or_else(|| "there is none".into());
        LabError::new(
            ErrorCode::InvalidData,
            format!("no {what} can be used; {reason}"),
            "Give pairs whose answers differ and fit the model's context, or a model with a longer one.",
        )
        .at("data")
    }

    fn encode(
        &mut self,
        examples: &[PreferenceExample],
        base: &Base,
        end: Option<u32>,
    ) -> Result<Vec<EncodedPair>, LabError> {
        let mut pairs = Vec::with_capacity(examples.len());
        for example in examples {
            let (chosen, rejected) = (example.chosen.trim_end(), example.rejected.trim_end());
            if chosen == rejected {
                self.dropped.equal += 1;
                continue;
            }
            let prompt = prompt_tokens(&base.tokenizer, &example.prompt)?;
            if chosen.is_empty() || rejected.is_empty() || prompt.is_empty() {
                self.dropped.empty += 1;
                continue;
            }
            let answer = |text: &str| -> Result<Sequence, LabError> {
                let response = base.tokenizer.encode(text);
                let mut response = response.map_err(|error| error.at("data"))?;
                response.extend(end);
                Ok(Sequence {
                    prompt: prompt.clone(),
                    response,
                })
            };
            let pair = EncodedPair {
                chosen: answer(chosen)?,
                rejected: answer(rejected)?,
                margin: example.margin,
            };
            if pair.chosen.len().max(pair.rejected.len()) > base.shape.context {
                self.dropped.too_long += 1;
                continue;
            }
            pairs.push(pair);
        }
        Ok(pairs)
    }

    /// The prompts that leave room for an answer, each once.
    fn ask(
        &mut self,
        asked: impl Iterator<Item = Asked>,
        base: &Base,
        wanted: Wanted<'_>,
    ) -> Result<Vec<Prompt>, LabError> {
        let mut seen = HashSet::new();
        let mut prompts = Vec::new();
        if wanted.response_tokens == 0 {
            return Ok(prompts);
        }
        for asked in asked {
            let (text, question) = match asked {
                Asked::Question(question) => (question.prompt(), Some(question)),
                Asked::Text(text) => (text, None),
            };
            if !seen.insert(text.clone()) {
                continue;
            }
            let tokens = prompt_tokens(&base.tokenizer, &text)?;
            // The last token of an answer is never an input of the policy, but of the reward model it is.
            let room = base.shape.context.saturating_sub(wanted.response_tokens);
            if tokens.is_empty() || tokens.len() > room {
                self.long_prompts += 1;
                continue;
            }
            prompts.push(Prompt {
                text,
                tokens,
                question,
            });
        }
        Ok(prompts)
    }
}

enum Asked {
    Question(Question),
    Text(String),
}

fn prompt_tokens(tokenizer: &Tokenizer, text: &str) -> Result<Vec<u32>, LabError> {
    tokenizer
        .encode_prompt(text)
        .map_err(|error| error.at("data"))
}

/// How many of so many are trained on: all but a fraction at the end.
fn kept(count: usize, held_out: f64) -> usize {
    (count as f64 * (1.0 - held_out)).ceil() as usize
}

fn nothing(what: &str) -> LabError {
    LabError::new(
        ErrorCode::InvalidData,
        format!("the text holds no {what}"),
        "Give one object a line: {\"prompt\": …, \"chosen\": …, \"rejected\": …}.",
    )
    .at("data")
}
