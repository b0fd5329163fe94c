//! The reference of all settings, as Markdown: `docs/settings.md`.

use crate::{
    ABOVE_ZERO, Choice, ExperimentConfig, Kind, Object, Range, STRATEGIES, Setting, Settings,
};
use std::fmt::Write;

/// A section for the experiment, for each kind of strategy, and for each part that they have; `others` are
/// objects from outside this crate.
pub fn reference(others: &[&'static Object]) -> String {
    let mut text = String::from(
        "# Settings\n\nEvery setting of an experiment, written by `lab schema --reference` from the fields in \
         `crates/lab-protocol`. A setting that is left out has its default.\n",
    );
    let mut sections = vec![ExperimentConfig::OBJECT];
    sections.extend(STRATEGIES.iter().map(|strategy| strategy.object));
    sections.extend(others);
    let mut next = 0;
    while let Some(&object) = sections.get(next) {
        next += 1;
        let strategy = STRATEGIES.iter().find(|one| one.object.name == object.name);
        let kind = strategy.map_or(String::new(), |one| format!(" (`{}`)", one.kind));
        let _ = writeln!(text, "\n## {}{kind}\n\n{}", object.name, object.help);
        if !object.notes.is_empty() {
            let _ = writeln!(text, "\n{}", object.notes);
        }
        table(&mut text, object.settings, &mut sections);
    }
    text
}

/// A row for each setting; the parts that they have are added to `sections`, each once.
fn table(text: &mut String, settings: &[Setting], sections: &mut Vec<&'static Object>) {
    text.push_str("\n| setting | value | default | meaning |\n| --- | --- | --- | --- |\n");
    rows(text, settings, "", None, sections);
}

fn rows(
    text: &mut String,
    settings: &[Setting],
    prefix: &str,
    layout: Option<(String, &str)>,
    sections: &mut Vec<&'static Object>,
) {
    for setting in settings {
        let (mut meaning, default) = (meaning(setting), default(setting));
        if let Some((tag, value)) = &layout {
            let _ = write!(meaning, " Only where `{tag}` is `{value}`.");
        }
        let name = format!("{prefix}{}", setting.name);
        match setting.kind {
            Kind::Layouts(layouts) => {
                let tag = format!("{name}.{}", layouts.tag);
                let default = setting
                    .default
                    .map(|default| default()[layouts.tag].clone());
                let default = default.map_or(String::new(), |value| format!("`{value}`"));
                let _ = writeln!(
                    text,
                    "| `{tag}` | {} | {default} | {meaning} |",
                    value(setting)
                );
                for layout in layouts.layouts {
                    let only = (tag.clone(), layout.choice.value);
                    rows(
                        text,
                        layout.settings,
                        &format!("{name}."),
                        Some(only),
                        sections,
                    );
                }
            }
            Kind::Part(object) | Kind::Rows(object) => {
                if sections.iter().all(|one| one.name != object.name) {
                    sections.push(object);
                }
                let _ = writeln!(
                    text,
                    "| `{name}` | {} | {default} | {meaning} |",
                    value(setting)
                );
            }
            _ => {
                let _ = writeln!(
                    text,
                    "| `{name}` | {} | {default} | {meaning} |",
                    value(setting)
                );
            }
        }
    }
}

fn value(setting: &Setting) -> String {
    let kind = match setting.kind {
        Kind::Whole => "whole number".to_owned(),
        Kind::Number => "number".to_owned(),
        Kind::Switch => "`true` or `false`".to_owned(),
        Kind::Text => "text".to_owned(),
        Kind::List | Kind::Lines => "list of texts".to_owned(),
        Kind::Any => "JSON".to_owned(),
        Kind::Part(object) => link(object),
        Kind::Rows(object) => format!("list of {}", link(object)),
        Kind::Choice(_) | Kind::Layouts(_) => choices(&setting.kind.choices()),
    };
    let range = setting.range.map(range).unwrap_or_default();
    let unit = match setting.unit {
        "" => String::new(),
        unit => format!(" ({unit})"),
    };
    let none = if setting.optional { ", or none" } else { "" };
    format!("{kind}{range}{unit}{none}")
}

fn link(object: &Object) -> String {
    let anchor = object.name.to_lowercase();
    let strategy = STRATEGIES.iter().find(|one| one.object.name == object.name);
    let kind = strategy.map_or(String::new(), |one| format!("-{}", one.kind));
    format!("[{}](#{anchor}{kind})", object.name)
}

fn choices(choices: &[Choice]) -> String {
    let one = |choice: &Choice| format!("`\"{}\"` {}", choice.value, choice.label);
    let all: Vec<String> = choices.iter().map(one).collect();
    all.join(", ")
}

fn range(Range { low, high }: Range) -> String {
    match (low == ABOVE_ZERO, high.is_finite()) {
        (true, true) => format!(" above 0, at most {high}"),
        (true, false) => " above 0".to_owned(),
        (false, true) => format!(" {low} to {high}"),
        (false, false) => format!(" from {low}"),
    }
}

/// A part's default is that of its settings.
fn default(setting: &Setting) -> String {
    match setting.default.map(|default| default()) {
        None => "must be given".to_owned(),
        Some(value) if value.is_null() => "none".to_owned(),
        Some(value) if value.is_object() => String::new(),
        Some(value) => format!("`{}`", value.to_string().trim_end_matches(".0")),
    }
}

fn meaning(setting: &Setting) -> String {
    let mut meaning = setting.help.to_owned();
    if setting.label.to_lowercase() != setting.name.replace('_', " ") {
        meaning = format!("{}: {meaning}", setting.label);
    }
    if !setting.notes.is_empty() {
        let _ = write!(meaning, " {}", setting.notes);
    }
    if let Some(condition) = setting.when {
        let values: Vec<String> = condition.values.iter().map(|v| format!("`{v}`")).collect();
        let _ = write!(
            meaning,
            " Only where `{}` is {}.",
            condition.path,
            values.join(" or ")
        );
    }
    meaning.replace('\n', " ").replace('|', "\\|")
}
