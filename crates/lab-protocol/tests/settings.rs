//! Facts that follow from the settings' fields: defaults, checks and description agree.

use lab_protocol::{
    ABOVE_ZERO, Definitions, ErrorCode, ExperimentConfig, GenerateRequest, Kind, LabError,
    LoraConfig, Place, STRATEGIES, Setting, Settings, StrategySettings, from_value, places,
    reference, schema,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Every shape that a setting can have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Settings)]
#[serde(default, deny_unknown_fields)]
#[settings(check = Self::fits)]
struct Everything {
    /// Counts something,
    /// at most.
    ///
    /// From a paper.
    #[setting(label = "How many", range = 1..=9, default = 3, unit = "steps", group = Data)]
    whole: usize,
    #[setting(range = ABOVE_ZERO..=1.0, default = 0.5)]
    number: f64,
    #[setting(range = 2..)]
    maybe: Option<usize>,
    #[setting(default = "a")]
    text: String,
    #[setting(lines)]
    lines: Vec<String>,
    choice: Colour,
    #[setting(group = Reward)]
    layout: Layout,
    #[setting(when(choice = "red" | "dark_blue"))]
    part: LoraConfig,
    #[setting(group = Adapter)]
    optional: Option<LoraConfig>,
}

impl Everything {
    fn fits(&self) -> Result<(), LabError> {
        match self.whole {
            8 => Err(LabError::config("whole", "8 does not fit", "Use 7.")),
            _ => Ok(()),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, Settings)]
#[serde(rename_all = "snake_case")]
enum Colour {
    #[default]
    Red,
    /// Like the sea.
    #[setting(label = "Navy")]
    DarkBlue,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Settings)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Layout {
    Flat {},
    Deep {
        /// Of the layout.
        #[setting(range = 1..=4)]
        depth: usize,
    },
}

impl Default for Layout {
    fn default() -> Self {
        Self::Flat {}
    }
}

fn refused(value: Value) -> (String, String, String) {
    let read: Everything = from_value(value).unwrap();
    let error = read.validate().unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidConfig);
    let field = error.field.unwrap_or_default();
    (field, error.message.to_string(), error.hint.to_string())
}

#[test]
fn defaults_stand_at_the_fields() {
    let defaults = Everything::default();
    assert_eq!((defaults.whole, defaults.number), (3, 0.5));
    assert_eq!((defaults.maybe, defaults.text.as_str()), (None, "a"));
    assert_eq!(from_value::<Everything>(json!({})).unwrap(), defaults);
    defaults.validate().unwrap();
}

#[test]
fn a_value_outside_its_range_is_refused_at_its_path() {
    let of = |field: &str, message: &str, hint: &str| {
        (field.to_owned(), message.to_owned(), hint.to_owned())
    };
    assert_eq!(
        refused(json!({"whole": 10})),
        of("whole", "whole is 10", "Use a whole number from 1 to 9.")
    );
    assert_eq!(
        refused(json!({"number": 0.0})),
        of(
            "number",
            "number is 0",
            "Use a number above 0, and at most 1."
        )
    );
    assert_eq!(
        refused(json!({"maybe": 1})),
        of("maybe", "maybe is 1", "Use a whole number of at least 2.")
    );
    assert_eq!(refused(json!({"optional": {"rank": 0}})).0, "optional.rank");
    assert_eq!(
        refused(json!({"part": {"targets": [""]}})).0,
        "part.targets[0]"
    );
    let deep = json!({"layout": {"kind": "deep", "depth": 5}});
    assert_eq!(refused(deep).0, "layout.depth");
    assert_eq!(refused(json!({"whole": 8})).1, "8 does not fit");
    let not_a_number = Everything {
        number: f64::NAN,
        ..Everything::default()
    };
    assert_eq!(
        not_a_number.validate().unwrap_err().field.as_deref(),
        Some("number")
    );
}

#[test]
fn the_description_is_what_stands_at_the_field() {
    let [whole, ..] = Everything::OBJECT.settings else {
        unreachable!()
    };
    assert_eq!((whole.label, whole.unit), ("How many", "steps"));
    assert_eq!(
        (whole.help, whole.notes),
        ("Counts something, at most.", "From a paper.")
    );
    let all = places(Everything::OBJECT);
    let at = |path: &str| all.iter().find(|place| place.path == path).unwrap();
    assert_eq!(at("number").setting.label, "Number");
    assert!(matches!(at("lines").setting.kind, Kind::Lines));
    let blue = at("choice").choices()[1];
    assert_eq!(
        (blue.value, blue.label, blue.help),
        ("dark_blue", "Navy", "Like the sea.")
    );
    let depends = |path: &str| at(path).when.clone();
    assert_eq!(
        depends("part.rank"),
        [("choice".to_owned(), &["red", "dark_blue"][..])]
    );
    assert_eq!(
        depends("layout.depth"),
        [("layout.kind".to_owned(), &["deep"][..])]
    );
    assert_eq!(
        depends("optional.rank"),
        [("optional".to_owned(), &["true"][..])]
    );
    use lab_protocol::Group::{Adapter, Data, Main, Reward};
    for (path, group) in [
        ("whole", Data),
        ("number", Main),
        ("layout.depth", Reward),
        ("optional.rank", Adapter),
    ] {
        assert_eq!(at(path).group, group, "{path}");
    }
}

