//! The kinds of strategy: the page's words about each; their settings are the protocol's.

use crate::base_model::BaseModelConfig;
use lab_protocol::{LabError, Place, STRATEGIES, StrategySettings, places};
use serde_json::Value;
use std::ops::Deref;
use std::sync::LazyLock;

/// Path of the setting that says whether an endpoint answers.
pub const ENDPOINT: &str = "endpoint";
/// Path of the preferences that were collected.
pub const PREFERENCES: &str = "preferences";

/// The page's words for a kind of strategy.
#[derive(Clone, Copy)]
pub struct Words {
    /// The value of `StrategyConfig::strategy`.
    pub id: &'static str,
    pub title: &'static str,
    /// The name of a new strategy of this kind.
    pub name: &'static str,
    pub description: &'static str,
    /// Whether it starts from another strategy's model.
    pub base: Base,
    /// Final metrics that may stand for its outcome; the first one present counts.
    pub figures: &'static [&'static str],
    /// Metrics that are watched while it runs; the first is charted.
    pub tiles: &'static [&'static str],
}

/// A kind of strategy that the page can show.
pub struct StrategyKind {
    pub words: Words,
    /// Whether the worker runs it.
    pub runs: bool,
    /// In their order within each group.
    pub settings: Vec<Place>,
    /// The configuration with every default filled in; unknown keys and wrong types are errors.
    pub resolve: fn(Value) -> Result<Value, LabError>,
    /// Everything that can be checked without the data.
    pub check: fn(Value) -> Result<(), LabError>,
}

impl Deref for StrategyKind {
    type Target = Words;

    fn deref(&self) -> &Words {
        &self.words
    }
}

impl StrategyKind {
    fn of(settings: &StrategySettings, words: Words, runs: bool) -> Self {
        Self {
            words,
            runs,
            settings: places(settings.object),
            resolve: settings.resolve,
            check: settings.check,
        }
    }

    /// The default of a setting; `None` if it is absent by default.
    pub fn default_of(&self, place: &Place) -> Option<Value> {
        (self.resolve)(Value::Object(Default::default()))
            .ok()
            .and_then(|defaults| defaults.pointer(&place.pointer()).cloned())
    }
}

/// Whether a strategy starts from another's model.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Base {
    Never,
    Needed,
}

/// The card of a model from elsewhere, which the worker never runs.
static BASE_MODEL: StrategySettings = StrategySettings::of::<BaseModelConfig>("base_model");

/// All kinds of strategy, in the order of the pipeline.
pub static KINDS: LazyLock<Vec<StrategyKind>> = LazyLock::new(|| {
    let all = std::iter::once((&BASE_MODEL, false)).chain(STRATEGIES.iter().map(|one| (one, true)));
    all.map(|(settings, runs)| StrategyKind::of(settings, words(settings.kind), runs))
        .collect()
});

/// The kind that an experiment calls `id`.
pub fn kind(id: &str) -> Option<&'static StrategyKind> {
    KINDS.iter().find(|kind| kind.id == id)
}

/// The words about a kind; a kind of which the page says nothing is called by its own name.
fn words(id: &'static str) -> Words {
    let known = WORDS.iter().find(|words| words.id == id);
    known.copied().unwrap_or(Words {
        id,
        title: id,
        name: id,
        description: "",
        base: Base::Needed,
        figures: &["validation_loss", "loss"],
        tiles: &["loss", "validation_loss", "learning_rate"],
    })
}

