//! The experiment as a form: one signal a field, and the way between form and configuration.

use crate::kinds::{self, Base, StrategyKind};
use crate::outside;
use crate::strategy_form::number;
pub use crate::strategy_form::{StrategyForm, shown};
use lab_protocol::{
    BackendChoice, DataSource, ExperimentConfig, LabError, RunResult, SCHEMA_VERSION, from_value,
    text,
};
use leptos::prelude::*;
use serde_json::{Map, Value, json};

/// Every field of the experiment. Numbers are kept as they were typed, so the protocol's own check reports their
/// errors.
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
    /// Whether strategies that the page does not know are allowed, because a module was loaded with the experiment.
    pub outside: RwSignal<bool>,
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
            outside: RwSignal::new(false),
        }
    }

    /// Fills the form. Nothing in it changes if the experiment cannot be shown.
    pub fn load(&self, experiment: ExperimentConfig) -> Result<(), LabError> {
        if experiment.strategies.is_empty() {
            return Err(LabError::config(
                "strategies",
                "the experiment has no strategy",
                "Add at least one.",
            ));
        }
        experiment.order()?;
        let mut forms: Vec<StrategyForm> = Vec::new();
        let mut bases = Vec::new();
        for (index, strategy) in experiment.strategies.into_iter().enumerate() {
            let field = format!("strategies[{index}]");
            let kind = match kinds::kind(&strategy.strategy) {
                Some(kind) => kind,
                None if self.outside.get_untracked() => {
                    outside::kind(&strategy.strategy, &strategy.config)
                        .map_err(|error| error.at(&format!("{field}.config")))?
                }
                None => return Err(unknown_kind(&strategy.strategy).at(&field)),
            };
            let config = (kind.resolve)(absent_as_empty(strategy.config))
                .map_err(|e| e.at(&format!("{field}.config")))?;
            forms.push(StrategyForm::new(strategy.name, kind, &config));
            bases.push(strategy.from);
        }
        for (form, from) in forms.iter().zip(bases) {
            let named = |base: &&StrategyForm| Some(base.name.get_untracked()) == from;
            form.from.set(forms.iter().find(named).map(|base| base.key));
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
        let forms = self.strategies.get();
        let strategies: Vec<Value> = forms.iter().map(|form| self.value_of(form)).collect();
        let mut value = Map::new();
        value.insert("schema".to_owned(), json!(SCHEMA_VERSION));
        value.insert("name".to_owned(), json!(self.name.get()));
        value.insert("description".to_owned(), json!(self.description.get()));
        insert_number(&mut value, "seed", &self.seed.get());
        value.insert("backend".to_owned(), json!(backend));
        value.insert("data".to_owned(), self.data_value());
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
            // An endpoint's answers need no model of the lab.
            let elsewhere = strategy.config["endpoint"].is_object();
            if form.kind.base == Base::Needed && strategy.from.is_none() && !elsewhere {
                return Err(LabError::config(
                    "from",
                    text!(
                        "\"{name}\" has no model to start from",
                        name = strategy.name
                    ),
                    "Choose the strategy whose model it starts from.",
                )
                .at(&format!("strategies[{index}]")));
            }
        }
        Ok(experiment)
    }

    /// The experiment's data; every field is read reactively.
    pub fn data_value(&self) -> Value {
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
        Value::Object(data)
    }

    fn value_of(&self, form: &StrategyForm) -> Value {
        let mut value = json!({
            "name": form.name.get(),
            "strategy": form.kind.id,
            "config": form.config(),
        });
        if let Some(base) = form.from.get().and_then(|key| self.strategy(key)) {
            value["from"] = json!(base.name.get());
        }
        value
    }

    pub fn strategy(&self, key: usize) -> Option<StrategyForm> {
        let found = |forms: &Vec<StrategyForm>| forms.iter().find(|form| form.key == key).cloned();
        self.strategies.with_untracked(found)
    }

    /// The strategies with a result, with their place in the experiment.
    pub fn finished(&self) -> Vec<(usize, StrategyForm)> {
        let forms = self.strategies.get().into_iter().enumerate();
        forms
            .filter(|(_, form)| form.run.result.with(Option::is_some))
            .collect()
    }

    /// The results under the names of the form, which may have changed since.
    pub fn results(&self) -> Vec<RunResult> {
        let named = |(_, form): (usize, StrategyForm)| {
            let result = form.run.result.get()?;
            Some(RunResult {
                strategy: form.name.get(),
                ..result
            })
        };
        self.finished().into_iter().filter_map(named).collect()
    }

    /// Key of the strategy that this one starts from.
    pub fn base_of(&self, key: usize) -> Option<usize> {
        self.strategy(key)?.from.get_untracked()
    }

    /// The strategies that this one can start from: all that do not start from it.
    pub fn bases_for(&self, key: usize) -> Vec<StrategyForm> {
        let starts_from_it = |form: &StrategyForm| {
            let mut at = Some(form.key);
            // With as many steps as strategies, every line reaches its end.
            for _ in 0..=self.strategies.with(Vec::len) {
                if at == Some(key) {
                    return true;
                }
                at = at.and_then(|at| self.strategy(at)?.from.get());
            }
            false
        };
        let mut forms = self.strategies.get();
        forms.retain(|form| !starts_from_it(form));
        forms
    }

    /// Adds a strategy of this kind, which starts from the last one if it starts from any.
    pub fn add(&self, kind: &'static StrategyKind) -> Result<StrategyForm, LabError> {
        let config = (kind.resolve)(Value::Object(Map::new()))?;
        let taken: Vec<_> = self
            .strategies
            .with_untracked(|forms| forms.iter().map(|form| form.name.get_untracked()).collect());
        let numbered = (2..).map(|number| format!("{}-{number}", kind.name));
        let name = std::iter::once(kind.name.to_owned())
            .chain(numbered)
            .find(|name| !taken.contains(name))
            .unwrap_or_default();
        let form = StrategyForm::new(name, kind, &config);
        if kind.base != Base::Never {
            let last = self
                .strategies
                .with_untracked(|forms| forms.last().map(|form| form.key));
            form.from.set(last);
        }
        self.strategies.update(|forms| forms.push(form.clone()));
        Ok(form)
    }

    /// Removes a strategy; strategies that started from it start from its base instead.
    pub fn remove(&self, key: usize) {
        let base = self.base_of(key);
        for form in self.strategies.get_untracked() {
            if form.from.get_untracked() == Some(key) {
                form.from.set(base);
            }
        }
        self.strategies
            .update(|forms| forms.retain(|form| form.key != key));
    }
}

