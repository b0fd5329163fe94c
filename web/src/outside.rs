//! Strategies that the page does not know, because a module of the user's brings them: their settings are the ones in
//! the experiment.

use crate::kinds::{Base, StrategyKind, Words};
use lab_protocol::{Group, Kind, LabError, Place, Setting, text};
use serde_json::Value;

/// A kind with a setting for each value of `config`. It lives as long as the page, like the page's own.
pub fn kind(id: &str, config: &Value) -> Result<&'static StrategyKind, LabError> {
    let mut settings = Vec::new();
    add("", config, &mut settings)?;
    let id: &'static str = id.to_owned().leak();
    let words = Words {
        id,
        title: id,
        name: id,
        description: "A strategy of the module that was loaded with the page.",
        base: Base::Never,
        figures: &["held_out/unseen_questions", "validation_loss", "loss"],
        tiles: &["loss", "validation_loss", "perplexity", "accuracy"],
    };
    Ok(Box::leak(Box::new(StrategyKind {
        words,
        runs: true,
        settings,
        resolve: Ok,
        check: |_| Ok(()),
    })))
}

fn add(path: &str, value: &Value, settings: &mut Vec<Place>) -> Result<(), LabError> {
    let kind = match value {
        Value::Object(map) => {
            for (key, value) in map {
                let dot = if path.is_empty() { "" } else { "." };
                add(&format!("{path}{dot}{key}"), value, settings)?;
            }
            return Ok(());
        }
        Value::Null if path.is_empty() => return Ok(()),
        Value::Bool(_) => Kind::Switch,
        Value::Number(_) => Kind::Number,
        Value::String(_) => Kind::Text,
        Value::Array(values) if values.iter().all(Value::is_string) => Kind::List,
        other => {
            return Err(LabError::config(
                path,
                text!("the page has no field for {value}", value = other),
                "Use numbers, texts, switches, lists of texts, or objects of these.",
            ));
        }
    };
    settings.push(Place {
        path: path.to_owned(),
        setting: Setting::of(path.to_owned().leak(), kind),
        group: Group::Main,
        when: Vec::new(),
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::StrategyForm;
    use leptos::prelude::Set;
    use serde_json::json;

    #[test]
    fn a_configuration_comes_back_from_its_fields() {
        let config = json!({"order": 2, "inner": {"smooth": 0.5, "on": true, "word": "a", "words": ["b", "c"]}});
        let kind = kind("counting", &config).unwrap();
        let form = StrategyForm::new("x".to_owned(), kind, &config);
        assert_eq!(form.config(), config);
        form.value_at("inner.smooth")
            .unwrap()
            .set("0.25".to_owned());
        assert_eq!(form.config()["inner"]["smooth"], 0.25);
        let error = super::kind("counting", &json!({"list": [1]}))
            .err()
            .unwrap();
        assert_eq!(error.field.as_deref(), Some("list"));
    }
}
