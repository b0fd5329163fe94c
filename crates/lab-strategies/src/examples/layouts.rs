//! Conversations from JSONL, JSON and CSV, in the layouts that are in use.

use super::csv;
use super::json::Unique;
use lab_model::chat::ChatMessage;
use lab_protocol::{ErrorCode, LabError, PromptResponsePair};
use serde_json::Value;

/// What was said before, and the response to learn.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversation {
    pub before: Vec<ChatMessage>,
    pub response: String,
    /// Number of the row it came from, from 1.
    pub row: usize,
}

const PROMPTS: [&str; 5] = ["prompt", "question", "instruction", "query", "user"];
const RESPONSES: [&str; 7] = [
    "response",
    "completion",
    "output",
    "answer",
    "assistant",
    "target",
    "chosen",
];
const CONVERSATIONS: [&str; 3] = ["messages", "conversations", "conversation"];
/// Faults that are listed; of the others only the number is told.
const LISTED: usize = 5;

/// Reads a text: a JSON list, an object a line, or CSV whose first line names the columns. A row is a
/// prompt and its response (`prompt`/`completion`, `instruction`/`input`/`output`, `question`/`answer` and
/// the like), or `messages`, each response of which is an example of its own. Rows that are none of
/// these are errors that give their numbers.
pub fn read_conversations(text: &str) -> Result<Vec<Conversation>, LabError> {
    let mut faults = Vec::new();
    let mut found = Vec::new();
    for (row, value) in rows(text)? {
        match value.and_then(|value| conversations(&value, row)) {
            Ok(conversations) => found.extend(conversations),
            Err(fault) => faults.push(format!("row {row}: {fault}")),
        }
    }
    if !faults.is_empty() {
        let more = match faults.len().saturating_sub(LISTED) {
            0 => String::new(),
            more => format!("; and {more} rows more"),
        };
        faults.truncate(LISTED);
        return Err(bad(format!("{}{more}", faults.join("; "))));
    }
    if found.is_empty() {
        return Err(bad("there is no example in it".into()));
    }
    Ok(found)
}

/// Conversations of one question, as [`PromptResponsePair`] has them.
pub fn from_pair(pair: &PromptResponsePair, row: usize) -> Conversation {
    let system = pair.system.iter().map(|system| message("system", system));
    Conversation {
        before: system.chain([message("user", &pair.prompt)]).collect(),
        response: pair.response.clone(),
        row,
    }
}

fn bad(what: String) -> LabError {
    LabError::new(
        ErrorCode::InvalidData,
        format!("the examples cannot be read: {what}"),
        "Give one object a line, e.g. {\"prompt\": \"…\", \"response\": \"…\"}, a JSON list of such, or CSV with these columns.",
    )
    .at("data")
}

type Row = (usize, Result<Value, String>);

fn rows(text: &str) -> Result<Vec<Row>, LabError> {
    let parse = |text: &str| {
        serde_json::from_str(text)
            .map(|Unique(value)| value)
            .map_err(|error| error.to_string())
    };
    match text.trim_start().chars().next() {
        Some('[') => match parse(text).map_err(bad)? {
            Value::Array(list) => Ok((1..).zip(list.into_iter().map(Ok)).collect()),
            _ => Err(bad("it is no list".into())),
        },
        Some('{') => Ok((1..)
            .zip(text.lines())
            .filter(|(_, line)| !line.trim().is_empty())
            .map(|(row, line)| (row, parse(line)))
            .collect()),
        Some(_) => csv_rows(text),
        None => Ok(Vec::new()),
    }
}

