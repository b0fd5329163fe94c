//! Examples to fine-tune on: from the village or from the user's rows to tokens.

mod csv;
mod json;
mod layouts;

pub use layouts::{Conversation, from_pair, read_conversations};

use crate::run::base::Base;
use crate::run::context::TrainingData;
use lab_model::chat::ChatMessage;
use lab_model::examples::{Example, mask};
use lab_model::tokenizer::Tokenizer;
use lab_protocol::{
    ErrorCode, ExamplePreview, LabError, PreviewToken, PromptResponsePair, TooLong,
};

/// What is learned from, and what is held out.
pub struct Examples {
    pub training: Vec<Example>,
    pub held_out: Vec<Example>,
    /// Held-out prompts as text, for samples.
    pub prompts: Vec<String>,
    pub too_long: Fate,
}

/// Examples that did not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    pub dropped: usize,
    pub truncated: usize,
    /// Row of the first of them.
    pub first: Option<usize>,
}

/// Training and held-out conversations of a run's data.
pub fn conversations(
    data: &TrainingData,
) -> Result<(Vec<Conversation>, Vec<Conversation>), LabError> {
    if let Some(village) = &data.village {
        let pair = |prompt: String, response: String| PromptResponsePair {
            prompt,
            response,
            system: None,
            metadata: None,
        };
        let training = village
            .instructions
            .iter()
            .map(|example| pair(example.question.prompt(), example.response.clone()));
        let held_out = village
            .questions
            .iter()
            .map(|question| pair(question.prompt(), question.reference()));
        let numbered = |pairs: Vec<PromptResponsePair>| {
            (1..)
                .zip(&pairs)
                .map(|(row, pair)| from_pair(pair, row))
                .collect()
        };
        return Ok((numbered(training.collect()), numbered(held_out.collect())));
    }
    let mut training = read_conversations(&data.text)?;
    let kept = (training.len() as f64 * (1.0 - data.validation_fraction)).ceil() as usize;
    let held_out = training.split_off(kept.clamp(1, training.len()));
    Ok((training, held_out))
}

impl Examples {
    /// The data as tokens of the base's tokenizer. Examples longer than the base's context are treated as
    /// `too_long` says, and counted.
    pub fn new(data: &TrainingData, base: &Base, too_long: TooLong) -> Result<Self, LabError> {
        let (training, held_out) = conversations(data)?;
        let mut fate = Fate::default();
        let prompts = held_out
            .iter()
            .map(|conversation| prompt_of(conversation, base))
            .collect::<Result<_, _>>()?;
        let mut encode = |conversations: Vec<Conversation>| {
            let mut examples = Vec::with_capacity(conversations.len());
            for conversation in conversations {
                examples.extend(fit(
                    encoded(&conversation, base)?,
                    conversation.row,
                    base.shape.context,
                    too_long,
                    &mut fate,
                )?);
            }
            Ok::<_, LabError>(examples)
        };
        let (training, held_out) = (encode(training)?, encode(held_out)?);
        if training.is_empty() {
            return Err(LabError::new(
                ErrorCode::InvalidData,
                format!(
                    "no example is left to learn from: all {} are longer than the model's context of {} tokens",
                    fate.dropped, base.shape.context
                ),
                "Give shorter examples, set too_long to truncate, or start from a model with a larger context.",
            )
            .at("data"));
        }
        Ok(Self {
            training,
            held_out,
            prompts,
            too_long: fate,
        })
    }
}

impl Fate {
    /// What there is to say of it.
    pub fn warning(&self, context: usize) -> Option<String> {
        let row = self.first?;
        let what = match (self.dropped, self.truncated) {
            (dropped, 0) => format!("{dropped} examples were left out"),
            (_, truncated) => format!("{truncated} examples were cut"),
        };
        Some(format!(
            "{what}, since they are longer than the model's context of {context} tokens; the first is row {row}"
        ))
    }
}

fn fit(
    example: Example,
    row: usize,
    context: usize,
    too_long: TooLong,
    fate: &mut Fate,
) -> Result<Option<Example>, LabError> {
    if example.length() <= context {
        return Ok(Some(example));
    }
    fate.first.get_or_insert(row);
    match too_long {
        TooLong::Drop => {
            fate.dropped += 1;
            Ok(None)
        }
        TooLong::Truncate => {
            fate.truncated += 1;
            Ok(Some(example.truncated(context)))
        }
        TooLong::Error => Err(LabError::new(
            ErrorCode::InvalidData,
            format!(
                "row {row} is {} tokens long, and the model sees {context}",
                example.length()
            ),
            "Shorten it, or set too_long to drop or truncate.",
        )
        .at("data")),
    }
}

/// The village's documents as the base saw them when it was trained: each after the end of the one before it,
/// learned as a whole, its end included. What is longer than the base's context is cut.
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

fn encoded(conversation: &Conversation, base: &Base) -> Result<Example, LabError> {
    let place = |mut error: LabError| {
        error.message = format!("row {}: {}", conversation.row, error.message).into();
        error.at("data")
    };
    let tokenizer = &base.tokenizer;
    let prompt = prompt_of(conversation, base)?;
    let prompt = match base.chat_template {
        Some(_) => tokenizer.encode(&prompt),
        None => tokenizer.encode_prompt(&prompt),
    };
    let prompt = prompt.map_err(place)?;
    if prompt.is_empty() {
        return Err(LabError::new(
            ErrorCode::InvalidData,
            format!("row {}: its prompt is empty", conversation.row),
            "Give every example a prompt.",
        )
        .at("data"));
    }
    let response = tokenizer.encode(&conversation.response).map_err(place)?;
    Ok(Example::new(prompt, response, base.end()?))
}

/// What the model is given of a conversation.
fn prompt_of(conversation: &Conversation, base: &Base) -> Result<String, LabError> {
    prompt(&conversation.before, base).map_err(|error| error.at("data"))
}

/// Messages as the model is given them: by its chat template if it has one, else each with a new line at
/// its end.
pub fn prompt(messages: &[ChatMessage], base: &Base) -> Result<String, LabError> {
    if let Some(template) = &base.chat_template {
        return template.render(messages, true);
    }
    let mut text = String::new();
    for message in messages {
        text.push_str(&message.content);
        if !message.content.ends_with('\n') {
            text.push('\n');
        }
    }
    Ok(text)
}

/// The first examples, token by token with what is learned of them.
pub fn preview(examples: &[Example], tokenizer: &Tokenizer, most: usize) -> Vec<ExamplePreview> {
    let shown = |example: &Example| ExamplePreview {
        tokens: mask(example)
            .into_iter()
            .map(|(id, learned)| PreviewToken {
                text: tokenizer.token_text(id),
                learned,
            })
            .collect(),
    };
    examples.iter().take(most).map(shown).collect()
}
