//! Preferences and prompts, in the layouts that data sets use.

use super::messages::{PROMPTS, answer, first, messages, prompt, speakers, text};
use super::rows::{Read, read_rows};
use lab_model::chat::ChatMessage;
use lab_protocol::{LabError, OnError, PreferenceExample};
use serde_json::{Map, Value};

/// Two answers to a prompt, of which one was preferred.
#[derive(Clone, Debug, PartialEq)]
pub struct Preference {
    pub prompt: Vec<ChatMessage>,
    pub chosen: String,
    pub rejected: String,
    /// How much better the chosen one is.
    pub margin: Option<f64>,
    /// Number of its row, from 1.
    pub row: usize,
}

impl Preference {
    /// A preference as it was collected; its prompt is a message of the user's and a new line.
    pub fn collected(example: &PreferenceExample, row: usize) -> Self {
        let question = example.prompt.strip_suffix('\n');
        Self {
            prompt: vec![ChatMessage::user(question.unwrap_or(&example.prompt))],
            chosen: example.chosen.clone(),
            rejected: example.rejected.clone(),
            margin: example.margin,
            row,
        }
    }
}

/// A prompt to be answered, with the number of its row.
#[derive(Clone, Debug, PartialEq)]
pub struct PromptRow {
    pub prompt: Vec<ChatMessage>,
    pub row: usize,
}

const CHOSEN: [&str; 4] = ["chosen", "preferred", "response_chosen", "response_j"];
const REJECTED: [&str; 4] = [
    "rejected",
    "dispreferred",
    "response_rejected",
    "response_k",
];

/// Reads a text as [`super::read_conversations`] does. A row is a prompt with a chosen and a rejected answer, each a
/// text or a list of messages as TRL writes them, or two whole conversations that begin with the same prompt.
pub fn read_preferences(text: &str, on_error: OnError) -> Result<Read<Preference>, LabError> {
    read_rows(text, &CHOSEN, on_error, preference)
}

/// Reads prompts alone, for a reward that needs no preferences; from preferences, their prompts.
pub fn read_prompts(text: &str, on_error: OnError) -> Result<Read<PromptRow>, LabError> {
    let columns = [&PROMPTS[..], &CHOSEN[..]].concat();
    read_rows(text, &columns, on_error, |fields, row| {
        let prompt = match first(fields, &PROMPTS) {
            Some((name, value)) => prompt(name, value)?,
            None => preference(fields, row)?.prompt,
        };
        Ok(PromptRow { prompt, row })
    })
}

fn preference(fields: &Map<String, Value>, row: usize) -> Result<Preference, String> {
    let chosen = first(fields, &CHOSEN).ok_or("it has no \"chosen\"")?;
    let rejected = first(fields, &REJECTED).ok_or("it has no \"rejected\"")?;
    let (prompt, [chosen, rejected]) = match first(fields, &PROMPTS) {
        Some((name, value)) => (
            prompt(name, value)?,
            after_prompt(value, [chosen, rejected])?,
        ),
        None => shared_prompt([chosen, rejected])?,
    };
    let margin = match fields.get("margin") {
        None | Some(Value::Null) => None,
        Some(Value::Number(margin)) => margin.as_f64(),
        Some(other) => return Err(format!("its margin is {other}")),
    };
    Ok(Preference {
        prompt,
        chosen,
        rejected,
        margin,
        row,
    })
}

type Named<'v> = (&'static str, &'v Value);

/// The answers after a prompt that has a field of its own; in some layouts both answers repeat the prompt.
fn after_prompt(prompt: &Value, answers: [Named; 2]) -> Result<[String; 2], String> {
    let after = |(name, value): Named| -> Result<String, String> {
        match (prompt, value) {
            (Value::Array(before), Value::Array(all))
                if all.len() > before.len() && all.starts_with(before) =>
            {
                answer(name, &Value::from(&all[before.len()..]))
            }
            (Value::String(before), Value::String(all)) if !before.is_empty() => {
                Ok(all.strip_prefix(before.as_str()).unwrap_or(all).to_owned())
            }
            _ => answer(name, value),
        }
    };
    let [chosen, rejected] = answers;
    Ok([after(chosen)?, after(rejected)?])
}

