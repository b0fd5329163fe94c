//! Messages as data sets write them.

use lab_model::chat::ChatMessage;
use serde_json::{Map, Value};

/// The fields in which a prompt is found.
pub const PROMPTS: [&str; 6] = [
    "prompt",
    "question",
    "instruction",
    "query",
    "user",
    "input",
];

/// The first of the names that a row has, with its value.
pub fn first<'v>(
    fields: &'v Map<String, Value>,
    names: &[&'static str],
) -> Option<(&'static str, &'v Value)> {
    names
        .iter()
        .filter_map(|&name| fields.get(name).map(|value| (name, value)))
        .find(|(_, value)| !value.is_null())
}

/// A prompt: a list of messages, or a text of the user's.
pub fn prompt(name: &str, value: &Value) -> Result<Vec<ChatMessage>, String> {
    match value {
        Value::Array(_) => messages(name, value),
        _ => Ok(vec![ChatMessage::user(text(name, value)?)]),
    }
}

/// A list of messages, each with `role` and `content`, or with `from` and `value`.
pub fn messages(name: &str, value: &Value) -> Result<Vec<ChatMessage>, String> {
    let list = value
        .as_array()
        .ok_or_else(|| format!("its {name} is {}, not a list", kind(value)))?;
    let field = |entry: &Value, names: [&'static str; 2]| {
        let found = names.into_iter().find(|name| !entry[*name].is_null());
        let name = found.ok_or_else(|| format!("a message has no {}", names[0]))?;
        text(name, &entry[name]).map(str::to_owned)
    };
    list.iter()
        .map(|entry| {
            let role = field(entry, ["role", "from"])?;
            let role = match role.as_str() {
                "system" | "developer" => "system",
                "user" | "human" => "user",
                "assistant" | "gpt" | "model" => "assistant",
                other => return Err(format!("a message is of the role \"{other}\"")),
            };
            Ok(ChatMessage::new(role, &field(entry, ["content", "value"])?))
        })
        .collect()
}

/// An answer: a text, or one message of the assistant's.
pub fn answer(name: &str, value: &Value) -> Result<String, String> {
    let Value::Array(_) = value else {
        return text(name, value).map(str::to_owned);
    };
    match &messages(name, value)?[..] {
        [message] if message.is_assistant() => Ok(message.content.clone()),
        [message] => Err(format!("its {name} is of the role \"{}\"", message.role)),
        messages => Err(format!(
            "its {name} has {} messages, not one",
            messages.len()
        )),
    }
}

/// The conversation in a text whose turns begin with `Human:` and `Assistant:` after a blank line, as Anthropic's
/// HH data set writes them; none in another text.
pub fn speakers(text: &str) -> Option<Vec<ChatMessage>> {
    const SPEAKERS: [(&str, &str); 2] = [("\n\nHuman:", "user"), ("\n\nAssistant:", "assistant")];
    let next = |text: &str| {
        let found = SPEAKERS
            .iter()
            .filter_map(|&(sign, role)| Some((text.find(sign)?, sign, role)));
        found.min()
    };
    let mut rest = text;
    let mut found = Vec::new();
    if next(rest)?.0 != 0 {
        return None;
    }
    while let Some((start, sign, role)) = next(rest) {
        rest = &rest[start + sign.len()..];
        let end = next(rest).map_or(rest.len(), |(end, ..)| end);
        found.push(ChatMessage::new(role, rest[..end].trim()));
        rest = &rest[end..];
    }
    Some(found)
}

/// The text of a value, or an error that names its type.
pub fn text<'v>(name: &str, value: &'v Value) -> Result<&'v str, String> {
    value
        .as_str()
        .ok_or_else(|| format!("its {name} is {}, not text", kind(value)))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
