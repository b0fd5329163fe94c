//! Messages as the tokens that a model reads: one form for training, preferences, scoring, asking and retrieval.
// Learned tokens are ranges; a range is not a list of its numbers.
#![allow(clippy::single_range_in_vec_init)]

use crate::chat::{ChatMessage, ChatTemplate};
use crate::examples::Example;
use crate::tokenizer::Tokenizer;
use lab_protocol::LabError;

/// The form in which a model gets messages: by its chat template if it has one, else plain.
///
/// In the plain form a message is its content and a new line, which is left out if the content ends with one or the
/// vocabulary has none; an answer is its content and the token that ends answers. If the model has a token that
/// begins every text, it stands once at the beginning, whether the template writes it or not.
///
/// Answers are encoded separately from the text before them. So the tokens before an answer are the same whether the
/// answer is learned, scored or generated.
#[derive(Clone, Copy)]
pub struct PromptFormat<'a> {
    pub tokenizer: &'a Tokenizer,
    pub template: Option<&'a ChatTemplate>,
    /// Tokens that end an answer. The first is added to an answer that has none of them.
    pub ends: &'a [u32],
}

/// A piece of a conversation's text.
struct Part {
    text: String,
    /// The index of the message, if an assistant wrote this piece.
    answer: Option<usize>,
}

impl PromptFormat<'_> {
    /// The tokens that the model reads before it answers `messages`.
    pub fn prompt(&self, messages: &[ChatMessage]) -> Result<Vec<u32>, LabError> {
        let Some(template) = self.template else {
            return Ok(self.plain(messages)?.0);
        };
        match parts(template, messages, true)? {
            Some(parts) => Ok(self.joined(&parts)?.0),
            None => {
                let text = template.render(messages, true)?;
                self.tokenizer.encode_prompt(&text)
            }
        }
    }

    /// The tokens of an answer to `messages`, its end included.
    pub fn answer(&self, messages: &[ChatMessage], answer: &str) -> Result<Vec<u32>, LabError> {
        let text = match self.template {
            None => answer.to_owned(),
            Some(template) => {
                let mut all = messages.to_vec();
                all.push(ChatMessage::new("assistant", answer));
                let before = template.render(messages, true)?;
                let whole = template.render(&all, false)?;
                // If a template writes an answer in another way than after its own prompt, the answer stays
                // unchanged.
                whole.strip_prefix(&before).unwrap_or(answer).to_owned()
            }
        };
        let mut tokens = self.tokenizer.encode(&text)?;
        let length = self.answer_length(&tokens);
        tokens.truncate(length);
        if !self.has_end(&tokens) {
            tokens.extend(self.ends.first());
        }
        Ok(tokens)
    }

    /// A conversation to learn from: one example, in which the assistant's messages from index `first` on are
    /// learned, each with its end. If a template writes earlier turns differently once others follow, each of these
    /// messages becomes an example of its own instead.
    pub fn conversation(
        &self,
        messages: &[ChatMessage],
        first: usize,
    ) -> Result<Vec<Example>, LabError> {
        let (tokens, answers) = match self.template {
            None => self.plain(messages)?,
            Some(template) => match parts(template, messages, false)? {
                Some(parts) => self.joined(&parts)?,
                None => return self.answer_by_answer(messages, first),
            },
        };
        let learned = answers.into_iter().filter(|(number, _)| *number >= first);
        let learned: Vec<_> = learned.map(|(_, place)| place).collect();
        let mut example = Example { tokens, learned };
        if let Some(last) = example.learned.last_mut() {
            // Tokens that the template writes after the last answer are never read.
            example.tokens.truncate(last.end);
            if !self.has_end(&example.tokens[last.clone()]) {
                example.tokens.extend(self.ends.first());
                last.end = example.tokens.len();
            }
        }
        Ok(vec![example])
    }

    fn answer_by_answer(
        &self,
        messages: &[ChatMessage],
        first: usize,
    ) -> Result<Vec<Example>, LabError> {
        let answers = messages.iter().enumerate().skip(first);
        answers
            .filter(|(_, message)| message.is_assistant())
            .map(|(number, message)| {
                let before = &messages[..number];
                let mut tokens = self.prompt(before)?;
                let start = tokens.len();
                tokens.extend(self.answer(before, &message.content)?);
                let learned = vec![start..tokens.len()];
                Ok(Example { tokens, learned })
            })
            .collect()
    }

    /// Messages in the plain form, and the ranges of the answers in it, by the indices of their messages.
    fn plain(&self, messages: &[ChatMessage]) -> Result<(Vec<u32>, Answers), LabError> {
        let has_lines = self.tokenizer.encode("\n").is_ok();
        let (mut tokens, mut answers) = (Vec::new(), Vec::new());
        let mut text = String::new();
        for (number, message) in messages.iter().enumerate() {
            if message.is_assistant() && !self.ends.is_empty() {
                self.append(&mut tokens, &std::mem::take(&mut text))?;
                let start = tokens.len();
                self.append(&mut tokens, &message.content)?;
                if !self.has_end(&tokens[start..]) {
                    tokens.extend(self.ends.first());
                }
                answers.push((number, start..tokens.len()));
            } else {
                text += &message.content;
                if has_lines && !message.content.ends_with('\n') {
                    text.push('\n');
                }
            }
        }
        self.append(&mut tokens, &text)?;
        Ok((tokens, answers))
    }

    /// The parts of a text concatenated, and the ranges of the answers in it, each up to its end.
    fn joined(&self, parts: &[Part]) -> Result<(Vec<u32>, Answers), LabError> {
        let (mut tokens, mut answers) = (Vec::new(), Vec::new());
        for part in parts {
            let start = tokens.len();
            self.append(&mut tokens, &part.text)?;
            if let Some(number) = part.answer {
                let length = self.answer_length(&tokens[start..]);
                answers.push((number, start..start + length));
            }
        }
        Ok((tokens, answers))
    }

    fn append(&self, tokens: &mut Vec<u32>, text: &str) -> Result<(), LabError> {
        tokens.extend(match tokens.is_empty() {
            true => self.tokenizer.encode_prompt(text)?,
            false => self.tokenizer.encode(text)?,
        });
        Ok(())
    }

    /// Up to the first token that ends an answer: the text that a template writes after it belongs to no message.
    fn answer_length(&self, tokens: &[u32]) -> usize {
        let end = tokens.iter().position(|token| self.ends.contains(token));
        end.map_or(tokens.len(), |end| end + 1)
    }

    fn has_end(&self, tokens: &[u32]) -> bool {
        tokens.last().is_some_and(|last| self.ends.contains(last))
    }
}