/// Two whole conversations: the prompt with which both begin, and the answers in which they differ.
fn shared_prompt(answers: [Named; 2]) -> Result<(Vec<ChatMessage>, [String; 2]), String> {
    let [(first_name, first), (second_name, second)] = answers;
    let conversations = match (first, second) {
        (Value::Array(_), Value::Array(_)) => {
            [messages(first_name, first)?, messages(second_name, second)?]
        }
        _ => {
            let texts = [text(first_name, first)?, text(second_name, second)?];
            match texts.map(speakers) {
                [Some(first), Some(second)] => [first, second],
                _ => return Ok(shared_lines(texts)),
            }
        }
    };
    let [first, second] = &conversations;
    let same = first.iter().zip(second).take_while(|(a, b)| a == b).count();
    // Two equal conversations still end with an answer each.
    let same = same.min(first.len().min(second.len()).saturating_sub(1));
    if same == 0 {
        return Err("its conversations do not begin with the same prompt".into());
    }
    let last = |name: &str, all: &[ChatMessage]| match &all[same..] {
        [message] if message.is_assistant() => Ok(message.content.clone()),
        rest => Err(format!(
            "its {name} does not end with one answer, but with {} messages that differ",
            rest.len()
        )),
    };
    let found = [last(first_name, first)?, last(second_name, second)?];
    Ok((first[..same].to_vec(), found))
}

