//! Preference data as JSONL, in the layouts that are in use.

use lab_protocol::{ErrorCode, LabError, PreferenceExample};
use serde_json::Value;

const PROMPTS: [&str; 5] = ["prompt", "question", "instruction", "input", "query"];
const CHOSEN: [&str; 4] = ["chosen", "preferred", "response_chosen", "response_j"];
const REJECTED: [&str; 4] = [
    "rejected",
    "dispreferred",
    "response_rejected",
    "response_k",
];

/// One line each: `{"prompt", "chosen", "rejected"}` of texts or of lists of messages, the same under
/// other usual names, or `{"chosen", "rejected"}` that begin with the same conversation. Blank lines are
/// skipped. A line that is none of these is an error that gives its number.
pub fn read_preferences(text: &str) -> Result<Vec<PreferenceExample>, LabError> {
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(index, line)| {
            read_line(line).map_err(|what| {
                LabError::new(
                    ErrorCode::InvalidData,
                    format!("line {} is no preference: {what}", index + 1),
                    "Give one object a line: {\"prompt\": …, \"chosen\": …, \"rejected\": …}.",
                )
                .at("data")
            })
        })
        .collect()
}

/// Prompts alone, for a reward that needs no preferences: `{"prompt"}` in each line, or preferences.
pub fn read_prompts(text: &str) -> Result<Vec<String>, LabError> {
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(index, line)| {
            let value: Value = serde_json::from_str(line).unwrap_or_default();
            let prompt = first(&value, &PROMPTS).map(content);
            let prompt = match prompt {
                Some(prompt) => prompt,
                None => read_line(line).map(|example| example.prompt),
            };
            prompt.map_err(|what| {
                LabError::new(
                    ErrorCode::InvalidData,
                    format!("line {} has no prompt: {what}", index + 1),
                    "Give one object a line: {\"prompt\": …}.",
                )
                .at("data")
            })
        })
        .collect()
}

fn read_line(line: &str) -> Result<PreferenceExample, String> {
    let value: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let chosen = first(&value, &CHOSEN).ok_or("it has no \"chosen\"")?;
    let rejected = first(&value, &REJECTED).ok_or("it has no \"rejected\"")?;
    let (mut chosen, mut rejected) = (content(chosen)?, content(rejected)?);
    let prompt = match first(&value, &PROMPTS) {
        Some(prompt) => {
            let prompt = content(prompt)?;
            // Some layouts repeat the prompt in both answers.
            for answer in [&mut chosen, &mut rejected] {
                if let Some(rest) = answer.strip_prefix(&prompt).filter(|_| !prompt.is_empty()) {
                    *answer = rest.to_owned();
                }
            }
            prompt
        }
        None => {
            let shared = shared_beginning(&chosen, &rejected);
            let prompt = chosen[..shared].to_owned();
            chosen.drain(..shared);
            rejected.drain(..shared);
            prompt
        }
    };
    let margin = match &value["margin"] {
        Value::Null => None,
        Value::Number(margin) => margin.as_f64(),
        other => return Err(format!("its margin is {other}")),
    };
    Ok(PreferenceExample {
        prompt,
        chosen,
        rejected,
        margin,
    })
}

fn first<'v>(value: &'v Value, names: &[&str]) -> Option<&'v Value> {
    names
        .iter()
        .map(|name| &value[*name])
        .find(|found| !found.is_null())
}

/// A text, or messages `{"role", "content"}` one after the other.
fn content(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Array(messages) => {
            let texts: Option<Vec<&str>> = messages
                .iter()
                .map(|message| message["content"].as_str())
                .collect();
            let texts = texts.ok_or("a message has no \"content\"")?;
            Ok(texts.join("\n"))
        }
        other => Err(format!("{other} is neither text nor messages")),
    }
}

/// Where two conversations part: after the last mark of a speaker that both have, else after the last
/// line that is the same.
fn shared_beginning(first: &str, second: &str) -> usize {
    let mut same = first
        .char_indices()
        .zip(second.chars())
        .find(|((_, a), b)| a != b)
        .map_or(first.len().min(second.len()), |((at, _), _)| at);
    while !first.is_char_boundary(same) || !second.is_char_boundary(same) {
        same -= 1;
    }
    let shared = &first[..same];
    let mark = shared.rfind("Assistant:").map(|at| at + "Assistant:".len());
    mark.or_else(|| shared.rfind('\n').map(|at| at + 1))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> PreferenceExample {
        read_preferences(line).unwrap().remove(0)
    }

    #[test]
    fn the_usual_layouts_are_read() {
        let plain = one(r#"{"prompt": "Q", "chosen": "good", "rejected": "bad", "margin": 0.5}"#);
        assert_eq!((plain.prompt.as_str(), plain.margin), ("Q", Some(0.5)));
        let chat = one(
            r#"{"prompt": [{"role": "user", "content": "Q"}], "chosen": [{"role": "assistant", "content": "good"}], "rejected": [{"role": "assistant", "content": "bad"}]}"#,
        );
        let named = one(r#"{"question": "Q", "response_j": "good", "response_k": "bad"}"#);
        for found in [&plain, &chat, &named] {
            let texts = [&found.prompt, &found.chosen, &found.rejected];
            assert_eq!(texts.map(String::as_str), ["Q", "good", "bad"]);
        }
        let repeated = one(r#"{"prompt": "Q ", "chosen": "Q good", "rejected": "Q bad"}"#);
        assert_eq!(
            (repeated.chosen.as_str(), repeated.rejected.as_str()),
            ("good", "bad")
        );
        let joined = one(
            "{\"chosen\": \"\\n\\nHuman: Q\\n\\nAssistant: yés\", \"rejected\": \"\\n\\nHuman: Q\\n\\nAssistant: yès\"}",
        );
        assert_eq!(joined.prompt, "\n\nHuman: Q\n\nAssistant:");
        assert_eq!(
            (joined.chosen.as_str(), joined.rejected.as_str()),
            (" yés", " yès")
        );
    }

    #[test]
    fn a_bad_line_is_given_by_its_number() {
        for bad in [
            "{",
            r#"{"prompt": "Q", "chosen": "a"}"#,
            r#"{"prompt": "Q", "chosen": 3, "rejected": "b"}"#,
            r#"{"prompt": "Q", "chosen": "a", "rejected": "b", "margin": "much"}"#,
        ] {
            let text = format!(
                "{}\n\n{bad}\n",
                r#"{"prompt": "Q", "chosen": "a", "rejected": "b"}"#
            );
            let error = read_preferences(&text).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidData);
            assert!(error.message.contains("line 3"), "{error}");
        }
        assert_eq!(
            read_prompts("{\"prompt\": \"a\"}\n{\"question\": \"b\"}").unwrap(),
            ["a", "b"]
        );
        assert!(
            read_prompts("{\"prompt\": \"a\"}\n{}")
                .unwrap_err()
                .message
                .contains("line 2")
        );
    }
}
