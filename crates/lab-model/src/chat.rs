//! Chat templates: the form in which a model learned to read a conversation, as the Jinja template in a Hugging Face
//! `tokenizer_config.json` (or `chat_template.jinja`) defines it.

use lab_protocol::{ErrorCode, LabError, text};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, Value as Jinja, context};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The template's name in the engine and in its errors.
const NAME: &str = "chat_template";
/// Maximum number of instructions; a template that needs more is treated as one that never ends.
const FUEL: u64 = 4_000_000;

/// One turn of a conversation; roles are the template's, mostly `system`, `user`, `assistant`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChatMessage {
    pub role: String,
    pub content: String,
}

impl ChatMessage {
    pub fn new(role: &str, content: &str) -> Self {
        Self {
            role: role.to_owned(),
            content: content.to_owned(),
        }
    }

    /// A message of the user.
    pub fn user(content: &str) -> Self {
        Self::new("user", content)
    }

    /// Whether the model writes messages of this role.
    pub fn is_assistant(&self) -> bool {
        self.role == "assistant"
    }
}

/// A template that has been parsed.
#[derive(Clone, Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    source: String,
    bos_token: String,
    eos_token: String,
}

impl ChatTemplate {
    /// The template of a `tokenizer_config.json`, with its special tokens; `None` if it has no template. `jinja` is
    /// the text of a `chat_template.jinja` beside it, which takes precedence.
    pub fn read(config: &Value, jinja: Option<&str>) -> Result<Option<Self>, LabError> {
        let source = match (jinja, &config["chat_template"]) {
            (Some(source), _) => source,
            (None, Value::String(source)) => source,
            // Several templates by name: the one for plain conversations.
            (None, Value::Array(named)) => {
                let default = named.iter().find(|entry| entry["name"] == "default");
                match default.and_then(|entry| entry["template"].as_str()) {
                    Some(source) => source,
                    None => return Ok(None),
                }
            }
            _ => return Ok(None),
        };
        // A token is written as its text, or as an object with the text.
        let token = |key: &str| {
            let value = &config[key];
            let text = value.as_str().or_else(|| value["content"].as_str());
            text.unwrap_or_default().to_owned()
        };
        let template = Self::new(source, &token("bos_token"), &token("eos_token"))?;
        Ok(Some(template))
    }

    /// Parses a template. It reads the tokens as `bos_token` and `eos_token`.
    pub fn new(source: &str, bos_token: &str, eos_token: &str) -> Result<Self, LabError> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()
            .map_err(|error| LabError::internal(error.to_string()))?;
        environment.set_syntax(syntax);
        environment.set_fuel(Some(FUEL));
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", raise_exception);
        environment.add_function("strftime_now", strftime_now);
        environment.add_filter("tojson", tojson);
        environment
            .add_template_owned(NAME, without_generation_tags(source))
            .map_err(|error| {
                LabError::new(
                    ErrorCode::InvalidCheckpoint,
                    text!(
                        "the chat template cannot be read: {reason}",
                        reason = chain(&error)
                    ),
                    "Correct chat_template in tokenizer_config.json, or write prompts without it.",
                )
            })?;
        Ok(Self {
            environment,
            source: source.to_owned(),
            bos_token: bos_token.to_owned(),
            eos_token: eos_token.to_owned(),
        })
    }

    /// The template as it was read.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// A conversation as the model's text. With `add_generation_prompt` it ends where the assistant's answer
    /// begins.
    pub fn render(
        &self,
        messages: &[ChatMessage],
        add_generation_prompt: bool,
    ) -> Result<String, LabError> {
        let rendered = self.environment.get_template(NAME).and_then(|template| {
            template.render(context! {
                messages => minijinja::value::Serde(messages),
                add_generation_prompt => add_generation_prompt,
                bos_token => self.bos_token.as_str(),
                eos_token => self.eos_token.as_str(),
            })
        });
        rendered.map_err(|error| {
            LabError::new(
                ErrorCode::InvalidData,
                text!(
                    "the conversation cannot be written: {reason}",
                    reason = chain(&error)
                ),
                "Use roles and an order of turns that the model's chat template knows.",
            )
            .at("messages")
        })
    }
}

/// Replaces transformers' `{% generation %}` blocks, which mark the assistant's words and write nothing themselves,
/// by blocks that the engine knows. Their white-space control stays.
fn without_generation_tags(source: &str) -> String {
    let mut found = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let Some(length) = rest[start..].find("%}") else {
            break;
        };
        let tag = &rest[start..start + length];
        let name = tag
            .trim_start_matches("{%")
            .trim_matches(['-', '+', ' ', '\n', '\t']);
        found.push_str(&rest[..start]);
        found.push_str(&match name {
            "generation" => tag.replacen("generation", "if true", 1),
            "endgeneration" => tag.replacen("endgeneration", "endif", 1),
            _ => tag.to_owned(),
        });
        rest = &rest[start + length..];
    }
    found + rest
}

