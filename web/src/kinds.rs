//! The kinds of strategy: their words, their settings, and how their configuration is checked.

use crate::base_model::BaseModelConfig;
use crate::fine_tuning_settings::{FINE_TUNING, FINE_TUNING_ADAPTER};
use crate::preference_settings::*;
use crate::pretraining_settings::PRETRAINING;
use crate::rag_settings::RAG;
use crate::settings::Group::Main;
use crate::settings::Kind::Text as Line;
use crate::settings::{Setting, setting};
use crate::training_settings::TRAINING;
use lab_protocol::{
    DpoConfig, FineTuningConfig, GrpoConfig, LabError, PretrainingConfig, RagConfig, RlhfConfig,
    from_value,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A kind of strategy that the page can show and run.
pub struct StrategyKind {
    /// As in `StrategyConfig::strategy`.
    pub id: &'static str,
    pub title: &'static str,
    /// What a new strategy of this kind is called.
    pub name: &'static str,
    pub description: &'static str,
    /// Whether it starts from another strategy's model.
    pub base: Base,
    /// Whether the worker runs it.
    pub runs: bool,
    /// Final metrics by which its outcome is told in a word; the first that is there counts.
    pub figures: &'static [&'static str],
    /// Metrics that are watched while it runs; the first is charted.
    pub tiles: &'static [&'static str],
    /// Tables of settings, one after the other.
    pub tables: &'static [&'static [Setting]],
    /// The configuration with every default filled in; unknown keys and wrong types are errors.
    pub resolve: fn(Value) -> Result<Value, LabError>,
    /// All that can be checked without the data.
    pub check: fn(Value) -> Result<(), LabError>,
}

impl StrategyKind {
    /// All settings, in the order in which they are shown within their group.
    pub fn settings(&self) -> impl Iterator<Item = &'static Setting> + use<> {
        self.tables.iter().flat_map(|table| table.iter())
    }

    /// The default of a setting; none where it is not there by default.
    pub fn default_of(&self, setting: &Setting) -> Option<Value> {
        (self.resolve)(Value::Object(Default::default()))
            .ok()
            .and_then(|defaults| defaults.pointer(&setting.pointer()).cloned())
    }
}

/// Whether a strategy starts from another's model.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Base {
    Never,
    Needed,
}

const BASE_MODEL: &[Setting] = &[setting(
    Main,
    "address",
    "Address",
    Line,
    "A folder with a model's files, or a GGUF file, on this page's own site.",
)];

