//! The experiment as a form: one signal a field, and the way between form and configuration.

use crate::format::{escape, unescape};
use crate::settings::{self, Kind, Setting, StrategyKind};
use lab_protocol::{
    BackendChoice, DataSource, ExperimentConfig, LabError, SCHEMA_VERSION, from_value,
};
use leptos::prelude::*;
use serde_json::{Map, Value, json};

/// Every field of the experiment. Numbers are kept as they were typed, so that what is wrong with one
/// is told by the protocol's own check.
#[derive(Clone, Copy)]
pub struct ExperimentForm {
    pub name: RwSignal<String>,
    pub description: RwSignal<String>,
    pub seed: RwSignal<String>,
    pub validation_fraction: RwSignal<String>,
    pub source: RwSignal<DataSource>,
    /// Name of the built-in text.
    pub built_in: RwSignal<String>,
    /// The village's preset, and its settings that differ from the preset's.
    pub preset: RwSignal<String>,
    pub village: RwSignal<Map<String, Value>>,
    /// Name of the user's file, if it is one.
    pub user_name: RwSignal<String>,
    pub strategies: RwSignal<Vec<StrategyForm>>,
}

/// A strategy's fields: `values[i]` belongs to `kind.settings[i]`.
#[derive(Clone)]
pub struct StrategyForm {
    pub name: String,
    pub kind: &'static StrategyKind,
    pub values: Vec<RwSignal<String>>,
}

impl ExperimentForm {
    pub fn new() -> Self {
        Self {
            name: RwSignal::new("experiment".to_owned()),
            description: RwSignal::new(String::new()),
            seed: RwSignal::new("1337".to_owned()),
            validation_fraction: RwSignal::new("0.1".to_owned()),
            source: RwSignal::new(DataSource::BuiltIn),
            built_in: RwSignal::new("first-names".to_owned()),
            preset: RwSignal::new("hamlet".to_owned()),
            village: RwSignal::new(Map::new()),
            user_name: RwSignal::new(String::new()),
            strategies: RwSignal::new(Vec::new()),
        }
    }

    /// Fills the form. Nothing of it changes when the experiment cannot be shown.
    pub fn load(&self, experiment: ExperimentConfig) -> Result<(), LabError> {
        if experiment.strategies.len() != 1 {
            return Err(LabError::config(
                "strategies",
                format!(
                    "the experiment has {} strategies",
                    experiment.strategies.len()
                ),
                "This page runs experiments of one strategy.",
            ));
        }
        let mut forms = Vec::new();
        for (index, strategy) in experiment.strategies.into_iter().enumerate() {
            let field = format!("strategies[{index}]");
            let kind = settings::kind(&strategy.strategy)
                .ok_or_else(|| unknown_kind(&strategy.strategy).at(&field))?;
            let config = (kind.resolve)(absent_as_empty(strategy.config))
                .map_err(|e| e.at(&format!("{field}.config")))?;
            forms.push(StrategyForm::new(strategy.name, kind, &config));
        }
        self.name.set(experiment.name);
        self.description.set(experiment.description);
        self.seed.set(experiment.seed.to_string());
        self.validation_fraction
            .set(experiment.data.validation_fraction.to_string());
        self.source.set(experiment.data.source);
        self.village.set(experiment.data.village);
        match experiment.data.source {
            DataSource::BuiltIn => self.built_in.set(experiment.data.name),
            DataSource::Village => self.preset.set(experiment.data.name),
            DataSource::User => {}
        }
        self.strategies.set(forms);
        Ok(())
    }