/// An error with its chain of causes.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Templates call this for conversations that they do not support.
fn raise_exception(message: String) -> Result<Jinja, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

/// An error, because the core has no clock: a prompt is the same every day.
fn strftime_now(_format: String) -> Result<Jinja, Error> {
    Err(Error::new(
        ErrorKind::InvalidOperation,
        "the template asks for today's date, which is not supported",
    ))
}

/// JSON as Python writes it and models read it in training: with a space after commas and colons.
fn tojson(value: &Jinja, options: minijinja::value::Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    let failed = |error: serde_json::Error| {
        Error::new(ErrorKind::BadSerialization, "this value is not JSON").with_source(error)
    };
    let mut bytes = Vec::new();
    match indent {
        Some(indent) => {
            let space = " ".repeat(indent.min(16));
            let format = serde_json::ser::PrettyFormatter::with_indent(space.as_bytes());
            value.serialize(&mut serde_json::Serializer::with_formatter(
                &mut bytes, format,
            ))
        }
        None => value.serialize(&mut serde_json::Serializer::with_formatter(
            &mut bytes, Spaced,
        )),
    }
    .map_err(failed)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// `{"a": 1, "b": [1, 2]}`.
struct Spaced;

impl serde_json::ser::Formatter for Spaced {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
    ) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn conversation(turns: &[(&str, &str)]) -> Vec<ChatMessage> {
        let message = |&(role, content): &(&str, &str)| ChatMessage::new(role, content);
        turns.iter().map(message).collect()
    }

    /// ChatML, as in SmolLM2-Instruct.
    const CHATML: &str = "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

    #[test]
    fn chatml_is_rendered() {
        let config = json!({"chat_template": CHATML, "eos_token": "<|im_end|>"});
        let template = ChatTemplate::read(&config, None).unwrap().unwrap();
        let text = template
            .render(&conversation(&[("user", "Hi")]), true)
            .unwrap();
        assert_eq!(
            text,
            "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n\
             <|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
        );
    }

    /// Features that Llama-2's template uses: exceptions, methods of Python's strings, namespaces, tokens as objects.
    #[test]
    fn a_template_can_use_python_and_refuse() {
        let source = "{%- set ns = namespace(n=0) -%}\n\
            {%- for m in messages -%}\n\
                {%- if (m.role == 'user') != (loop.index0 % 2 == 0) -%}\n\
                    {{ raise_exception('roles must alternate') }}\n\
                {%- endif -%}\n\
                {%- set ns.n = ns.n + 1 -%}\n\
                {{ bos_token if loop.first }}[{{ m.content.strip().split(' ')[-1] }}]\n\
            {%- endfor -%}\n\
            {{ ns.n }}{{ eos_token }}{{ {'a': [1, 'é<']} | tojson }}";
        let config = json!({
            "chat_template": [{"name": "tool_use", "template": "x"}, {"name": "default", "template": source}],
            "bos_token": {"content": "<s>", "special": true}, "eos_token": "</s>"
        });
        let template = ChatTemplate::read(&config, None).unwrap().unwrap();
        let good = conversation(&[("user", " one two "), ("assistant", "three")]);
        assert_eq!(
            template.render(&good, false).unwrap(),
            "<s>[two][three]2</s>{\"a\": [1, \"é<\"]}"
        );
        let error = template
            .render(&conversation(&[("assistant", "x")]), false)
            .unwrap_err();
        assert!(error.message.contains("roles must alternate"), "{error}");
    }

    /// Templates for training mark the assistant's words; the engine does not know these tags.
    #[test]
    fn generation_tags_write_nothing() {
        let marked = "{% for m in messages %}\n<{{ m.role }}>{%- generation -%} {{ m.content }}{%- endgeneration %}\n{% endfor %}";
        let plain = "{% for m in messages %}\n<{{ m.role }}>{%- if true -%} {{ m.content }}{%- endif %}\n{% endfor %}";
        let turns = conversation(&[("user", "a"), ("assistant", "b")]);
        let rendered = |source| {
            ChatTemplate::new(source, "", "")
                .unwrap()
                .render(&turns, false)
                .unwrap()
        };
        assert_eq!(rendered(marked), rendered(plain));
        assert!(rendered(marked).contains("<assistant>b"));
    }

    #[test]
    fn what_cannot_be_read_or_never_ends_is_an_error() {
        assert!(ChatTemplate::new("{% for %}", "", "").is_err());
        assert!(ChatTemplate::read(&json!({}), None).unwrap().is_none());
        let endless =
            "{% for a in range(9999) %}{% for b in range(9999) %}{{ a }}{% endfor %}{% endfor %}";
        let template = ChatTemplate::new(endless, "", "").unwrap();
        assert!(template.render(&[], false).is_err());
    }
}
