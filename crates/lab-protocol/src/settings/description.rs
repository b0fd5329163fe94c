//! The description of settings, as `#[derive(Settings)]` writes it.

use crate::Range;
use serde_json::Value;

/// A struct of settings.
#[derive(Debug)]
pub struct Object {
    /// The Rust type's name, e.g. `TrainingConfig`.
    pub name: &'static str,
    pub help: &'static str,
    pub notes: &'static str,
    pub settings: &'static [Setting],
}

/// A field of a configuration, and the words about it. Words are English, and keys of a language table.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub name: &'static str,
    pub label: &'static str,
    /// Its effect, for the person who sets it.
    pub help: &'static str,
    /// Additions for a reference: sources, exceptions. May be empty.
    pub notes: &'static str,
    /// May be empty.
    pub unit: &'static str,
    /// The name of an absent value.
    pub none: &'static str,
    /// `None` if the part that contains it has a group.
    pub group: Option<Group>,
    pub kind: Kind,
    /// Whether it may be absent, even if it has a default.
    pub optional: bool,
    pub range: Option<Range>,
    /// `None` if it must be given.
    pub default: Option<fn() -> Value>,
    pub when: Option<Condition>,
}

impl Setting {
    /// A setting of which nothing is known but its name and its values.
    pub const fn of(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            label: name,
            help: "",
            notes: "",
            unit: "",
            none: "None",
            group: None,
            kind,
            optional: false,
            range: None,
            default: None,
            when: None,
        }
    }
}

/// A setting counts only while the setting at `path`, in the same struct, has one of these values; a part
/// that may be absent has the values `true` and `false`.
#[derive(Clone, Copy, Debug)]
pub struct Condition {
    pub path: &'static str,
    pub values: &'static [&'static str],
}

/// The values of a setting.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Whole,
    Number,
    Switch,
    Text,
    /// Several texts.
    List,
    /// Several texts, each on its own line.
    Lines,
    Choice(&'static Choices),
    Layouts(&'static Layouts),
    /// Settings of its own.
    Part(&'static Object),
    /// Several objects.
    Rows(&'static Object),
    /// JSON that something else reads.
    Any,
}

/// Values to choose from.
#[derive(Debug)]
pub struct Choices {
    pub name: &'static str,
    pub help: &'static str,
    pub choices: &'static [Choice],
}

#[derive(Clone, Copy, Debug)]
pub struct Choice {
    pub value: &'static str,
    pub label: &'static str,
    /// May be empty.
    pub help: &'static str,
}

/// An object whose key `tag` chooses its settings.
#[derive(Debug)]
pub struct Layouts {
    pub name: &'static str,
    pub help: &'static str,
    pub tag: &'static str,
    pub layouts: &'static [Layout],
}

#[derive(Debug)]
pub struct Layout {
    pub choice: Choice,
    pub settings: &'static [Setting],
}

impl Kind {
    /// The choices.
    pub fn choices(&self) -> Vec<Choice> {
        match self {
            Self::Choice(choices) => choices.choices.to_vec(),
            Self::Layouts(layouts) => layouts.layouts.iter().map(|one| one.choice).collect(),
            _ => Vec::new(),
        }
    }
}

/// The group in which settings are shown together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Always in sight.
    Main,
    Model,
    Adapter,
    Data,
    Reward,
    Answers,
    Policy,
    Retrieval,
    Optimiser,
    Evaluation,
    Samples,
}

impl Group {
    /// The groups that are folded away, in order.
    pub const FOLDED: [Group; 10] = [
        Self::Model,
        Self::Adapter,
        Self::Data,
        Self::Reward,
        Self::Answers,
        Self::Policy,
        Self::Retrieval,
        Self::Optimiser,
        Self::Evaluation,
        Self::Samples,
    ];

    pub fn title(self) -> &'static str {
        match self {
            Self::Main => "Main settings",
            Self::Model => "Model",
            Self::Adapter => "Adapter",
            Self::Data => "Data",
            Self::Reward => "Reward",
            Self::Answers => "Answers",
            Self::Policy => "Policy",
            Self::Retrieval => "Retrieval",
            Self::Optimiser => "Optimiser and schedule",
            Self::Evaluation => "Evaluation and checkpoints",
            Self::Samples => "Samples",
        }
    }
}
