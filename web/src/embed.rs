//! The settings of a framed page, and the messages between it and the page around it. `docs/embedding.md` describes both.

use crate::theme::Theme;
use lab_protocol::{LabError, from_json, from_value, text};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The version of the messages.
const VERSION: u64 = 1;
/// The key of the version, by which a message of this protocol is known.
const KEY: &str = "llm-lab";
/// The parts of the page that can be hidden. `style/embed.css` hides them.
const PARTS: [&str; 13] = [
    "header", "run", "settings", "result", "compare", "vote", "tiles", "chart", "tools", "samples",
    "prompt", "history", "footer",
];
/// A view does not hide it: a reader without it could not start a run.
const RUN: &str = "run";

/// The settings of an embedded page, from its address or from the page around it. Absent settings change nothing.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// An experiment, or the name of a built-in example.
    pub experiment: Option<Value>,
    /// The user's own text, to train on.
    pub data: Option<String>,
    /// A number, or its digits.
    pub seed: Option<Value>,
    pub theme: Option<Theme>,
    /// The parts to show, by name; empty shows all.
    pub view: Option<String>,
    /// The parts to hide, by name.
    pub hide: Option<String>,
}

/// The parts of a page's address that concern its embedding.
#[derive(Debug, Default, PartialEq)]
pub struct Address {
    pub settings: Settings,
    /// Whether the experiment runs as soon as it can.
    pub autoplay: bool,
    /// The origin of the page around this one, to which messages go.
    pub host: Option<String>,
}

impl Address {
    /// Reads the parameters of an address, by name. The address may have others.
    ///
    /// # Errors
    ///
    /// A setting has a value that it cannot have.
    pub fn read(parameters: &[(String, String)]) -> Result<Self, LabError> {
        let mut settings = Map::new();
        let mut address = Self::default();
        for (name, value) in parameters {
            match name.as_str() {
                "autoplay" => address.autoplay = value != "false",
                "host" => address.host = Some(value.clone()),
                "experiment" | "seed" | "theme" | "view" | "hide" => {
                    settings.insert(name.clone(), json!(value));
                }
                _ => {}
            }
        }
        address.settings = from_value(Value::Object(settings))?;
        Ok(address)
    }
}

/// A wish of the page around this one.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Runs the experiment, or resumes it.
    Run,
    Pause,
    Step,
    Stop,
    Set {
        settings: Settings,
    },
    /// Asks for the results so far. The answer has the same id.
    Results {
        id: u64,
    },
}

/// Reads a message as JSON; `None` if it is not a command of this version.
pub fn command(message: &str) -> Option<Command> {
    let message: Value = serde_json::from_str(message).ok()?;
    if message.get(KEY)?.as_u64() != Some(VERSION) {
        return None;
    }
    serde_json::from_value(message).ok()
}

/// A message to the page around this one.
pub fn event(name: &str, detail: Value) -> Value {
    json!({ KEY: VERSION, "event": name, "detail": detail })
}

/// The site's list of the origins that may command the page: `embed.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Site {
    origins: Vec<String>,
}

/// Whether the page may talk to this origin: `site` is the text of `embed.json`.
///
/// # Errors
///
/// `site` is not such a list.
pub fn is_allowed(host: &str, own: &str, site: &str) -> Result<bool, LabError> {
    let site: Site = from_json(site)?;
    // Pages without an origin, such as files, all call theirs "null".
    Ok(host != "null" && (host == own || site.origins.iter().any(|origin| origin == host)))
}

/// The parts that these lists hide.
///
/// # Errors
///
/// A list names a part that does not exist.
pub fn hidden_parts(view: &str, hide: &str) -> Result<Vec<&'static str>, LabError> {
    let (view, hide) = (parts("view", view)?, parts("hide", hide)?);
    let is_hidden = |part: &&str| {
        hide.contains(part) || !(view.is_empty() || view.contains(part) || *part == RUN)
    };
    Ok(PARTS.into_iter().filter(is_hidden).collect())
}

fn parts(field: &str, list: &str) -> Result<Vec<&'static str>, LabError> {
    let names = list.split([',', ' ']).filter(|name| !name.is_empty());
    let known = |name: &str| {
        let part = PARTS.into_iter().find(|part| *part == name);
        part.ok_or_else(|| {
            LabError::config(
                field,
                text!("the page has no part called \"{name}\"", name),
                text!("Use some of: {names}.", names = PARTS.join(", ")),
            )
        })
    };
    names.map(known).collect()
}

