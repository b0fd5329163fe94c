//! A strategy's settings as fields, and the way between them and its configuration.

use crate::format::{escape, unescape};
use crate::kinds::StrategyKind;
use crate::runs::RunState;
use lab_protocol::{Group, Kind, Place, Setting};
use leptos::prelude::*;
use serde_json::{Map, Value};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A strategy's fields, and its run.
#[derive(Clone)]
pub struct StrategyForm {
    /// Unique as long as the page lives; the name may change.
    pub key: usize,
    pub name: RwSignal<String>,
    pub kind: &'static StrategyKind,
    /// Key of the strategy whose model this one starts from.
    pub from: RwSignal<Option<usize>>,
    /// One for each of `kind.settings`.
    pub values: Vec<RwSignal<String>>,
    pub run: RunState,
}

impl PartialEq for StrategyForm {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

/// Keys that no strategy has had yet.
static NEXT_KEY: AtomicUsize = AtomicUsize::new(0);

impl StrategyForm {
    pub fn new(name: String, kind: &'static StrategyKind, config: &Value) -> Self {
        let text = |place: &Place| shown(&place.setting, config.pointer(&place.pointer()));
        let values = kind.settings.iter().map(|place| RwSignal::new(text(place)));
        let values = values.collect();
        Self {
            key: NEXT_KEY.fetch_add(1, Ordering::Relaxed),
            name: RwSignal::new(name),
            kind,
            from: RwSignal::new(None),
            values,
            run: RunState::new(),
        }
    }

    /// The settings with their fields.
    pub fn fields(&self) -> impl Iterator<Item = (&'static Place, RwSignal<String>)> {
        self.kind.settings.iter().zip(self.values.iter().copied())
    }

    /// The field of the setting with this path.
    pub fn value_at(&self, path: &str) -> Option<RwSignal<String>> {
        self.fields()
            .find(|(place, _)| place.path == path)
            .map(|(_, value)| value)
    }

    /// Whether a setting counts, by the other settings that it depends on.
    pub fn counts(&self, place: &Place) -> bool {
        place.when.iter().all(|(path, values)| {
            let holds = |(other, value): (&'static Place, RwSignal<String>)| {
                other.path == *path
                    && value.with(|value| values.contains(&value.as_str()))
                    && self.counts(other)
            };
            self.fields().any(holds)
        })
    }

    /// The configuration in the fields.
    pub fn config(&self) -> Value {
        let mut config = Value::Object(Map::new());
        for (place, value) in self.fields() {
            let typed = typed(&place.setting, &value.get());
            if let Some(value) = typed.filter(|_| self.counts(place)) {
                put(&mut config, &place.path, value);
            }
        }
        config
    }

    /// The text of the folded card.
    pub fn headline(&self) -> String {
        let main = |place: &Place| {
            let number = matches!(place.setting.kind, Kind::Whole | Kind::Number);
            number && place.group == Group::Main && self.counts(place)
        };
        let words: Vec<_> = self
            .fields()
            .filter(|(place, _)| main(place))
            .map(|(place, value)| format!("{} {}", place.setting.label.to_lowercase(), value.get()))
            .collect();
        words.join(" · ")
    }
}

/// A field's text for a value of a configuration; empty if the configuration lacks it.
pub fn shown(setting: &Setting, value: Option<&Value>) -> String {
    match (&setting.kind, value) {
        (Kind::Part(_), value) => value.is_some_and(Value::is_object).to_string(),
        (_, None | Some(Value::Null)) => String::new(),
        (_, Some(Value::String(text))) => escape(text),
        (Kind::Rows(_), Some(Value::Array(rows))) => {
            let rows: Vec<_> = rows.iter().map(Value::to_string).collect();
            rows.join("\n")
        }
        (kind, Some(Value::Array(texts))) => {
            let texts = texts.iter().filter_map(Value::as_str);
            let between = if matches!(kind, Kind::Lines) {
                "\n"
            } else {
                ", "
            };
            texts.collect::<Vec<_>>().join(between)
        }
        (_, Some(Value::Number(number))) => {
            let text = number.to_string();
            text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
        }
        (_, Some(other)) => other.to_string(),
    }
}

/// The value of a field's text; `None` if the field is empty, which means the default.
fn typed(setting: &Setting, text: &str) -> Option<Value> {
    match setting.kind {
        Kind::Text if setting.optional && text.is_empty() => None,
        Kind::Text => Some(Value::String(unescape(text))),
        Kind::Choice(_) | Kind::Layouts(_) => Some(Value::String(text.to_owned())),
        Kind::Switch if setting.optional && text.is_empty() => None,
        Kind::Switch => Some(Value::Bool(text == "true")),
        Kind::Part(_) => (text == "true").then(|| Value::Object(Map::new())),
        Kind::List => Some(parts(text, ',')),
        Kind::Lines => Some(parts(text, '\n')),
        Kind::Rows(_) => rows(text),
        Kind::Whole | Kind::Number => number(text),
        Kind::Any => serde_json::from_str(text).ok(),
    }
}

/// The texts between the separators, without white space around them and empty ones.
fn parts(text: &str, separator: char) -> Value {
    let texts = text.split(separator).map(str::trim);
    texts.filter(|text| !text.is_empty()).collect()
}

/// The rows as JSON; a row that is not JSON stays text, for the check to refuse. `None` if there is no row.
fn rows(text: &str) -> Option<Value> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let row = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| line.into());
    let rows: Vec<Value> = lines.map(row).collect();
    (!rows.is_empty()).then_some(Value::Array(rows))
}

/// A number as JSON; text that is not a number stays text, for the check to refuse.
pub fn number(text: &str) -> Option<Value> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let parsed = serde_json::from_str::<Value>(text)
        .ok()
        .filter(Value::is_number);
    // `.5` and `5.` are numbers to a person, though not in JSON.
    let parsed = parsed.or_else(|| {
        text.parse::<f64>()
            .ok()
            .map(Value::from)
            .filter(Value::is_number)
    });
    Some(parsed.unwrap_or_else(|| Value::String(text.to_owned())))
}

/// Puts `value` at a dotted path, making the objects on the way.
fn put(target: &mut Value, path: &str, value: Value) {
    let mut place = target;
    for key in path.split('.') {
        place = &mut place[key];
    }
    *place = value;
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        assert_eq!(number(" 3e-4 "), Some(json!(3e-4)));
        assert_eq!(number(".5"), Some(json!(0.5)));
        assert_eq!(number("12"), Some(json!(12)));
        assert_eq!(number("NaN"), Some(Value::String("NaN".into())));
        assert_eq!(number("1,5"), Some(Value::String("1,5".into())));
        assert_eq!(number(" "), None);
    }
}
