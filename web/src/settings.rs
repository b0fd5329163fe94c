//! What a setting of a strategy is: from tables of these a strategy's card is drawn.

/// A setting and the words about it.
pub struct Setting {
    /// Path within the strategy's configuration, e.g. `model.layers`.
    pub path: &'static str,
    pub label: &'static str,
    pub help: &'static str,
    pub kind: Kind,
    pub group: Group,
    /// It counts only while the setting of this path has one of these values.
    pub when: Option<(&'static str, &'static [&'static str])>,
}

impl Setting {
    /// The path as a JSON pointer.
    pub fn pointer(&self) -> String {
        format!("/{}", self.path.replace('.', "/"))
    }

    #[cfg(test)]
    pub fn depends_on(&self, other: &Setting) -> bool {
        self.when.is_some_and(|(path, _)| path == other.path)
    }
}

pub enum Kind {
    Whole(usize, usize),
    /// From the first up to another setting, which is named as in a sentence.
    WholeUpTo(usize, &'static str),
    /// From the first to the second; `0.0` excluded where `f64::MIN_POSITIVE` stands.
    Number(f64, f64),
    Switch,
    /// On, off, or what the words say.
    Maybe(&'static str),
    Choice(&'static [(&'static str, &'static str)]),
    /// Text on one line, new lines written as `\n`.
    Text,
    /// Texts with commas between them.
    List,
    /// Texts, each on a line of its own.
    Lines,
    /// Objects in JSON, each on a line of its own.
    Rows,
    /// Whether there is this part of the configuration at all; its own settings count only when there is.
    Part,
}

/// Where on the card a setting stands.
#[derive(Clone, Copy, PartialEq, Eq)]
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

/// The folded groups and their titles, in order.
pub const ADVANCED: [(Group, &str); 10] = [
    (Group::Model, "Model"),
    (Group::Adapter, "Adapter"),
    (Group::Data, "Data"),
    (Group::Reward, "Reward"),
    (Group::Answers, "Answers"),
    (Group::Policy, "Policy"),
    (Group::Retrieval, "Retrieval"),
    (Group::Optimiser, "Optimiser and schedule"),
    (Group::Evaluation, "Evaluation and checkpoints"),
    (Group::Samples, "Samples"),
];

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
        when: None,
    }
}

/// The entry, counting only while the setting of that path has one of these values.
pub const fn only(
    path: &'static str,
    values: &'static [&'static str],
    mut setting: Setting,
) -> Setting {
    setting.when = Some((path, values));
    setting
}

/// The settings of a [`lab_protocol::LoraConfig`] at a path that ends with a dot, as long as another
/// setting has one of these values; with the largest dropout that is allowed.
#[macro_export]
macro_rules! lora_settings {
    ($group:expr, $at:literal, $when:expr, $values:expr, $dropout:expr) => {{
        use $crate::settings::Kind::{List, Number, Switch, Whole};
        use $crate::settings::{Setting, only, setting};
        const SETTINGS: &[Setting] = &[
            only(
                $when,
                $values,
                setting(
                    $group,
                    concat!($at, "rank"),
                    "Rank",
                    Whole(1, 4096),
                    "Columns of the low-rank matrices: how much an adapter can learn.",
                ),
            ),
            only(
                $when,
                $values,
                setting(
                    $group,
                    concat!($at, "alpha"),
                    "Alpha",
                    Number(0.0, 1e6),
                    "Strength of the adapter; it counts alpha / rank.",
                ),
            ),
            only(
                $when,
                $values,
                setting(
                    $group,
                    concat!($at, "dropout"),
                    "Adapter dropout",
                    Number(0.0, $dropout),
                    "Share of an adapter's input dropped in training.",
                ),
            ),
            only(
                $when,
                $values,
                setting(
                    $group,
                    concat!($at, "targets"),
                    "Layers",
                    List,
                    "Linear layers to adapt, such as q_proj, v_proj; empty is all but the head.",
                ),
            ),
            only(
                $when,
                $values,
                setting(
                    $group,
                    concat!($at, "rslora"),
                    "rsLoRA",
                    Switch,
                    "Divides by the rank's square root, which suits large ranks.",
                ),
            ),
            only(
                $when,
                $values,
                setting(
                    $group,
                    concat!($at, "dora"),
                    "DoRA",
                    Switch,
                    "Learns direction and size of the weights apart.",
                ),
            ),
        ];
        SETTINGS
    }};
}