const WORDS: [Words; 7] = [
    Words {
        id: "base_model",
        title: "Base model",
        name: "base",
        description: "A model from elsewhere, or one that was trained here before, for others to start from.",
        base: Base::Never,
        figures: &[],
        tiles: &[],
    },
    Words {
        id: "pretraining",
        title: "Pretrain",
        name: "pretrain",
        description: "A small GPT starts from random weights and learns to predict what comes next in the text.",
        base: Base::Never,
        figures: &["validation_loss", "loss"],
        tiles: &[
            "loss",
            "perplexity",
            "validation_loss",
            "bits_per_byte",
            "learning_rate",
            "gradient_norm",
        ],
    },
    Words {
        id: "fine_tuning",
        title: "Fine-tune",
        name: "fine-tune",
        description: "A model that can write learns to answer: from prompts with their responses, judged by the response alone.",
        base: Base::Needed,
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
    },
    Words {
        id: "rlhf",
        title: "RLHF",
        name: "rlhf",
        description: "A reward model learns which answers people prefer; PPO then makes the model answer so, without leaving its start far behind.",
        base: Base::Needed,
        figures: &["held_out/true_reward", "average_reward", "reward_accuracy"],
        tiles: &[
            "average_reward",
            "objective/kl",
            "objective/entropy",
            "reward_accuracy",
            "policy/clipfrac_avg",
            "explained_variance",
        ],
    },
    Words {
        id: "dpo",
        title: "DPO",
        name: "dpo",
        description: "Learns from pairs of answers directly: the preferred one grows likelier than the other, without a reward model.",
        base: Base::Needed,
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
    },
    Words {
        id: "grpo",
        title: "GRPO",
        name: "grpo",
        description: "Samples several answers to each prompt and learns from how each compares with the others.",
        base: Base::Needed,
        figures: &["held_out/true_reward", "average_reward", "reward_accuracy"],
        tiles: &[
            "average_reward",
            "objective/kl",
            "objective/entropy",
            "reward_accuracy",
            "policy/clipfrac_avg",
            "gradient_norm",
        ],
    },
    Words {
        id: "rag",
        title: "RAG",
        name: "rag",
        description: "Documents are indexed; the model answers from the passages that are found for a question.",
        base: Base::Needed,
        figures: &["held_out/new_facts", "ndcg@10", "documents_indexed"],
        tiles: &[
            "documents_indexed",
            "chunks_indexed",
            "index_ms",
            "recall@3",
            "ndcg@10",
            "mrr",
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::StrategyForm;
    use lab_protocol::Kind;
    use leptos::prelude::{GetUntracked, Set};

    const PREFERENCE: &str = r#"{"prompt": "a", "chosen": "b", "rejected": "c"}"#;

    /// A form in which the setting counts.
    fn enabled(kind: &'static StrategyKind, place: &Place) -> StrategyForm {
        let defaults = (kind.resolve)(Value::Object(Default::default())).unwrap();
        let form = StrategyForm::new("x".to_owned(), kind, &defaults);
        for (path, values) in &place.when {
            form.value_at(path).unwrap().set(values[0].to_owned());
        }
        // A number of a layout that has no default has none in the form either.
        for (other, value) in form.fields().filter(|(other, _)| form.counts(other)) {
            if let (Some(range), Kind::Whole, true) = (
                other.setting.range,
                other.setting.kind,
                value.get_untracked().is_empty() && !other.setting.optional,
            ) {
                value.set(range.low.to_string());
            }
        }
        form
    }

    /// Text typed into a field appears in the configuration, which the protocol reads.
    #[test]
    fn every_setting_comes_from_its_field_into_the_configuration() {
        for kind in KINDS.iter() {
            for place in &kind.settings {
                let form = enabled(kind, place);
                let text = match place.setting.kind {
                    Kind::Whole | Kind::Number => {
                        let range = place.setting.range.unwrap();
                        range.low.max(2.0).min(range.high).to_string()
                    }
                    Kind::Switch | Kind::Part(_) => "true".to_owned(),
                    Kind::Choice(_) | Kind::Layouts(_) => place.choices()[0].value.to_owned(),
                    Kind::Text | Kind::List | Kind::Lines => "a".to_owned(),
                    Kind::Rows(_) => PREFERENCE.to_owned(),
                    Kind::Any => panic!("{}: {} has no field", kind.id, place.path),
                };
                form.value_at(&place.path).unwrap().set(text);
                let config = (kind.resolve)(form.config())
                    .unwrap_or_else(|error| panic!("{}: {}: {error}", kind.id, place.path));
                assert!(
                    config.pointer(&place.pointer()).is_some(),
                    "{}: {} is not in {config}",
                    kind.id,
                    place.path
                );
            }
        }
    }

    /// A setting that is added to the protocol is on the page.
    #[test]
    fn the_settings_are_the_protocols() {
        let pretraining = kind("pretraining").unwrap();
        let layers = &pretraining.settings[0];
        assert_eq!(
            (layers.path.as_str(), layers.setting.label),
            ("model.layers", "Layers")
        );
        assert_eq!(pretraining.default_of(layers), Some(Value::from(4)));
        assert!(kind("nonsense").is_none());
        for words in WORDS {
            assert!(kind(words.id).is_some(), "no settings of {}", words.id);
        }
        for kind in KINDS.iter() {
            assert!(!kind.description.is_empty(), "no words about {}", kind.id);
        }
    }
}
