//! Examples for fine-tuning: from the village or the user's rows to tokens.

use crate::data::{Conversation, Skipped, Split, read_conversations, split};
use crate::run::base::Base;
use crate::run::context::TrainingData;
use crate::run::prompts::Prompt;
use lab_model::chat::ChatMessage;
use lab_model::examples::Example;
use lab_model::tokenizer::Tokenizer;
use lab_protocol::{ErrorCode, ExamplePreview, LabError, OnError, PreviewToken, TooLong, text};
use lab_village::Question;

/// Examples for training, and for the validation that chooses the best weights.
pub struct Examples {
    pub training: Vec<Example>,
    pub validation: Vec<Example>,
    /// Prompts of the validation, for samples.
    pub prompts: Vec<Prompt>,
    /// Rows that could not be used.
    pub skipped: Skipped,
    pub too_long: Fate,
    /// Number of conversations whose answers became one example each, because the chat template writes earlier turns
    /// differently once others follow.
    pub taken_apart: usize,
}

/// Examples that did not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    pub dropped: usize,
    pub truncated: usize,
    /// Row of the first of them.
    pub first: Option<usize>,
}

/// Settings of reading examples.
#[derive(Clone, Copy)]
pub struct Reading {
    pub too_long: TooLong,
    pub on_error: OnError,
    /// Seed of the split of a user's rows.
    pub seed: u64,
}

/// Training and validation conversations of a run's data.
pub fn conversations(
    data: &TrainingData,
    on_error: OnError,
    seed: u64,
) -> Result<(Split<Conversation>, Skipped), LabError> {
    if let Some(village) = &data.village {
        let training = village
            .instructions
            .iter()
            .map(|example| (&example.question, example.response.clone()));
        let validation = village
            .validation_questions()
            .map(|question| (question, question.reference()));
        let split = Split {
            training: numbered(training),
            validation: numbered(validation),
        };
        return Ok((split, Skipped::default()));
    }
    let read = read_conversations(&data.text, on_error)?;
    let fraction = data.validation_fraction;
    let prompt = |row: &Conversation| row.before().to_vec();
    let whole = |row: &Conversation| row.messages.clone();
    Ok((
        split(read.rows, fraction, seed, prompt, whole),
        read.skipped,
    ))
}

fn numbered<'q>(pairs: impl Iterator<Item = (&'q Question, String)>) -> Vec<Conversation> {
    let conversation = |(row, (question, response)): (usize, (&Question, String))| {
        let mut messages = Prompt::from(question).messages().unwrap_or_default();
        let prompt = messages.len();
        messages.push(ChatMessage::new("assistant", &response));
        Conversation {
            messages,
            prompt,
            row,
        }
    };
    (1..).zip(pairs).map(conversation).collect()
}

impl Examples {
    /// The data as tokens, in the base's prompt format. Examples longer than the base's context are treated as
    /// `too_long` says, and counted.
    pub fn new(data: &TrainingData, base: &Base, reading: Reading) -> Result<Self, LabError> {
        let (split, skipped) = conversations(data, reading.on_error, reading.seed)?;
        let prompts = split.validation.iter();
        let prompts = prompts.map(|row| Prompt::chat(row.before().to_vec()));
        let mut found = Self {
            training: Vec::new(),
            validation: Vec::new(),
            prompts: prompts
                .filter(|prompt| prompt.tokens(&base.format()).is_ok())
                .collect(),
            skipped,
            too_long: Fate::default(),
            taken_apart: 0,
        };
        found.training = found.encode(&split.training, base, reading.too_long)?;
        found.validation = found.encode(&split.validation, base, reading.too_long)?;
        found
            .skipped
            .check(found.training.len() + found.too_long.dropped)?;
        if found.training.is_empty() {
            return Err(LabError::new(
                ErrorCode::InvalidData,
                text!(
                    "no example is left to learn from: all {count} are longer than the model's context of {context} tokens",
                    count = found.too_long.dropped,
                    context = base.shape.context,
                ),
                "Give shorter examples, set too_long to truncate, or start from a model with a larger context.",
            )
            .at("data"));
        }
        Ok(found)
    }

