//! Conversations to learn from, in the layouts that data sets use.

use super::messages::{PROMPTS, answer, first, messages, prompt, text};
use super::rows::{Read, read_rows};
use lab_model::chat::ChatMessage;
use lab_protocol::{LabError, OnError, PromptResponsePair};
use serde_json::{Map, Value};

/// A conversation. The assistant's messages from `prompt` on are learned.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversation {
    pub messages: Vec<ChatMessage>,
    /// Number of messages that are only read, at the beginning.
    pub prompt: usize,
    /// Number of its row, from 1.
    pub row: usize,
}

impl Conversation {
    /// The messages before the first one that is learned.
    pub fn before(&self) -> &[ChatMessage] {
        self.messages.get(..self.prompt).unwrap_or_default()
    }
}

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

/// Reads a text: a JSON list, an object a line, or CSV whose first line names the columns. A row is a prompt and its
/// response (`prompt`/`completion`, `instruction`/`input`/`output`, `question`/`answer` and the like), or `messages`,
/// of which all of the assistant's are learned. A row of another layout is an error or is skipped.
pub fn read_conversations(text: &str, on_error: OnError) -> Result<Read<Conversation>, LabError> {
    read_rows(text, &PROMPTS, on_error, conversation)
}

impl From<&PromptResponsePair> for Conversation {
    fn from(pair: &PromptResponsePair) -> Self {
        let system = pair.system.iter();
        let mut messages: Vec<_> = system
            .map(|system| ChatMessage::new("system", system))
            .collect();
        messages.push(ChatMessage::user(&pair.prompt));
        let prompt = messages.len();
        messages.push(ChatMessage::new("assistant", &pair.response));
        Self {
            messages,
            prompt,
            row: 0,
        }
    }
}

fn conversation(fields: &Map<String, Value>, row: usize) -> Result<Conversation, String> {
    let mut before = match first(fields, &["system"]) {
        Some((name, value)) => vec![ChatMessage::new("system", text(name, value)?)],
        None => Vec::new(),
    };
    if let Some((name, value)) = first(fields, &CONVERSATIONS) {
        before.extend(messages(name, value)?);
        return turns(before, row);
    }
    let (name, value) = first(fields, &PROMPTS).ok_or("it has no prompt")?;
    let mut prompt = prompt(name, value)?;
    if let Some((also, input)) = first(fields, &["input"]).filter(|(also, _)| *also != name)
        && let [message] = &mut prompt[..]
    {
        let input = text(also, input)?;
        if !input.is_empty() {
            message.content = format!("{}\n{input}", message.content);
        }
    }
    before.extend(prompt);
    let (name, response) = first(fields, &RESPONSES).ok_or("it has no response")?;
    let response = answer(name, response)?;
    if response.trim().is_empty() {
        return Err(format!("its {name} is empty"));
    }
    let prompt = before.len();
    before.push(ChatMessage::new("assistant", &response));
    Ok(Conversation {
        messages: before,
        prompt,
        row,
    })
}

/// A conversation up to its last answer; later messages are not learned.
fn turns(mut messages: Vec<ChatMessage>, row: usize) -> Result<Conversation, String> {
    let is_answer = ChatMessage::is_assistant;
    let last = messages.iter().rposition(is_answer);
    messages.truncate(last.ok_or("it has no response")? + 1);
    let prompt = messages.iter().position(is_answer).unwrap_or(0);
    if messages[..prompt]
        .iter()
        .all(|earlier| earlier.role == "system")
    {
        return Err("it begins with the assistant".into());
    }
    if messages
        .iter()
        .any(|message| is_answer(message) && message.content.trim().is_empty())
    {
        return Err("a response is empty".into());
    }
    Ok(Conversation {
        messages,
        prompt,
        row,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use lab_protocol::ErrorCode;

    fn one(text: &str) -> Conversation {
        let mut found = read_conversations(text, OnError::Stop).unwrap().rows;
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
            let expected = [ChatMessage::user("Q"), ChatMessage::new("assistant", "A")];
            assert_eq!(found.messages, expected, "{text}");
            assert_eq!((found.prompt, found.row), (1, 1));
        }
        let input = one(r#"{"instruction": "Add", "input": "1 2", "output": "3", "system": "S"}"#);
        let expected = [
            ChatMessage::new("system", "S"),
            ChatMessage::user("Add\n1 2"),
        ];
        assert_eq!(input.before(), expected);
        let quoted = one("instruction,output\n\"a, \"\"b\"\"\nc\",\"d\ne\"\n");
        assert_eq!(quoted.messages[0].content, "a, \"b\"\nc");
        assert_eq!(quoted.messages[1].content, "d\ne");
    }

    #[test]
    fn a_conversation_is_one_example_of_all_its_answers() {
        let text = r#"{"system": "S", "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},
            {"role": "user", "content": "c"}, {"role": "assistant", "content": "d"}, {"role": "user", "content": "e"}]}"#
            .replace('\n', " ");
        let found = one(&text);
        assert_eq!((found.messages.len(), found.prompt), (5, 2));
        // The model reads the whole prompt, also its assistant's messages.
        let text =
            r#"{"prompt": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},
            {"role": "user", "content": "c"}], "completion": "d"}"#
                .replace('\n', " ");
        assert_eq!(one(&text).prompt, 3);
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
            ("7", "not an object"),
        ] {
            let text = format!("{good}\n{good}\n{bad}\n{good}\n");
            let error = read_conversations(&text, OnError::Stop).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidData);
            assert_eq!(error.field.as_deref(), Some("data"));
            assert!(error.message.contains("row 3"), "{error}");
            assert!(error.message.contains(says), "{error}");
            let found = read_conversations(&text, OnError::Skip).unwrap();
            let rows: Vec<usize> = found.rows.iter().map(|found| found.row).collect();
            assert_eq!(rows, [1, 2, 4]);
        }
        for (bad, says) in [
            ("", "no example"),
            ("[]", "no example"),
            ("a,b\n1,2\n", "none of the columns"),
            ("prompt,prompt,response\n1,2,3\n", "two columns"),
            ("prompt,response\n1\n", "row 1"),
            ("prompt,response\n1,\n", "row 1"),
            ("prompt,response\n", "no example"),
        ] {
            let error = read_conversations(bad, OnError::Stop).unwrap_err();
            assert!(error.message.contains(says), "{bad}: {error}");
        }
    }
}