    /// The experiment that the form describes, checked; every field is read reactively.
    pub fn build(&self, backend: BackendChoice) -> Result<ExperimentConfig, LabError> {
        let source = self.source.get();
        let name = match source {
            DataSource::BuiltIn => self.built_in.get(),
            DataSource::Village => self.preset.get(),
            DataSource::User => self.user_name.get(),
        };
        let mut data = Map::new();
        data.insert("source".to_owned(), json!(source));
        data.insert("name".to_owned(), json!(name));
        if source == DataSource::Village {
            data.insert("village".to_owned(), Value::Object(self.village.get()));
        }
        insert_number(
            &mut data,
            "validation_fraction",
            &self.validation_fraction.get(),
        );
        let forms = self.strategies.get();
        let strategies: Vec<Value> = forms.iter().map(StrategyForm::value).collect();
        let mut value = Map::new();
        value.insert("schema".to_owned(), json!(SCHEMA_VERSION));
        value.insert("name".to_owned(), json!(self.name.get()));
        value.insert("description".to_owned(), json!(self.description.get()));
        insert_number(&mut value, "seed", &self.seed.get());
        value.insert("backend".to_owned(), json!(backend));
        value.insert("data".to_owned(), Value::Object(data));
        value.insert("strategies".to_owned(), Value::Array(strategies));

        let experiment: ExperimentConfig = from_value(Value::Object(value))?;
        experiment.validate()?;
        experiment
            .data
            .validate()
            .map_err(|error| error.at("data"))?;
        for (index, (strategy, form)) in experiment.strategies.iter().zip(&forms).enumerate() {
            let field = format!("strategies[{index}].config");
            (form.kind.check)(strategy.config.clone()).map_err(|error| error.at(&field))?;
        }
        Ok(experiment)
    }
}

impl StrategyForm {
    fn new(name: String, kind: &'static StrategyKind, config: &Value) -> Self {
        let values = kind
            .settings
            .iter()
            .map(|setting| {
                RwSignal::new(shown(
                    config.pointer(&setting.pointer()).unwrap_or(&Value::Null),
                ))
            })
            .collect();
        Self { name, kind, values }
    }

    fn value(&self) -> Value {
        let mut config = Value::Object(Map::new());
        for (setting, value) in self.kind.settings.iter().zip(&self.values) {
            if let Some(value) = typed(setting, &value.get()) {
                put(&mut config, setting.path, value);
            }
        }
        json!({ "name": self.name, "strategy": self.kind.id, "config": config })
    }

    /// What the folded card says.
    pub fn headline(&self) -> String {
        let parts = self
            .kind
            .settings
            .iter()
            .zip(&self.values)
            .filter(|(setting, _)| {
                let number = matches!(setting.kind, Kind::Whole(..) | Kind::Number(..));
                number && setting.group == settings::Group::Main
            });
        let words: Vec<_> = parts
            .map(|(setting, value)| format!("{} {}", setting.label.to_lowercase(), value.get()))
            .collect();
        words.join(" · ")
    }
}

/// A field's text for a value of a configuration.
pub fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => escape(text),
        Value::Null => String::new(),
        Value::Number(number) => {
            let text = number.to_string();
            text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
        }
        other => other.to_string(),
    }
}

/// The value that a field's text means; none where the field is empty, which means the default.
fn typed(setting: &Setting, text: &str) -> Option<Value> {
    match setting.kind {
        Kind::Text => Some(Value::String(unescape(text))),
        Kind::Choice(_) => Some(Value::String(text.to_owned())),
        Kind::Switch => Some(Value::Bool(text == "true")),
        Kind::Whole(..) | Kind::WholeUpTo(..) | Kind::Number(..) => number(text),
    }
}

