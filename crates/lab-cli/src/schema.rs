//! `lab schema`: JSON Schema of the configurations and the reference of all settings, from the fields themselves.

use lab_protocol::{
    Definitions, ExperimentConfig, GenerateRequest, LabError, STRATEGIES, Settings, definition,
    reference, schema, text,
};
use lab_village::{Preset, VillageSettings};
use serde_json::{Value, json};

#[derive(clap::Args)]
pub struct Arguments {
    /// A kind of strategy (pretraining, fine_tuning, rlhf, grpo, dpo, rag), or a part by its name in the whole,
    /// e.g. ModelConfig or VillageSettings. Without: the schema of an experiment, which holds all others.
    name: Option<String>,
    /// The reference of all settings as Markdown instead.
    #[arg(long, conflicts_with = "name")]
    reference: bool,
}

pub fn run(arguments: Arguments) -> Result<(), LabError> {
    if arguments.reference {
        print!("{}", reference(&[VillageSettings::OBJECT]));
        return Ok(());
    }
    let whole = experiment();
    let wanted = match &arguments.name {
        None => whole,
        Some(name) => part(whole, name)?,
    };
    println!("{wanted:#}");
    Ok(())
}

/// The schema of an experiment. It knows the configurations of the lab's own strategies; that of a strategy
/// from outside may be anything.
fn experiment() -> Value {
    let mut definitions = Definitions::new();
    let mut whole = schema(ExperimentConfig::OBJECT, &mut definitions);
    let of_strategies: Vec<Value> = STRATEGIES
        .iter()
        .map(|strategy| {
            let config = definition(strategy.object, &mut definitions);
            json!({
                "if": {"properties": {"strategy": {"const": strategy.kind}}, "required": ["strategy"]},
                "then": {"properties": {"config": {"anyOf": [config, {"type": "null"}]}}},
            })
        })
        .collect();
    definition(GenerateRequest::OBJECT, &mut definitions);
    let village = definition(VillageSettings::OBJECT, &mut definitions);
    definitions["StrategyConfig"]["allOf"] = of_strategies.into();
    definitions["DataConfig"]["properties"]["village"]["$ref"] = village["$ref"].clone();
    // A setting that is left out is the preset's.
    let preset = lab_protocol::json(VillageSettings::preset(Preset::default(), 0));
    let village = &mut definitions["VillageSettings"];
    for (name, value) in preset.as_object().into_iter().flatten() {
        village["properties"][name]["default"] = value.clone();
    }
    village["required"] = json!([]);
    whole["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    whole["title"] = json!(ExperimentConfig::OBJECT.name);
    whole["$defs"] = definitions.into();
    whole
}

/// One of the definitions, with all others, to which it may refer.
fn part(whole: Value, name: &str) -> Result<Value, LabError> {
    let strategy = STRATEGIES.iter().find(|strategy| strategy.kind == name);
    let definition = strategy.map_or(name, |strategy| strategy.object.name);
    let defined = whole["$defs"].as_object().into_iter().flatten();
    let names: Vec<&str> = defined.map(|(name, _)| name.as_str()).collect();
    if !names.contains(&definition) {
        return Err(LabError::config(
            "name",
            text!("there is no configuration called \"{name}\"", name),
            text!(
                "Use a strategy's kind, or one of: {names}.",
                names = names.join(", ")
            ),
        ));
    }
    Ok(json!({
        "$schema": whole["$schema"],
        "$ref": format!("#/$defs/{definition}"),
        "$defs": whole["$defs"],
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lab_strategies::Registry;

    #[test]
    fn every_strategy_has_its_schema() {
        let mut kinds = STRATEGIES.each_ref().map(|strategy| strategy.kind);
        kinds.sort_unstable();
        assert!(Registry::default().strategies().eq(kinds));
        for kind in kinds {
            let schema = part(experiment(), kind).unwrap();
            let reference = schema["$ref"].as_str().unwrap().trim_start_matches('#');
            assert_eq!(schema.pointer(reference).unwrap()["type"], "object");
        }
        let error = part(experiment(), "alchemy").unwrap_err();
        assert_eq!(error.field.as_deref(), Some("name"));
    }

    #[test]
    fn everything_said_at_a_field_is_in_the_schema() {
        let schema = experiment();
        let at = |pointer: &str| schema.pointer(pointer).unwrap_or(&Value::Null).clone();
        assert_eq!(at("/$defs/ModelConfig/properties/width/default"), 64);
        assert_eq!(at("/$defs/ModelConfig/properties/width/maximum"), 16_384);
        assert_eq!(at("/$defs/PpoConfig/properties/clip/default"), 0.2);
        assert_eq!(at("/$defs/VillageSettings/properties/people/default"), 24);
        assert_eq!(at("/properties/seed/default"), 1337);
        assert_eq!(at("/required"), json!(["name", "data", "strategies"]));
        assert_eq!(at("/$defs/TrainingConfig/additionalProperties"), false);
        let steps = at("/$defs/TrainingConfig/properties/evaluation_interval");
        assert_eq!(steps["title"], "Evaluate every");
        assert_eq!(steps["unit"], "steps");
        let help = at("/$defs/TrainingConfig/properties/gradient_clip/description");
        assert!(help.as_str().unwrap().contains("global norm"), "{help}");
        let epsilon = at("/$defs/TrainingConfig/properties/epsilon");
        assert_eq!(epsilon["exclusiveMinimum"], 0);
        assert_eq!(epsilon["minimum"], Value::Null);
    }
}