type Answers = Vec<(usize, std::ops::Range<usize>)>;

/// The text of a conversation, up to the start of the assistant's next answer if it is `open`, with every answer as a
/// separate part. `None` if the template does not write an answer directly after the prompt that asks for it, or
/// writes it differently once more messages follow.
fn parts(
    template: &ChatTemplate,
    messages: &[ChatMessage],
    open: bool,
) -> Result<Option<Vec<Part>>, LabError> {
    let whole = template.render(messages, open)?;
    let (mut parts, mut done) = (Vec::new(), 0);
    let answers = messages.iter().enumerate();
    for (number, _) in answers.filter(|(_, message)| message.is_assistant()) {
        let before = template.render(&messages[..number], true)?;
        let after = template.render(&messages[..=number], false)?;
        let continues = after.starts_with(&before) && whole.starts_with(&after);
        if !continues || before.len() < done {
            return Ok(None);
        }
        for (range, answer) in [
            (done..before.len(), None),
            (before.len()..after.len(), Some(number)),
        ] {
            let text = whole[range].to_owned();
            parts.push(Part { text, answer });
        }
        done = after.len();
    }
    parts.push(Part {
        text: whole[done..].to_owned(),
        answer: None,
    });
    Ok(Some(parts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lab_protocol::TokenizerKind;
    use serde_json::json;

    /// ChatML, with the token that texts begin with.
    const CHATML: &str = "{{ bos_token }}{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
    /// Thoughts are only kept in the last answer, as in Qwen 3.
    const FORGETS: &str = "{% for m in messages %}[{{ m.role }}]{% if m.role == 'assistant' and not loop.last %}{{ m.content.split('!')[-1] }}{% else %}{{ m.content }}{% endif %}<|im_end|>{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}";

    fn tokenizer(begins: bool) -> Tokenizer {
        let trained = Tokenizer::train(TokenizerKind::Bpe, 300, ["a few words of a text"]).unwrap();
        let mut json = trained.to_json();
        let added = json["added_tokens"].as_array_mut().unwrap();
        for (id, token) in (300..).zip(["<s>", "<|im_start|>", "<|im_end|>"]) {
            added.push(json!({"id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true}));
        }
        let tokenizer = Tokenizer::from_json(&json).unwrap();
        let [begin, end] = ["<s>", "<|im_end|>"].map(|token| tokenizer.id_of(token));
        assert!(begin.is_some() && end.is_some());
        tokenizer.between(begin.filter(|_| begins), end)
    }

    fn template(source: &str) -> ChatTemplate {
        ChatTemplate::new(source, "<s>", "<|im_end|>").unwrap()
    }

    fn conversation() -> Vec<ChatMessage> {
        [
            ("system", "of"),
            ("user", "a few"),
            ("assistant", "words"),
            ("user", "a"),
            ("assistant", "text"),
        ]
        .map(|(role, content)| ChatMessage::new(role, content))
        .to_vec()
    }

    /// The learned tokens, in words.
    fn learned(example: &Example, tokenizer: &Tokenizer) -> Vec<String> {
        let spans = example.learned.iter();
        let text = |&id: &u32| tokenizer.token_text(id);
        spans
            .map(|span| example.tokens[span.clone()].iter().map(text).collect())
            .collect()
    }

    #[test]
    fn every_use_of_a_prompt_has_the_same_tokens() {
        let messages = conversation();
        for begins in [true, false] {
            let tokenizer = tokenizer(begins);
            let ends = [tokenizer.end().unwrap()];
            for source in [
                None,
                Some(template(CHATML)),
                Some(template(&CHATML[15..])),
                Some(template(FORGETS)),
            ] {
                let format = PromptFormat {
                    tokenizer: &tokenizer,
                    template: source.as_ref(),
                    ends: &ends,
                };
                for length in [2, 4] {
                    let (before, answer) = (&messages[..length], &messages[length].content);
                    let prompt = format.prompt(before).unwrap();
                    let response = format.answer(before, answer).unwrap();
                    let whole = [&prompt[..], &response[..]].concat();
                    let all = format.conversation(&messages[..=length], length).unwrap();
                    assert_eq!(all.len(), 1);
                    assert_eq!(all[0].tokens, whole, "{begins} {length}");
                    assert_eq!(all[0].learned, [prompt.len()..whole.len()]);
                    assert_eq!(response.last(), ends.first());
                    let begin = tokenizer.id_of("<s>").unwrap();
                    let count = whole.iter().filter(|&&id| id == begin).count();
                    let written = source
                        .as_ref()
                        .is_some_and(|t| t.source().starts_with("{{ bos"));
                    assert_eq!(count, usize::from(begins || written));
                    assert_eq!(count == 1, whole[0] == begin);
                }
            }
        }
    }

    #[test]
    fn a_conversation_is_one_example_in_which_the_turns_are_learned() {
        let tokenizer = tokenizer(true);
        let ends = [tokenizer.end().unwrap()];
        let chatml = template(CHATML);
        let messages = conversation();
        for template in [None, Some(&chatml)] {
            let format = PromptFormat {
                tokenizer: &tokenizer,
                template,
                ends: &ends,
            };
            let examples = format.conversation(&messages, 0).unwrap();
            let [example] = &examples[..] else {
                panic!("{} examples", examples.len())
            };
            assert_eq!(
                learned(example, &tokenizer),
                ["words<|im_end|>", "text<|im_end|>"]
            );
            let text = tokenizer.decode(&example.tokens);
            assert_eq!(
                text,
                match template {
                    Some(_) =>
                        "<s><|im_start|>system\nof<|im_end|>\n<|im_start|>user\na few<|im_end|>\n<|im_start|>assistant\nwords<|im_end|>\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\ntext<|im_end|>",
                    None => "<s>of\na few\nwords<|im_end|>a\ntext<|im_end|>",
                }
            );
            // The second prompt is a beginning of the sequence, and the later answers alone can be learned.
            let second = format.prompt(&messages[..4]).unwrap();
            assert!(example.tokens.starts_with(&second));
            let later = format.conversation(&messages, 3).unwrap();
            assert_eq!(learned(&later[0], &tokenizer), ["text<|im_end|>"]);
            assert_eq!(later[0].tokens, example.tokens);
        }
    }

    #[test]
    fn a_template_that_rewrites_earlier_turns_gives_an_example_for_each_answer() {
        let tokenizer = tokenizer(false);
        let ends = [tokenizer.end().unwrap()];
        let forgets = template(FORGETS);
        let format = PromptFormat {
            tokenizer: &tokenizer,
            template: Some(&forgets),
            ends: &ends,
        };
        let mut messages = conversation();
        messages[2].content = "few! words".into();
        let examples = format.conversation(&messages, 0).unwrap();
        let texts: Vec<String> = examples
            .iter()
            .map(|e| tokenizer.decode(&e.tokens))
            .collect();
        assert_eq!(
            texts,
            [
                "[system]of<|im_end|>[user]a few<|im_end|>[assistant]few! words<|im_end|>",
                "[system]of<|im_end|>[user]a few<|im_end|>[assistant] words<|im_end|>[user]a<|im_end|>[assistant]text<|im_end|>",
            ]
        );
        assert_eq!(learned(&examples[0], &tokenizer), ["few! words<|im_end|>"]);
        assert_eq!(learned(&examples[1], &tokenizer), ["text<|im_end|>"]);
    }

    #[test]
    fn the_plain_form_is_a_line_a_message_where_there_are_lines() {
        let text = "a b\nc";
        let tokenizer = Tokenizer::train(TokenizerKind::Character, 0, [text]).unwrap();
        let ends = [tokenizer.end().unwrap()];
        let format = |tokenizer, ends| PromptFormat {
            tokenizer,
            template: None,
            ends,
        };
        let plain = format(&tokenizer, &ends);
        for content in ["a b", "a b\n"] {
            let prompt = plain.prompt(&[ChatMessage::user(content)]).unwrap();
            assert_eq!(tokenizer.decode(&prompt), "a b\n");
        }
        assert_eq!(tokenizer.decode(&plain.answer(&[], "c").unwrap()), "c\n");
        let letters = Tokenizer::train(TokenizerKind::Character, 0, ["ab"]).unwrap();
        let plain = format(&letters, &[]);
        let prompt = plain.prompt(&[ChatMessage::user("a")]).unwrap();
        assert_eq!(letters.decode(&prompt), "a");
        assert_eq!(
            plain.answer(&[], "b").unwrap(),
            letters.encode("b").unwrap()
        );
    }
}