/// All kinds of strategy, in the order of the pipeline.
pub static KINDS: [StrategyKind; 7] = [
    StrategyKind {
        id: "base_model",
        title: "Base model",
        name: "base",
        description: "A model from elsewhere, or one that was trained here before, for others to start from.",
        base: Base::Never,
        runs: false,
        figures: &[],
        tiles: &[],
        tables: &[BASE_MODEL],
        resolve: resolve::<BaseModelConfig>,
        check: BaseModelConfig::check,
    },
    StrategyKind {
        id: "pretraining",
        title: "Pretrain",
        name: "pretrain",
        description: "A small GPT starts from random weights and learns to predict what comes next in the text.",
        base: Base::Never,
        runs: true,
        figures: &["validation_loss", "loss"],
        tiles: &[
            "loss",
            "perplexity",
            "validation_loss",
            "bits_per_byte",
            "learning_rate",
            "gradient_norm",
        ],
        tables: &[PRETRAINING, TRAINING],
        resolve: resolve::<PretrainingConfig>,
        check: |config| from_value::<PretrainingConfig>(config)?.validate(),
    },
    StrategyKind {
        id: "fine_tuning",
        title: "Fine-tune",
        name: "fine-tune",
        description: "A model that can write learns to answer: from prompts with their responses, judged by the response alone.",
        base: Base::Needed,
        runs: true,
        figures: &[
            "held_out/unseen_questions",
            "validation_accuracy",
            "accuracy",
            "validation_loss",
        ],
        tiles: &[
            "loss",
            "accuracy",
            "validation_loss",
            "validation_accuracy",
            "learning_rate",
            "gradient_norm",
        ],
        tables: &[FINE_TUNING, FINE_TUNING_ADAPTER, TRAINING],
        resolve: resolve::<FineTuningConfig>,
        check: |config| from_value::<FineTuningConfig>(config)?.validate(),
    },
    StrategyKind {
        id: "rlhf",
        title: "RLHF",
        name: "rlhf",
        description: "A reward model learns which answers people prefer; PPO then makes the model answer so, without leaving its start far behind.",
        base: Base::Needed,
        runs: true,
        figures: &["held_out/true_reward", "average_reward", "reward_accuracy"],
        tiles: &[
            "average_reward",
            "objective/kl",
            "objective/entropy",
            "reward_accuracy",
            "policy/clipfrac_avg",
            "explained_variance",
        ],
        tables: &[
            PPO,
            PPO_OPTIMIZER,
            REWARD,
            REWARD_ADAPTER,
            REWARD_OPTIMIZER,
            ROLLOUT,
            POLICY_PART,
            POLICY_ADAPTER,
            REPORT,
            COLLECTED_FOR_REWARD,
        ],
        resolve: resolve::<RlhfConfig>,
        check: |config| from_value::<RlhfConfig>(config)?.validate(),
    },
    StrategyKind {
        id: "dpo",
        title: "DPO",
        name: "dpo",
        description: "Learns from pairs of answers directly: the preferred one grows likelier than the other, without a reward model.",
        base: Base::Needed,
        runs: true,
        figures: &[
            "held_out/true_reward",
            "average_reward",
            "reward_accuracy",
            "loss",
        ],
        tiles: &[
            "loss",
            "reward_accuracy",
            "average_reward",
            "objective/kl",
            "learning_rate",
            "gradient_norm",
        ],
        tables: &[
            DPO,
            OPTIMIZER,
            ROLLOUT,
            POLICY_PART,
            POLICY_ADAPTER,
            REPORT,
            COLLECTED_PAIRS,
        ],
        resolve: resolve::<DpoConfig>,
        check: |config| from_value::<DpoConfig>(config)?.validate(),
    },
    StrategyKind {
        id: "grpo",
        title: "GRPO",
        name: "grpo",
        description: "Samples several answers to each prompt and learns from how each compares with the others.",
        base: Base::Needed,
        runs: true,
        figures: &["held_out/true_reward", "average_reward", "reward_accuracy"],
        tiles: &[
            "average_reward",
            "objective/kl",
            "objective/entropy",
            "reward_accuracy",
            "policy/clipfrac_avg",
            "gradient_norm",
        ],
        tables: &[
            GRPO,
            OPTIMIZER,
            REWARD,
            REWARD_ADAPTER,
            REWARD_OPTIMIZER,
            ROLLOUT,
            POLICY_PART,
            POLICY_ADAPTER,
            REPORT,
            COLLECTED_FOR_REWARD,
        ],
        resolve: resolve::<GrpoConfig>,
        check: |config| from_value::<GrpoConfig>(config)?.validate(),
    },
    StrategyKind {
        id: "rag",
        title: "RAG",
        name: "rag",
        description: "Documents are indexed; the model answers from the passages that are found for a question.",
        base: Base::Needed,
        runs: true,
        figures: &["held_out/new_facts", "ndcg@10", "documents_indexed"],
        tiles: &[
            "documents_indexed",
            "chunks_indexed",
            "index_ms",
            "recall@3",
            "ndcg@10",
            "mrr",
        ],
        tables: &[RAG],
        resolve: resolve::<RagConfig>,
        check: |config| from_value::<RagConfig>(config)?.validate(),
    },
];

fn resolve<C: DeserializeOwned + Serialize>(config: Value) -> Result<Value, LabError> {
    let typed: C = from_value(config)?;
    serde_json::to_value(typed).map_err(|error| LabError::internal(error.to_string()))
}

