//! What can be set in each strategy: one table a strategy, from which its card is drawn.

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
const ANY: usize = 1 << 31;
const MAX_SIZE: usize = 16_384;
const ABOVE_ZERO: f64 = f64::MIN_POSITIVE;

const fn setting(
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

use Group::{Evaluation, Main, Model, Optimiser, Samples};
use Kind::{Choice, Number, Switch, Text, Whole};

const PRETRAINING: &[Setting] = &[
    setting(
        Main,
        "model.layers",
        "Layers",
        Whole(1, 128),
        "Transformer blocks, one after the other.",
    ),
    setting(
        Main,
        "model.heads",
        "Heads",
        Whole(1, 1024),
        "Attention heads in a block; they divide the width.",
    ),
    setting(
        Main,
        "model.width",
        "Width",
        Whole(1, MAX_SIZE),
        "Numbers that describe one token.",
    ),
    setting(
        Main,
        "model.context",
        "Context",
        Whole(1, 32_768),
        "Tokens the model sees at once.",
    ),
    setting(
        Main,
        "training.steps",
        "Steps",
        Whole(1, 10_000_000),
        "Updates of the weights.",
    ),
    setting(
        Main,
        "training.batch_size",
        "Batch",
        Whole(1, 4096),
        "Pieces of text in a step.",
    ),
    setting(
        Main,
        "training.learning_rate",
        "Learning rate",
        Number(0.0, 10.0),
        "How far a step moves the weights, at most.",
    ),
    setting(
        Main,
        "tokenizer",
        "Tokens",
        Choice(&[("character", "Characters"), ("byte", "Bytes")]),
        "What the text is cut into.",
    ),
    setting(
        Model,
        "model.hidden_width",
        "Hidden width",
        Whole(0, 8 * MAX_SIZE),
        "Inner size of the MLP; 0 is four times the width.",
    ),
    setting(
        Model,
        "model.key_value_heads",
        "Key-value heads",
        Whole(0, 1024),
        "Fewer than heads share keys and values; 0 is as many.",
    ),
    setting(
        Model,
        "model.position",
        "Positions",
        Choice(&[("learned", "Learned (GPT-2)"), ("rope", "Rotary (Llama)")]),
        "How the model knows the order of tokens.",
    ),
    setting(
        Model,
        "model.rope_theta",
        "Rotary base",
        Number(1.0, 1e12),
        "Longest wavelength of rotary positions.",
    ),
    setting(
        Model,
        "model.activation",
        "Activation",
        Choice(&[
            ("gelu", "GELU"),
            ("gelu_new", "GELU, tanh form"),
            ("relu", "ReLU"),
            ("swiglu", "SwiGLU (Llama)"),
        ]),
        "The bend in the MLP.",
    ),
    setting(
        Model,
        "model.norm",
        "Normalisation",
        Choice(&[("layer_norm", "LayerNorm"), ("rms_norm", "RMSNorm")]),
        "What keeps activations at one scale.",
    ),
    setting(
        Model,
        "model.norm_epsilon",
        "Norm epsilon",
        Number(ABOVE_ZERO, 1.0),
        "Keeps the normalisation from dividing by 0.",
    ),
    setting(
        Model,
        "model.dropout",
        "Dropout",
        Number(0.0, 0.95),
        "Share of activations dropped at random in training.",
    ),
    setting(
        Model,
        "model.bias",
        "Biases",
        Switch,
        "A constant added in linear layers and LayerNorm.",
    ),
    setting(
        Model,
        "model.tied_head",
        "Tied head",
        Switch,
        "The output layer reuses the token vectors.",
    ),
    setting(
        Optimiser,
        "training.schedule",
        "Schedule",
        Choice(&[
            ("cosine", "Cosine"),
            ("linear", "Linear"),
            ("constant", "Constant"),
        ]),
        "How the learning rate falls.",
    ),
    setting(
        Optimiser,
        "training.minimum_learning_rate",
        "Lowest rate",
        Number(0.0, 10.0),
        "Where the schedule ends.",
    ),
    setting(
        Optimiser,
        "training.warmup_steps",
        "Warm-up steps",
        Whole(0, ANY),
        "Steps in which the rate rises from 0.",
    ),
    setting(
        Optimiser,
        "training.decay_steps",
        "Decay steps",
        Whole(0, ANY),
        "Step at which the schedule ends; 0 is the last.",
    ),
    setting(
        Optimiser,
        "training.gradient_accumulation",
        "Micro-batches",
        Whole(1, 4096),
        "Batches whose gradients are summed in a step.",
    ),
    setting(
        Optimiser,
        "training.gradient_clip",
        "Gradient clip",
        Number(0.0, 1e6),
        "Largest norm of the gradient; 0 is no limit.",
    ),
    setting(
        Optimiser,
        "training.weight_decay",
        "Weight decay",
        Number(0.0, 10.0),
        "Pull of the matrices towards 0.",
    ),
    setting(
        Optimiser,
        "training.beta1",
        "Beta 1",
        Number(0.0, 0.999_999),
        "Memory of AdamW's mean.",
    ),
    setting(
        Optimiser,
        "training.beta2",
        "Beta 2",
        Number(0.0, 0.999_999),
        "Memory of AdamW's variance.",
    ),
    setting(
        Optimiser,
        "training.epsilon",
        "Epsilon",
        Number(ABOVE_ZERO, 1.0),
        "Keeps AdamW from dividing by 0.",
    ),
    setting(
        Evaluation,
        "training.evaluation_interval",
        "Evaluate every",
        Whole(0, ANY),
        "Steps between evaluations; 0 is at the end only.",
    ),
    setting(
        Evaluation,
        "training.evaluation_windows",
        "Windows",
        Whole(0, ANY),
        "Pieces of held-out text in an evaluation; 0 is all.",
    ),
    setting(
        Evaluation,
        "training.final_evaluation_windows",
        "Windows at the end",
        Whole(0, ANY),
        "The same for the evaluation that makes the result; 0 is all.",
    ),
    setting(
        Evaluation,
        "training.early_stopping_patience",
        "Patience",
        Whole(0, ANY),
        "Evaluations without progress before it stops; 0 is never.",
    ),
    setting(
        Evaluation,
        "training.checkpoint_interval",
        "Checkpoint every",
        Whole(0, ANY),
        "Steps between states to continue from; 0 is none.",
    ),
    setting(
        Samples,
        "training.sample_interval",
        "Sample every",
        Whole(0, ANY),
        "Steps between samples; 0 is at the end only.",
    ),
    setting(
        Samples,
        "training.sample_prompt",
        "Prompt",
        Text,
        "What samples begin with; \\n is a new line, as is nothing.",
    ),
    setting(
        Samples,
        "training.sample_tokens",
        "Length",
        Whole(0, 100_000),
        "Tokens in a sample.",
    ),
    setting(
        Samples,
        "training.sample_temperature",
        "Temperature",
        Number(0.0, 100.0),
        "Low is careful, high is wild; 0 takes the likeliest.",
    ),
];

#[cfg(test)]
mod tests {
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