#[test]
fn one_field_shows_in_the_schema_and_in_the_reference() {
    let mut definitions = Definitions::new();
    let all = schema(Everything::OBJECT, &mut definitions);
    assert_eq!(
        all["properties"]["whole"],
        json!({"type": "integer", "minimum": 1, "maximum": 9, "default": 3, "title": "How many", "unit": "steps",
            "description": "Counts something, at most.\n\nFrom a paper."})
    );
    assert_eq!(all["properties"]["number"]["exclusiveMinimum"], 0);
    assert_eq!(
        all["properties"]["maybe"]["type"],
        json!(["integer", "null"])
    );
    assert_eq!(all["properties"]["choice"]["$ref"], "#/$defs/Colour");
    assert_eq!(definitions["Colour"]["oneOf"][1]["title"], "Navy");
    assert_eq!(
        definitions["Layout"]["oneOf"][1]["required"],
        json!(["kind", "depth"])
    );
    let text = reference(&[Everything::OBJECT]);
    let row = "| `whole` | whole number 1 to 9 (steps) | `3` | How many: Counts something, at most. From a paper. |";
    assert!(text.contains(row), "{text}");
    let row = "| `layout.depth` | whole number 1 to 4 | must be given | Of the layout. Only where `layout.kind` is `deep`. |";
    assert!(text.contains(row), "{text}");
}

fn object_of(strategy: &StrategySettings) -> Vec<Place> {
    places(strategy.object)
}

/// Every object of settings there is, by its strategy.
fn all() -> impl Iterator<Item = (&'static str, Place)> {
    let strategies = STRATEGIES.iter().flat_map(|strategy| {
        let places = object_of(strategy).into_iter();
        places.map(|place| (strategy.kind, place))
    });
    let others = [ExperimentConfig::OBJECT, GenerateRequest::OBJECT];
    strategies.chain(
        others
            .into_iter()
            .flat_map(|object| places(object).into_iter().map(|place| (object.name, place))),
    )
}

#[test]
fn every_setting_is_described_and_every_number_has_a_range() {
    for (kind, Place { path, setting, .. }) in all() {
        assert!(!setting.help.is_empty(), "{kind}: {path} has no help");
        let number = matches!(setting.kind, Kind::Whole | Kind::Number);
        assert!(
            !number || setting.range.is_some() || path == "schema",
            "{kind}: {path} has no range"
        );
    }
}

#[test]
fn conditions_name_settings_and_values_that_there_are() {
    for strategy in &STRATEGIES {
        let all = object_of(strategy);
        for place in &all {
            for (path, values) in &place.when {
                let on = all.iter().find(|other| other.path == *path);
                let on = on.unwrap_or_else(|| panic!("{}: {path} is not there", strategy.kind));
                let known = on.choices();
                let there = |value: &&str| match on.setting.kind {
                    Kind::Part(_) | Kind::Switch => ["true", "false"].contains(value),
                    _ => known.iter().any(|choice| choice.value == *value),
                };
                assert!(values.iter().all(there), "{}: {values:?}", place.path);
            }
        }
    }
}

/// The names of values are serde's: the macro writes them again.
#[test]
fn every_value_of_a_choice_is_read() {
    for strategy in &STRATEGIES {
        for place in object_of(strategy) {
            let Kind::Choice(choices) = place.setting.kind else {
                continue;
            };
            for choice in choices.choices {
                let mut config = Value::Null;
                let mut at = &mut config;
                for key in place.path.split('.') {
                    at = &mut at[key];
                }
                *at = choice.value.into();
                (strategy.resolve)(config)
                    .unwrap_or_else(|error| panic!("{}: {error}", strategy.kind));
            }
        }
    }
}

#[test]
fn defaults_of_all_strategies_are_valid() {
    for strategy in &STRATEGIES {
        (strategy.check)(json!({})).unwrap_or_else(|error| panic!("{}: {error}", strategy.kind));
        let resolved = (strategy.resolve)(json!({})).unwrap();
        let stated = |setting: &Setting| setting.default.map(|default| default());
        for setting in strategy.object.settings {
            let default = stated(setting);
            // An empty list of preferences is not written.
            let written = resolved.get(setting.name).cloned();
            assert!(
                written == default || written.is_none(),
                "{}: {}",
                strategy.kind,
                setting.name
            );
        }
    }
}