/// Rows are counted after the one with the names.
fn csv_rows(text: &str) -> Result<Vec<Row>, LabError> {
    let mut records = csv::records(text).into_iter();
    let names = match records.next() {
        Some(names) => names.map_err(bad)?,
        None => return Ok(Vec::new()),
    };
    for (index, name) in names.iter().enumerate() {
        if names.iter().take(index).any(|other| other == name) {
            return Err(bad(format!("two columns are called \"{name}\"")));
        }
    }
    if !names.iter().any(|name| PROMPTS.contains(&name.as_str())) {
        let names: Vec<&str> = names.iter().take(8).map(String::as_str).collect();
        return Err(bad(format!(
            "it is no JSON, and as CSV none of its columns ({}) is a prompt",
            names.join(", ")
        )));
    }
    let row = |record: Result<Vec<String>, String>| {
        let record = record?;
        if record.len() != names.len() {
            return Err(format!(
                "it has {} fields, and there are {} columns",
                record.len(),
                names.len()
            ));
        }
        let entries = names
            .iter()
            .cloned()
            .zip(record.into_iter().map(Value::from));
        Ok(Value::Object(entries.collect()))
    };
    Ok((1..).zip(records.map(row)).collect())
}

fn conversations(value: &Value, row: usize) -> Result<Vec<Conversation>, String> {
    let Value::Object(fields) = value else {
        return Err("it is no object".into());
    };
    let first = |names: &[&'static str]| {
        let there = names.iter().copied();
        there
            .filter_map(|name| fields.get(name).map(|value| (name, value)))
            .find(|(_, value)| !value.is_null())
    };
    let system = match first(&["system"]) {
        Some((name, value)) => vec![message("system", text(name, value)?)],
        None => Vec::new(),
    };
    if let Some((name, value)) = first(&CONVERSATIONS) {
        return turns(system, messages(name, value)?, row);
    }
    let (name, prompt) = first(&PROMPTS).ok_or("it has no prompt")?;
    let mut before = system;
    match prompt {
        Value::Array(_) => before.extend(messages(name, prompt)?),
        _ => {
            let mut prompt = text(name, prompt)?.to_owned();
            if let Some((name, input)) = first(&["input"]) {
                let input = text(name, input)?;
                if !input.is_empty() {
                    prompt = format!("{prompt}\n{input}");
                }
            }
            before.push(message("user", &prompt));
        }
    }
    let (name, response) = first(&RESPONSES).ok_or("it has no response")?;
    let response = match response {
        Value::Array(_) => messages(name, response)?
            .into_iter()
            .map(|message| message.content)
            .collect::<Vec<_>>()
            .join("\n"),
        _ => text(name, response)?.to_owned(),
    };
    if response.trim().is_empty() {
        return Err(format!("its {name} is empty"));
    }
    Ok(vec![Conversation {
        before,
        response,
        row,
    }])
}

/// An example for each turn of the assistant's.
fn turns(
    system: Vec<ChatMessage>,
    messages: Vec<ChatMessage>,
    row: usize,
) -> Result<Vec<Conversation>, String> {
    let mut before = system;
    let mut found = Vec::new();
    for message in messages {
        if message.role == "assistant" {
            if before.iter().all(|earlier| earlier.role == "system") {
                return Err("it begins with the assistant".into());
            }
            if message.content.trim().is_empty() {
                return Err("a response is empty".into());
            }
            found.push(Conversation {
                before: before.clone(),
                response: message.content.clone(),
                row,
            });
        }
        before.push(message);
    }
    if found.is_empty() {
        return Err("it has no response".into());
    }
    Ok(found)
}

/// Messages as `role`/`content`, or as `from`/`value`.
fn messages(name: &str, value: &Value) -> Result<Vec<ChatMessage>, String> {
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
                "system" => "system",
                "user" | "human" => "user",
                "assistant" | "gpt" | "model" => "assistant",
                other => return Err(format!("a message is of the role \"{other}\"")),
            };
            Ok(message(role, &field(entry, ["content", "value"])?))
        })
        .collect()
}

fn message(role: &str, content: &str) -> ChatMessage {
    ChatMessage {
        role: role.to_owned(),
        content: content.to_owned(),
    }
}