/// Whether this can be the name of an example: it becomes part of an address.
pub fn is_example_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !name.is_empty() && name.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(parameters: &[(&str, &str)]) -> Result<Address, LabError> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Address::read(&parameters.iter().map(owned).collect::<Vec<_>>())
    }

    #[test]
    fn an_address_is_read_and_foreign_parameters_are_left_alone() {
        let read = address(&[
            ("module", "x.js"),
            ("experiment", "hamlet"),
            ("seed", "3"),
            ("theme", "dark"),
            ("hide", "header,footer"),
            ("autoplay", ""),
            ("host", "https://site.example"),
        ])
        .unwrap();
        assert!(read.autoplay);
        assert_eq!(read.host.as_deref(), Some("https://site.example"));
        assert_eq!(read.settings.experiment, Some(json!("hamlet")));
        assert_eq!(
            (read.settings.seed, read.settings.theme),
            (Some(json!("3")), Some(Theme::Dark))
        );
        assert_eq!(
            (read.settings.hide.as_deref(), read.settings.view),
            (Some("header,footer"), None)
        );
        assert_eq!(address(&[]).unwrap(), Address::default());
        assert!(!address(&[("autoplay", "false")]).unwrap().autoplay);
        assert!(address(&[("theme", "pink")]).is_err());
    }

    #[test]
    fn only_commands_of_this_version_are_heard() {
        assert_eq!(
            command(r#"{"llm-lab":1,"command":"run"}"#),
            Some(Command::Run)
        );
        assert_eq!(
            command(r#"{"llm-lab":1,"command":"results","id":4}"#),
            Some(Command::Results { id: 4 })
        );
        let set = command(r#"{"llm-lab":1,"command":"set","settings":{"seed":5,"theme":"light"}}"#);
        let settings = Settings {
            seed: Some(json!(5)),
            theme: Some(Theme::Light),
            ..Settings::default()
        };
        assert_eq!(set, Some(Command::Set { settings }));
        for other in [
            "",
            "7",
            "null",
            r#""run""#,
            r#"{"command":"run"}"#,
            r#"{"llm-lab":2,"command":"run"}"#,
            r#"{"llm-lab":"1","command":"run"}"#,
            r#"{"llm-lab":1}"#,
            r#"{"llm-lab":1,"command":"explode"}"#,
            r#"{"llm-lab":1,"command":"results"}"#,
            r#"{"llm-lab":1,"command":"set","settings":{"sed":5}}"#,
        ] {
            assert_eq!(command(other), None, "{other}");
        }
    }

    #[test]
    fn only_the_own_origin_and_listed_ones_are_allowed() {
        let site = r#"{"origins":["https://site.example"]}"#;
        let allowed = |host| is_allowed(host, "https://lab.example", site).unwrap();
        assert!(allowed("https://lab.example") && allowed("https://site.example"));
        for other in [
            "",
            "null",
            "*",
            "http://site.example",
            "https://site.example.evil",
            "https://a.site.example",
        ] {
            assert!(!allowed(other), "{other}");
        }
        assert!(!is_allowed("null", "null", r#"{"origins":["null"]}"#).unwrap());
        assert!(is_allowed("a", "b", r#"{"origin":[]}"#).is_err());
    }

    #[test]
    fn a_view_leaves_its_parts_and_the_run_bar() {
        assert!(hidden_parts("", "").unwrap().is_empty());
        assert_eq!(
            hidden_parts("", "footer header").unwrap(),
            ["header", "footer"]
        );
        let chart = hidden_parts("chart", "").unwrap();
        assert!(
            !chart.contains(&"chart") && !chart.contains(&"run") && chart.len() == PARTS.len() - 2
        );
        assert_eq!(hidden_parts("chart", "run").unwrap().len(), PARTS.len() - 1);
        assert_eq!(
            hidden_parts("chart, chat", "")
                .unwrap_err()
                .field
                .as_deref(),
            Some("view")
        );
    }

    #[test]
    fn the_style_sheet_hides_every_part() {
        let style = include_str!("../style/embed.css");
        for part in PARTS {
            assert!(
                style.contains(&format!("[data-hide~=\"{part}\"]")),
                "{part}"
            );
        }
    }

    #[test]
    fn the_name_of_an_example_leads_to_no_other_folder() {
        assert!(is_example_name("fine-tuning"));
        for name in ["", "..", "a/b", "a.json", "a?b", "%2e"] {
            assert!(!is_example_name(name), "{name}");
        }
    }
}