    fn encode(
        &mut self,
        conversations: &[Conversation],
        base: &Base,
        too_long: TooLong,
    ) -> Result<Vec<Example>, LabError> {
        let format = base.format();
        let mut examples = Vec::with_capacity(conversations.len());
        for conversation in conversations {
            let row = conversation.row;
            match format.conversation(&conversation.messages, conversation.prompt) {
                Ok(encoded) => {
                    self.taken_apart += usize::from(encoded.len() > 1);
                    for example in encoded {
                        examples.extend(self.too_long.fit(
                            example,
                            row,
                            base.shape.context,
                            too_long,
                        )?);
                    }
                }
                Err(error) => self.skipped.add(row, &error.message),
            }
        }
        Ok(examples)
    }

    /// The warnings about the data.
    pub fn warnings(&self, context: usize) -> Vec<String> {
        let skipped = self.skipped.report();
        let skipped = skipped.map(|skipped| format!("left out: {skipped}"));
        let taken_apart = (self.taken_apart > 0).then(|| {
            format!(
                "{} conversations became an example for each answer, since the chat template writes earlier turns otherwise once others follow",
                self.taken_apart
            )
        });
        let too_long = self.too_long.warning(context);
        [skipped, taken_apart, too_long]
            .into_iter()
            .flatten()
            .collect()
    }
}

impl Fate {
    /// The warning about these examples.
    fn warning(&self, context: usize) -> Option<String> {
        let row = self.first?;
        let what = match (self.dropped, self.truncated) {
            (dropped, 0) => format!("{dropped} examples were left out"),
            (_, truncated) => format!("{truncated} examples were cut"),
        };
        Some(format!(
            "{what}, since they are longer than the model's context of {context} tokens; the first is row {row}"
        ))
    }

    fn fit(
        &mut self,
        example: Example,
        row: usize,
        context: usize,
        too_long: TooLong,
    ) -> Result<Option<Example>, LabError> {
        if example.length() <= context {
            return Ok(Some(example));
        }
        self.first.get_or_insert(row);
        match too_long {
            TooLong::Drop => {
                self.dropped += 1;
                Ok(None)
            }
            TooLong::Truncate => {
                self.truncated += 1;
                Ok(Some(example.truncated(context)))
            }
            TooLong::Error => Err(LabError::new(
                ErrorCode::InvalidData,
                text!(
                    "row {row} is {tokens} tokens long, and the model sees {context}",
                    row,
                    tokens = example.length(),
                    context
                ),
                "Shorten it, or set too_long to drop or truncate.",
            )
            .at("data")),
        }
    }
}

/// The village's documents as the base read them in its training: each after the end of the one before it, learned as
/// a whole, its end included. Documents longer than the base's context are cut.
pub fn documents(data: &TrainingData, base: &Base) -> Result<Vec<Example>, LabError> {
    let end = base.end()?;
    let village = data.village.iter();
    village
        .flat_map(|village| &village.pretraining.training)
        .map(|text| {
            let tokens = base.tokenizer.encode(text)?;
            Ok(Example::new(vec![end], tokens, end).truncated(base.shape.context))
        })
        .collect()
}

/// The first `count` examples, token by token, with a mark on the learned tokens.
pub fn preview(examples: &[Example], tokenizer: &Tokenizer, count: usize) -> Vec<ExamplePreview> {
    let shown = |example: &Example| ExamplePreview {
        tokens: example
            .mask()
            .into_iter()
            .map(|(id, learned)| PreviewToken {
                text: tokenizer.token_text(id),
                learned,
            })
            .collect(),
    };
    examples.iter().take(count).map(shown).collect()
}