/// The kind that an experiment calls `id`.
pub fn kind(id: &str) -> Option<&'static StrategyKind> {
    KINDS.iter().find(|kind| kind.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIR: &str = r#"{"prompt": "a", "chosen": "b", "rejected": "c"}"#;

    use crate::experiment::StrategyForm;
    use crate::settings::Kind::{
        Choice, Lines, List, Maybe, Number, Part, Rows, Switch, Text, Whole, WholeUpTo,
    };
    use crate::settings::{ABOVE_ZERO, ANY};
    use leptos::prelude::{Set, WithUntracked};

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

    /// A form in which the setting counts, and its configuration with every default.
    fn enabled(kind: &'static StrategyKind, setting: &Setting) -> (StrategyForm, Value) {
        let defaults = (kind.resolve)(Value::Object(Default::default())).unwrap();
        let form = StrategyForm::new("x".to_owned(), kind, &defaults);
        let mut condition = setting.when;
        while let Some((path, values)) = condition {
            form.value_at(path).unwrap().set(values[0].to_owned());
            condition = kind
                .settings()
                .find(|setting| setting.path == path)
                .unwrap()
                .when;
        }
        // Of a layout with a number that has no default, the form has none either.
        for (other, value) in form.fields().filter(|(other, _)| form.counts(other)) {
            if let Whole(low, _) = other.kind
                && value.with_untracked(String::is_empty)
            {
                value.set(low.to_string());
            }
        }
        let config = (kind.resolve)(form.config()).unwrap();
        (form, config)
    }

    fn with(kind: &'static StrategyKind, setting: &Setting, value: Value) -> Result<(), LabError> {
        let (_, mut config) = enabled(kind, setting);
        match config.pointer_mut(&setting.pointer()) {
            Some(place) => *place = value,
            // Optional, and not there by default.
            None => {
                let (parent, key) = setting.path.rsplit_once('.').unwrap_or(("", setting.path));
                let dots = parent.split('.').filter(|key| !key.is_empty());
                let parent: String = dots.map(|key| format!("/{key}")).collect();
                config.pointer_mut(&parent).unwrap()[key] = value;
            }
        }
        (kind.check)(config)
    }

    #[test]
    fn every_key_of_a_configuration_can_be_set_and_no_other() {
        for kind in &KINDS {
            let mut known = Vec::new();
            let defaults = (kind.resolve)(Value::Object(Default::default())).unwrap();
            flatten("", &defaults, &mut known);
            for path in &known {
                assert!(
                    kind.settings().any(|setting| setting.path == path),
                    "{}: nothing sets {path}",
                    kind.id
                );
            }
            for setting in kind.settings() {
                let once = kind.settings().filter(|other| other.path == setting.path);
                assert_eq!(once.count(), 1, "{}: {}", kind.id, setting.path);
                let (form, _) = enabled(kind, setting);
                let value = form.value_at(setting.path).unwrap();
                let text = match setting.kind {
                    Whole(low, _) | WholeUpTo(low, _) => low.max(2).to_string(),
                    Number(low, high) => low.max(0.5).min(high).to_string(),
                    Switch | Maybe(_) | Part => "true".to_owned(),
                    Choice(values) => values[0].0.to_owned(),
                    Text | List | Lines => "a".to_owned(),
                    Rows => PAIR.to_owned(),
                };
                value.set(text);
                let config = (kind.resolve)(form.config())
                    .unwrap_or_else(|error| panic!("{}: {}: {error}", kind.id, setting.path));
                assert!(
                    config.pointer(&setting.pointer()).is_some(),
                    "{}: {} is not in {config}",
                    kind.id,
                    setting.path
                );
            }
        }
    }

    /// The ranges in the table are the protocol's own: what is outside is refused, at that field.
    #[test]
    fn values_outside_a_range_are_refused_at_their_field() {
        for kind in &KINDS {
            for setting in kind.settings() {
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
                        vec![
                            Value::from(low),
                            Value::from(high * 1.01 + f64::from(high == 0.0)),
                            Value::from("x"),
                        ]
                    }
                    Switch | Maybe(_) | Part => vec![Value::from(1)],
                    Choice(_) => vec![Value::from("nonsense")],
                    Text | List | Lines | Rows => vec![Value::from(1)],
                };
                for value in outside {
                    let error = with(kind, setting, value.clone())
                        .expect_err(&format!("{}: {} = {value}", kind.id, setting.path));
                    let field = error.field.unwrap_or_default();
                    // Inside a choice of layouts the reader knows no path but the choice's own.
                    let at = field == setting.path
                        || (setting.when.is_some() && setting.path.starts_with(&field));
                    assert!(
                        at && !field.is_empty(),
                        "{}: {} = {value} is refused at {field}",
                        kind.id,
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
            for setting in kind.settings() {
                let inside: Vec<Value> = match setting.kind {
                    Whole(low, high) => vec![Value::from(low), Value::from(high)],
                    WholeUpTo(low, _) => vec![Value::from(low)],
                    Number(low, high) => vec![Value::from(low), Value::from(high)],
                    // Of a choice that others depend on, the form sends those along.
                    Choice(_) if kind.settings().any(|other| other.depends_on(setting)) => {
                        Vec::new()
                    }
                    Choice(values) => values
                        .iter()
                        .map(|(value, _)| Value::from(*value))
                        .collect(),
                    Switch | Maybe(_) => vec![Value::from(true), Value::from(false)],
                    Part => vec![Value::Object(Default::default())],
                    Text => vec![Value::from("anything")],
                    List | Lines => vec![Value::from(vec!["anything"])],
                    Rows => vec![serde_json::from_str(&format!("[{PAIR}]")).unwrap()],
                };
                for value in inside {
                    if let Err(error) = with(kind, setting, value.clone()) {
                        assert!(
                            !error.hint.starts_with("Use a"),
                            "{}: {} = {value}: {error}",
                            kind.id,
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
        let layers = kind.settings().next().unwrap();
        assert_eq!(kind.default_of(layers), Some(Value::from(4)));
        assert!(super::kind("nonsense").is_none());
    }
}