/// Splits two texts into their prompt and answers. The prompt is their common beginning, up to the last mark of a
/// speaker in it, else up to the end of its last whole line.
fn shared_lines([first, second]: [&str; 2]) -> (Vec<ChatMessage>, [String; 2]) {
    let same = first.char_indices().zip(second.chars());
    let same = same
        .take_while(|((_, a), b)| a == b)
        .map(|((at, c), _)| at + c.len_utf8())
        .last();
    let shared = &first[..same.unwrap_or(0)];
    let speaker = "Assistant:";
    let start = shared.rfind(speaker).map(|at| at + speaker.len());
    let start = start
        .or_else(|| shared.rfind('\n').map(|at| at + 1))
        .unwrap_or(0);
    let prompt = ChatMessage::user(&shared[..start]);
    (
        vec![prompt],
        [first, second].map(|text| text[start..].to_owned()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use lab_protocol::ErrorCode;
    use serde_json::json;

    fn one(row: Value) -> Preference {
        read_preferences(&row.to_string(), OnError::Stop)
            .unwrap()
            .rows
            .remove(0)
    }

    fn turns(turns: &[(&str, &str)]) -> Value {
        let message = |(role, content): &(&str, &str)| json!({"role": role, "content": content});
        turns.iter().map(message).collect()
    }

    #[test]
    fn the_usual_layouts_are_read() {
        let (system, user) = (("system", "S"), ("user", "Q"));
        let said = |answer| [system, user, ("assistant", answer)];
        for row in [
            json!({"prompt": "Q", "chosen": "good", "rejected": "bad", "margin": 0.5}),
            json!({"question": "Q", "response_j": "good", "response_k": "bad"}),
            json!({"prompt": "Q", "chosen": "Qgood", "rejected": "Qbad"}),
            // TRL's layouts: with a prompt, with the prompt repeated, with the prompt in both conversations.
            json!({"prompt": turns(&[system, user]), "chosen": turns(&[("assistant", "good")]), "rejected": turns(&[("assistant", "bad")])}),
            json!({"prompt": turns(&[system, user]), "chosen": turns(&said("good")), "rejected": turns(&said("bad"))}),
            json!({"prompt": turns(&[system, user]), "chosen": "good", "rejected": "bad"}),
            json!({"chosen": turns(&said("good")), "rejected": turns(&said("bad"))}),
            json!({"chosen": "\n\nHuman: Q\n\nAssistant: good", "rejected": "\n\nHuman: Q\n\nAssistant: bad"}),
        ] {
            let found = one(row.clone());
            let mut expected = vec![ChatMessage::user("Q")];
            if row.to_string().contains("system") {
                expected.insert(0, ChatMessage::new("system", "S"));
            }
            assert_eq!(found.prompt, expected, "{row}");
            assert_eq!(
                [&found.chosen[..], &found.rejected[..]],
                ["good", "bad"],
                "{row}"
            );
            assert_eq!(found.margin.is_some(), row["margin"].is_number());
        }
        // Several turns keep their roles, and texts are split between whole characters.
        let hh =
            |answer| format!("\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant: {answer}");
        let found = one(json!({"chosen": hh("y\u{e9}s"), "rejected": hh("y\u{e8}s")}));
        let roles: Vec<&str> = found
            .prompt
            .iter()
            .map(|message| &message.role[..])
            .collect();
        assert_eq!(roles, ["user", "assistant", "user"]);
        assert_eq!(
            [&found.chosen[..], &found.rejected[..]],
            ["y\u{e9}s", "y\u{e8}s"]
        );
        let found = one(json!({"chosen": "One line.\ngood", "rejected": "One line.\nbad"}));
        assert_eq!(found.prompt, [ChatMessage::user("One line.\n")]);
        assert_eq!([&found.chosen[..], &found.rejected[..]], ["good", "bad"]);
    }

    #[test]
    fn a_bad_row_is_given_by_its_number_or_skipped() {
        let good = json!({"prompt": "Q", "chosen": "a", "rejected": "b"});
        for (bad, says) in [
            (json!(null), "not an object"),
            (json!({"prompt": "Q", "chosen": "a"}), "no \"rejected\""),
            (
                json!({"prompt": "Q", "chosen": 3, "rejected": "b"}),
                "chosen is a number",
            ),
            (
                json!({"prompt": "Q", "chosen": "a", "rejected": "b", "margin": "much"}),
                "margin",
            ),
            (
                json!({"prompt": turns(&[("clown", "Q")]), "chosen": "a", "rejected": "b"}),
                "clown",
            ),
            (
                json!({"prompt": "Q", "chosen": turns(&[("user", "a")]), "rejected": "b"}),
                "role \"user\"",
            ),
            (
                json!({"chosen": turns(&[("user", "a")]), "rejected": turns(&[("user", "b")])}),
                "same prompt",
            ),
        ] {
            let text = format!("{good}\n\n{bad}\n");
            let error = read_preferences(&text, OnError::Stop).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidData);
            assert!(
                error.message.contains("row 3") && error.message.contains(says),
                "{error}"
            );
            let found = read_preferences(&text, OnError::Skip).unwrap();
            assert_eq!(
                (found.rows.len(), found.skipped.report().unwrap().count),
                (1, 1)
            );
        }
        let csv = read_preferences("prompt,chosen,rejected\nQ,a,b\n", OnError::Stop).unwrap();
        assert_eq!(csv.rows[0].rejected, "b");
    }

    #[test]
    fn prompts_are_read_alone_or_from_preferences() {
        let text = format!(
            "{}\n{}\n{{}}",
            json!({"prompt": turns(&[("system", "S"), ("user", "a")])}),
            json!({"question": "b"})
        );
        let found = read_prompts(&text, OnError::Skip).unwrap();
        assert_eq!(
            found.rows[0].prompt,
            [ChatMessage::new("system", "S"), ChatMessage::user("a")]
        );
        assert_eq!(
            (&found.rows[1].prompt[0].content[..], found.rows[1].row),
            ("b", 2)
        );
        assert_eq!(found.skipped.report().unwrap().count, 1);
        assert!(read_prompts(&text, OnError::Stop).is_err());
        let pairs = json!({"chosen": turns(&[("user", "Q"), ("assistant", "a")]), "rejected": turns(&[("user", "Q"), ("assistant", "b")])});
        let found = read_prompts(&pairs.to_string(), OnError::Stop).unwrap();
        assert_eq!(found.rows[0].prompt, [ChatMessage::user("Q")]);
    }
}
