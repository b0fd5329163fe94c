//! Generated texts as characters: stop strings, and pieces that can be shown as they come.

use super::generation::{Generation, NewToken};
use super::settings::{FinishReason, GeneratedText, GenerationSettings};
use crate::decoder::Decoder;
use crate::tokenizer::{TextStream, Tokenizer};
use lab_protocol::{GenerateRequest, LabError};

/// Turns the tokens of one text into characters. Text that may be the beginning of a stop string is held back until
/// it is known not to be; the stop string itself is left out.
pub struct Writer<'a> {
    tokenizer: &'a Tokenizer,
    stop: &'a [String],
    stop_tokens: &'a [u32],
    stream: TextStream,
    /// Held back.
    pending: String,
    stopped: bool,
}

impl<'a> Writer<'a> {
    /// `stop_tokens` are left out of the text.
    pub fn new(tokenizer: &'a Tokenizer, stop: &'a [String], stop_tokens: &'a [u32]) -> Self {
        Self {
            tokenizer,
            stop,
            stop_tokens,
            stream: TextStream::default(),
            pending: String::new(),
            stopped: false,
        }
    }

    /// The text that is certain after a token.
    pub fn push(&mut self, id: u32) -> String {
        if self.stopped || self.stop_tokens.contains(&id) {
            return String::new();
        }
        self.pending += &self.stream.push(self.tokenizer, id);
        self.release()
    }

    /// Whether a stop string was written.
    pub fn stopped(&self) -> bool {
        self.stopped
    }

    /// The text that is left at the end.
    pub fn finish(&mut self) -> String {
        if self.stopped {
            return String::new();
        }
        self.pending += &std::mem::take(&mut self.stream).finish(self.tokenizer);
        let text = self.release();
        if self.stopped {
            return text;
        }
        text + &std::mem::take(&mut self.pending)
    }

    fn release(&mut self) -> String {
        let found = self
            .stop
            .iter()
            .filter(|stop| !stop.is_empty())
            .filter_map(|stop| self.pending.find(stop.as_str()))
            .min();
        if let Some(end) = found {
            self.stopped = true;
            self.pending.truncate(end);
            return std::mem::take(&mut self.pending);
        }
        let kept_back = self
            .stop
            .iter()
            .map(|stop| overlap(&self.pending, stop))
            .max()
            .unwrap_or(0);
        let rest = self.pending.split_off(self.pending.len() - kept_back);
        std::mem::replace(&mut self.pending, rest)
    }
}

/// Length in bytes of the longest end of `text` that is a beginning of `stop`.
fn overlap(text: &str, stop: &str) -> usize {
    stop.char_indices()
        .map(|(at, _)| at)
        .filter(|&at| at > 0 && text.ends_with(&stop[..at]))
        .max()
        .unwrap_or(0)
}

/// A text that was written after a prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct WrittenText {
    /// Without stop string and stop token.
    pub text: String,
    /// The tokens of the text, and the reason for its end.
    pub tokens: GeneratedText,
}

/// Writes a continuation of each prompt with the settings of the request, whose own prompt is ignored. `stop_tokens`
/// are the model's ends of text.
pub async fn generate_texts(
    model: &Decoder,
    tokenizer: &Tokenizer,
    prompts: &[String],
    request: &GenerateRequest,
    stop_tokens: &[u32],
) -> Result<Vec<WrittenText>, LabError> {
    let prompts = prompts.iter().map(|prompt| tokenizer.encode_prompt(prompt));
    let prompts = prompts.collect::<Result<Vec<_>, LabError>>();
    let prompts = prompts.map_err(|error| error.at("prompt"))?;
    generate_from(model, tokenizer, &prompts, request, stop_tokens).await
}

/// [`generate_texts`] for prompts that are tokens already.
pub async fn generate_from(
    model: &Decoder,
    tokenizer: &Tokenizer,
    prompts: &[Vec<u32>],
    request: &GenerateRequest,
    stop_tokens: &[u32],
) -> Result<Vec<WrittenText>, LabError> {
    request.validate()?;
    let settings = GenerationSettings {
        stop_tokens: stop_tokens.to_vec(),
        ..request.into()
    };
    let mut texts = Vec::with_capacity(prompts.len());
    for (group, prompts) in prompts.chunks(settings.rows.max(1)).enumerate() {
        let first = group * settings.rows.max(1);
        let rows = (first as u64..)
            .zip(prompts)
            .map(|(number, prompt)| (number, prompt.clone()))
            .collect();
        let mut generation = Generation::new(model, rows, &settings)?;
        let writer = || Writer::new(tokenizer, &request.stop, stop_tokens);
        let mut writers: Vec<(Writer, String)> =
            prompts.iter().map(|_| (writer(), String::new())).collect();
        loop {
            let tokens = generation.next().await?;
            if tokens.is_empty() {
                break;
            }
            for NewToken { row, id, .. } in tokens {
                let Some((writer, text)) = writers.get_mut(row) else {
                    continue;
                };
                *text += &writer.push(id);
                if writer.stopped() {
                    generation.stop(row, FinishReason::StopString);
                }
            }
        }
        let done = generation.finish().into_iter().zip(writers);
        texts.extend(done.map(|(tokens, (mut writer, text))| WrittenText {
            text: text + &writer.finish(),
            tokens,
        }));
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_stop_string_is_found_across_tokens_and_left_out() {
        let stop = ["\n\n".to_owned(), "end".to_owned()];
        let mut writer = Writer::new(&Tokenizer::Byte, &stop, &[0]);
        let mut pieces: Vec<String> = "an en\nd\n\nmore"
            .bytes()
            .map(|b| writer.push(b.into()))
            .collect();
        pieces.push(writer.finish());
        assert_eq!(pieces.concat(), "an en\nd");
        assert!(writer.stopped());
        // Held back until the next token shows that it is not a stop string.
        let mut writer = Writer::new(&Tokenizer::Byte, &stop, &[0]);
        let pieces = [b'e', b'n', b'x', 0].map(|byte| writer.push(byte.into()));
        assert_eq!(pieces, ["", "", "enx", ""]);
    }

    proptest! {
        #[test]
        fn pieces_are_the_text_up_to_the_first_stop(text in "[ab é]{0,30}", stop in prop::collection::vec("[ab é]{0,3}", 0..3)) {
            let mut writer = Writer::new(&Tokenizer::Byte, &stop, &[]);
            let mut found: String = text.bytes().map(|byte| writer.push(byte.into())).collect();
            found += &writer.finish();
            let end = stop.iter().filter(|stop| !stop.is_empty()).filter_map(|stop| first_completed(&text, stop)).min();
            prop_assert_eq!(writer.stopped(), end.is_some());
            prop_assert_eq!(found, end.map_or(&text[..], |(_, start)| &text[..start]));
        }
    }

    /// End and start of the first complete stop string.
    fn first_completed(text: &str, stop: &str) -> Option<(usize, usize)> {
        text.find(stop).map(|start| (start + stop.len(), start))
    }
}