/// A number as JSON; what is none stays text, for the check to refuse.
fn number(text: &str) -> Option<Value> {
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

fn insert_number(map: &mut Map<String, Value>, key: &str, text: &str) {
    if let Some(value) = number(text) {
        map.insert(key.to_owned(), value);
    }
}

/// Puts `value` at a dotted path, making the objects on the way.
fn put(target: &mut Value, path: &str, value: Value) {
    let mut place = target;
    for key in path.split('.') {
        place = &mut place[key];
    }
    *place = value;
}

fn absent_as_empty(config: Value) -> Value {
    if config.is_null() {
        Value::Object(Map::new())
    } else {
        config
    }
}

fn unknown_kind(id: &str) -> LabError {
    let known: Vec<_> = settings::KINDS.iter().map(|kind| kind.id).collect();
    LabError::config(
        "strategy",
        format!("this page knows no strategy called \"{id}\""),
        format!("Use one of: {}.", known.join(", ")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use lab_protocol::{ErrorCode, from_json};

    fn loaded(text: &str) -> ExperimentForm {
        let form = ExperimentForm::new();
        form.load(from_json(text).unwrap()).unwrap();
        form
    }

    fn field(form: &ExperimentForm, path: &str) -> RwSignal<String> {
        let strategy = &form.strategies.get()[0];
        let index = strategy
            .kind
            .settings
            .iter()
            .position(|setting| setting.path == path)
            .unwrap();
        strategy.values[index]
    }

    const QUICKSTART: &str = include_str!("../experiments/quickstart.json");
    const NANOGPT: &str = include_str!("../experiments/nanogpt-cpu.json");

    #[test]
    fn the_examples_come_back_from_the_form_as_they_are() {
        for text in [QUICKSTART, NANOGPT] {
            let resolved = |mut experiment: ExperimentConfig| {
                let strategy = &mut experiment.strategies[0];
                let kind = settings::kind(&strategy.strategy).unwrap();
                strategy.config = (kind.resolve)(strategy.config.take()).unwrap();
                experiment
            };
            let built = loaded(text).build(BackendChoice::Auto).unwrap();
            assert_eq!(resolved(built), resolved(from_json(text).unwrap()));
        }
    }

    #[test]
    fn a_wrong_value_is_told_at_the_path_of_its_field() {
        for (path, text, code) in [
            ("model.context", "0", ErrorCode::InvalidConfig),
            ("model.heads", "5", ErrorCode::InvalidConfig),
            ("training.learning_rate", "-1", ErrorCode::InvalidConfig),
            ("model.layers", "-1", ErrorCode::InvalidJson),
            ("model.layers", "four", ErrorCode::InvalidJson),
        ] {
            let form = loaded(QUICKSTART);
            field(&form, path).set(text.to_owned());
            let error = form.build(BackendChoice::Auto).unwrap_err();
            assert_eq!(error.code, code, "{path} = {text}");
            assert_eq!(
                error.field,
                Some(format!("strategies[0].config.{path}")),
                "{path} = {text}: {error}"
            );
            assert!(!error.hint.is_empty());
        }
        let form = loaded(QUICKSTART);
        form.seed.set("-3".to_owned());
        assert_eq!(
            form.build(BackendChoice::Auto)
                .unwrap_err()
                .field
                .as_deref(),
            Some("seed")
        );
        form.seed.set("3".to_owned());
        form.validation_fraction.set("2".to_owned());
        assert_eq!(
            form.build(BackendChoice::Auto)
                .unwrap_err()
                .field
                .as_deref(),
            Some("data.validation_fraction")
        );
    }

    #[test]
    fn an_empty_field_means_the_default() {
        let form = loaded(NANOGPT);
        field(&form, "training.steps").set("  ".to_owned());
        let built = form.build(BackendChoice::Cpu).unwrap();
        let config = (settings::KINDS[0].resolve)(built.strategies[0].config.clone()).unwrap();
        assert_eq!(config["training"]["steps"], 500);
        assert_eq!(built.backend, BackendChoice::Cpu);
    }

    #[test]
    fn what_cannot_be_shown_changes_nothing() {
        let form = loaded(QUICKSTART);
        let broken = QUICKSTART.replace("\"layers\"", "\"layer\"");
        let error = form.load(from_json(&broken).unwrap()).unwrap_err();
        assert_eq!(
            (error.code, error.field.as_deref()),
            (
                ErrorCode::UnknownKey,
                Some("strategies[0].config.model.layer")
            )
        );
        let unknown = QUICKSTART.replace("\"pretraining\"", "\"alchemy\"");
        let error = form.load(from_json(&unknown).unwrap()).unwrap_err();
        assert_eq!(error.field.as_deref(), Some("strategies[0].strategy"));
        assert!(form.build(BackendChoice::Auto).is_ok());
    }

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
