//! What can be set in each strategy: one table a strategy, from which its card is drawn.

use crate::pretraining_settings::PRETRAINING;
use lab_protocol::{LabError, PretrainingConfig, from_value};
use serde_json::Value;

/// A kind of strategy that the page can show and run.
pub struct StrategyKind {
    /// As in `StrategyConfig::strategy`.
    pub id: &'static str,
    pub title: &'static str,
    pub description: &'static str,
    pub settings: &'static [Setting],
    /// The configuration with every default filled in; unknown keys and wrong types are errors.
    pub resolve: fn(Value) -> Result<Value, LabError>,
    /// All that can be checked without the data.
    pub check: fn(Value) -> Result<(), LabError>,
}

impl StrategyKind {
    /// The default of a setting.
    pub fn default_of(&self, setting: &Setting) -> Value {
        (self.resolve)(Value::Object(Default::default()))
            .ok()
            .and_then(|defaults| defaults.pointer(&setting.pointer()).cloned())
            .unwrap_or(Value::Null)
    }
}

/// A setting and the words about it.
pub struct Setting {
    /// Path within the strategy's configuration, e.g. `model.layers`.
    pub path: &'static str,
    pub label: &'static str,
    pub help: &'static str,
    pub kind: Kind,
    pub group: Group,
}

impl Setting {
    /// The path as a JSON pointer.
    pub fn pointer(&self) -> String {
        format!("/{}", self.path.replace('.', "/"))
    }
}

pub enum Kind {
    Whole(usize, usize),
    /// From the first up to another setting, which is named as in a sentence.
    WholeUpTo(usize, &'static str),
    /// From the first to the second; `0.0` excluded where `f64::MIN_POSITIVE` stands.
    Number(f64, f64),
    Switch,
    Choice(&'static [(&'static str, &'static str)]),
    /// Text on one line, new lines written as `\n`.
    Text,
}

/// Where on the card a setting stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Always in sight.
    Main,
    Model,
    Optimiser,
    Evaluation,
    Samples,
}

/// The folded groups and their titles, in order.
pub const ADVANCED: [(Group, &str); 4] = [
    (Group::Model, "Model"),
    (Group::Optimiser, "Optimiser and schedule"),
    (Group::Evaluation, "Evaluation and checkpoints"),
    (Group::Samples, "Samples"),
];

/// All kinds of strategy, in the order of the pipeline.
pub static KINDS: [StrategyKind; 1] = [StrategyKind {
    id: "pretraining",
    title: "Pretrain",
    description: "A small GPT starts from random weights and learns to predict the next character of the text.",
    settings: PRETRAINING,
    resolve: |config| {
        let typed: PretrainingConfig = from_value(config)?;
        serde_json::to_value(typed).map_err(|error| LabError::internal(error.to_string()))
    },
    check: |config| from_value::<PretrainingConfig>(config)?.validate(),
}];

/// The kind that an experiment calls `id`.
pub fn kind(id: &str) -> Option<&'static StrategyKind> {
    KINDS.iter().find(|kind| kind.id == id)
}

/// No bound but what a step counter can hold.
pub const ANY: usize = 1 << 31;
/// The lower end of a range that leaves 0 out.
pub const ABOVE_ZERO: f64 = f64::MIN_POSITIVE;

/// An entry of a table.
pub const fn setting(
    group: Group,
    path: &'static str,
    label: &'static str,
    kind: Kind,
    help: &'static str,
) -> Setting {
    Setting {
        path,
        label,
        help,
        kind,
        group,
    }
}

#[cfg(test)]
mod tests {
    use super::Kind::{Choice, Number, Switch, Text, Whole, WholeUpTo};
    use super::*;

    fn flatten(prefix: &str, value: &Value, paths: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let path = if prefix.is_empty() {
                        key.clone()
                    } else {
                        format!("{prefix}.{key}")
                    };
                    flatten(&path, value, paths);
                }
            }
            _ => paths.push(prefix.to_owned()),
        }
    }

    fn with(kind: &StrategyKind, setting: &Setting, value: Value) -> Result<(), LabError> {
        let mut config = (kind.resolve)(Value::Object(Default::default())).unwrap();
        *config.pointer_mut(&setting.pointer()).unwrap() = value;
        (kind.check)(config)
    }

    #[test]
    fn every_key_of_a_configuration_can_be_set_and_no_other() {
        for kind in &KINDS {
            let mut known = Vec::new();
            flatten(
                "",
                &(kind.resolve)(Value::Object(Default::default())).unwrap(),
                &mut known,
            );
            let mut shown: Vec<_> = kind
                .settings
                .iter()
                .map(|setting| setting.path.to_owned())
                .collect();
            known.sort();
            shown.sort();
            assert_eq!(known, shown);
        }
    }

    /// The ranges in the table are the protocol's own: what is outside is refused, at that field.
    #[test]
    fn values_outside_a_range_are_refused_at_their_field() {
        for kind in &KINDS {
            for setting in kind.settings {
                let outside: Vec<Value> = match setting.kind {
                    Whole(low, high) => {
                        let above = (high != ANY).then(|| Value::from(high + 1));
                        let below = (low > 0).then(|| Value::from(low - 1));
                        [above, below, Some(Value::from(-1)), Some(Value::from("x"))]
                            .into_iter()
                            .flatten()
                            .collect()
                    }
                    // No other setting's default is as large as this.
                    WholeUpTo(..) => vec![Value::from(ANY), Value::from(-1), Value::from("x")],
                    Number(low, high) => {
                        let low = if low == ABOVE_ZERO { 0.0 } else { low - 1.0 };
                        vec![Value::from(low), Value::from(high * 1.01), Value::from("x")]
                    }
                    Switch => vec![Value::from(1)],
                    Choice(_) => vec![Value::from("nonsense")],
                    Text => vec![Value::from(1)],
                };
                for value in outside {
                    let error = with(kind, setting, value.clone())
                        .expect_err(&format!("{} = {value}", setting.path));
                    assert_eq!(
                        error.field.as_deref(),
                        Some(setting.path),
                        "{} = {value}",
                        setting.path
                    );
                }
            }
        }
    }

    /// Values at the ends of a range are never refused for the range: at most for what does not fit
    /// another setting.
    #[test]
    fn values_at_the_ends_of_a_range_are_in_it() {
        for kind in &KINDS {
            for setting in kind.settings {
                let inside: Vec<Value> = match setting.kind {
                    Whole(low, high) => vec![Value::from(low), Value::from(high)],
                    WholeUpTo(low, _) => vec![Value::from(low)],
                    Number(low, high) => vec![Value::from(low), Value::from(high)],
                    Choice(values) => values
                        .iter()
                        .map(|(value, _)| Value::from(*value))
                        .collect(),
                    Switch => vec![Value::from(true), Value::from(false)],
                    Text => vec![Value::from("anything")],
                };
                for value in inside {
                    if let Err(error) = with(kind, setting, value.clone()) {
                        assert!(
                            !error.hint.starts_with("Use a"),
                            "{} = {value}: {error}",
                            setting.path
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn defaults_come_from_the_protocol() {
        let kind = kind("pretraining").unwrap();
        let layers = &kind.settings[0];
        assert_eq!(kind.default_of(layers), Value::from(4));
        assert!(super::kind("nonsense").is_none());
    }
}