fn text<'v>(name: &str, value: &'v Value) -> Result<&'v str, String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Conversation {
        let mut found = read_conversations(text).unwrap();
        assert_eq!(found.len(), 1, "{text}");
        found.remove(0)
    }

    #[test]
    fn the_usual_layouts_are_read() {
        for text in [
            r#"{"prompt": "Q", "response": "A"}"#,
            r#"{"prompt": "Q", "completion": "A", "id": 7}"#,
            r#"{"instruction": "Q", "input": "", "output": "A"}"#,
            r#"[{"question": "Q", "answer": "A"}]"#,
            r#"{"prompt": [{"role": "user", "content": "Q"}], "completion": [{"role": "assistant", "content": "A"}]}"#,
            r#"{"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]}"#,
            r#"{"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]}"#,
            "prompt,response\nQ,A\n",
        ] {
            let found = one(text);
            assert_eq!(found.before, [message("user", "Q")], "{text}");
            assert_eq!((found.response.as_str(), found.row), ("A", 1));
        }
        let input = one(r#"{"instruction": "Add", "input": "1 2", "output": "3", "system": "S"}"#);
        assert_eq!(
            input.before,
            [message("system", "S"), message("user", "Add\n1 2")]
        );
        let quoted = one("instruction,output\n\"a, \"\"b\"\"\nc\",\"d\ne\"\n");
        assert_eq!(quoted.before[0].content, "a, \"b\"\nc");
        assert_eq!(quoted.response, "d\ne");
    }

    #[test]
    fn every_answer_of_a_conversation_is_an_example() {
        let text = r#"{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},
            {"role": "user", "content": "c"}, {"role": "assistant", "content": "d"}]}"#
            .replace('\n', " ");
        let found = read_conversations(&text).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[1].before.len(), 3);
        assert_eq!(found[1].response, "d");
    }

    #[test]
    fn bad_rows_are_given_by_their_numbers() {
        let good = r#"{"prompt": "Q", "response": "A"}"#;
        for (bad, says) in [
            ("{", "row 3"),
            (r#"{"prompt": "Q"}"#, "no response"),
            (r#"{"prompt": "Q", "response": null}"#, "no response"),
            (r#"{"prompt": "Q", "response": ""}"#, "response is empty"),
            (r#"{"prompt": 7, "response": "A"}"#, "prompt is a number"),
            (
                r#"{"prompt": "Q", "response": {"a": 1}}"#,
                "response is an object",
            ),
            (
                r#"{"prompt": "Q", "response": "A", "prompt": "R"}"#,
                "\"prompt\" is there twice",
            ),
            (
                r#"{"messages": [{"role": "user", "content": "a"}]}"#,
                "no response",
            ),
            (
                r#"{"messages": [{"role": "assistant", "content": "a"}]}"#,
                "begins with the assistant",
            ),
            (r#"{"messages": [{"role": "user"}]}"#, "no content"),
            (r#"{"messages": "x"}"#, "not a list"),
            ("7", "no object"),
        ] {
            let error =
                read_conversations(&format!("{good}\n{good}\n{bad}\n{good}\n")).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidData);
            assert_eq!(error.field.as_deref(), Some("data"));
            assert!(error.message.contains("row 3"), "{error}");
            assert!(error.message.contains(says), "{error}");
        }
        let error = read_conversations(&"{\"prompt\": 1}\n".repeat(9)).unwrap_err();
        assert!(error.message.contains("4 rows more"), "{error}");
        for (bad, says) in [
            ("", "no example"),
            ("[]", "no example"),
            ("a,b\n1,2\n", "none of its columns"),
            ("prompt,prompt,response\n1,2,3\n", "two columns"),
            ("prompt,response\n1\n", "row 1"),
            ("prompt,response\n1,\n", "row 1"),
            ("prompt,response\n", "no example"),
        ] {
            let error = read_conversations(bad).unwrap_err();
            assert!(error.message.contains(says), "{bad}: {error}");
        }
    }
}