fn insert_number(map: &mut Map<String, Value>, key: &str, text: &str) {
    if let Some(value) = number(text) {
        map.insert(key.to_owned(), value);
    }
}

fn absent_as_empty(config: Value) -> Value {
    if config.is_null() {
        Value::Object(Map::new())
    } else {
        config
    }
}

fn unknown_kind(id: &str) -> LabError {
    let known: Vec<_> = kinds::KINDS.iter().map(|kind| kind.id).collect();
    LabError::config(
        "strategy",
        text!("this page knows no strategy called \"{name}\"", name = id),
        text!("Use one of: {names}.", names = known.join(", ")),
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
        strategy.value_at(path).unwrap()
    }

    const QUICKSTART: &str = include_str!("../experiments/quickstart.json");
    const FINE_TUNING: &str = include_str!("../experiments/fine-tuning.json");
    const NANOGPT: &str = include_str!("../experiments/nanogpt-cpu.json");

    #[test]
    fn the_examples_come_back_from_the_form_as_they_are() {
        for text in [QUICKSTART, NANOGPT, FINE_TUNING] {
            let resolved = |mut experiment: ExperimentConfig| {
                for strategy in &mut experiment.strategies {
                    let kind = kinds::kind(&strategy.strategy).unwrap();
                    strategy.config = (kind.resolve)(strategy.config.take()).unwrap();
                }
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
        let config =
            (kinds::kind("pretraining").unwrap().resolve)(built.strategies[0].config.clone())
                .unwrap();
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
}
