//! `lab schema`: JSON Schema of the configurations, from the types that read them.

use lab_protocol::{
    DpoConfig, ExperimentConfig, FineTuningConfig, GenerateRequest, GrpoConfig, LabError,
    PretrainingConfig, RagConfig, RlhfConfig,
};
use lab_village::{Preset, VillageSettings};
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

#[derive(clap::Args)]
pub struct Arguments {
    /// A strategy (pretraining, fine_tuning, rlhf, grpo, dpo, rag), or a part by its name in the whole,
    /// e.g. ModelConfig or VillageSettings. Without: the schema of an experiment, which holds all others.
    name: Option<String>,
}

type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// The strategies' names in experiments, and their configurations.
const STRATEGIES: [(&str, SchemaOf); 6] = [
    ("pretraining", of::<PretrainingConfig>),
    ("fine_tuning", of::<FineTuningConfig>),
    ("rlhf", of::<RlhfConfig>),
    ("grpo", of::<GrpoConfig>),
    ("dpo", of::<DpoConfig>),
    ("rag", of::<RagConfig>),
];

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

pub fn run(arguments: Arguments) -> Result<(), LabError> {
    let whole = experiment()?;
    let wanted = match &arguments.name {
        None => whole,
        Some(name) => part(whole, name)?,
    };
    let text = serde_json::to_string_pretty(&wanted)
        .map_err(|error| LabError::internal(error.to_string()))?;
    println!("{text}");
    Ok(())
}

/// The schema of an experiment. It knows the configurations of the lab's own strategies; that of a strategy
/// from outside may be anything.
fn experiment() -> Result<Value, LabError> {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let of_strategies: Vec<Value> = STRATEGIES
        .iter()
        .map(|(name, schema)| {
            json!({
                "if": {"properties": {"strategy": {"const": name}}, "required": ["strategy"]},
                "then": {"properties": {"config": {"anyOf": [schema(&mut generator), {"type": "null"}]}}},
            })
        })
        .collect();
    let village = generator.subschema_for::<VillageSettings>();
    generator.subschema_for::<GenerateRequest>();
    let mut whole = generator
        .into_root_schema_for::<ExperimentConfig>()
        .to_value();
    let mut put = |pointer: &str, value: Value| match whole.pointer_mut(pointer) {
        Some(Value::Object(place)) => {
            if let Value::Object(value) = value {
                place.extend(value);
            }
            Ok(())
        }
        _ => Err(LabError::internal(format!("the schema has no {pointer}"))),
    };
    put("/$defs/StrategyConfig", json!({"allOf": of_strategies}))?;
    put("/$defs/DataConfig/properties/village", village.to_value())?;
    // What a village's settings do not name is the preset's.
    let preset = VillageSettings::preset(Preset::default(), 0);
    let preset =
        serde_json::to_value(preset).map_err(|error| LabError::internal(error.to_string()))?;
    for (name, value) in preset.as_object().into_iter().flatten() {
        let pointer = format!("/$defs/VillageSettings/properties/{name}");
        put(&pointer, json!({"default": value}))?;
    }
    put("/$defs/VillageSettings", json!({"required": []}))?;
    Ok(whole)
}

/// One of the definitions, with all that it needs.
fn part(whole: Value, name: &str) -> Result<Value, LabError> {
    let defined = |name: &str| whole.pointer(&format!("/$defs/{name}")).is_some();
    let strategy = STRATEGIES.iter().find(|(known, _)| *known == name);
    let reference = match strategy {
        Some((_, schema)) => schema(&mut SchemaGenerator::default()).to_value(),
        None if defined(name) => json!({"$ref": format!("#/$defs/{name}")}),
        None => {
            let defined: Vec<&str> = whole["$defs"]
                .as_object()
                .into_iter()
                .flat_map(Map::keys)
                .map(String::as_str)
                .collect();
            return Err(LabError::config(
                "name",
                format!("there is no configuration called \"{name}\""),
                format!("Use a strategy's name, or one of: {}.", defined.join(", ")),
            ));
        }
    };
    Ok(json!({
        "$schema": whole["$schema"],
        "$ref": reference["$ref"],
        "$defs": whole["$defs"],
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lab_strategies::Registry;

    #[test]
    fn every_strategy_has_its_schema() {
        let mut named = STRATEGIES.map(|(name, _)| name).to_vec();
        named.sort_unstable();
        assert!(Registry::default().strategies().eq(named));
        for (name, _) in STRATEGIES {
            let schema = part(experiment().unwrap(), name).unwrap();
            let reference = schema["$ref"].as_str().unwrap().trim_start_matches('#');
            assert_eq!(schema.pointer(reference).unwrap()["type"], "object");
        }
        let error = part(experiment().unwrap(), "alchemy").unwrap_err();
        assert_eq!(error.field.as_deref(), Some("name"));
    }

    #[test]
    fn defaults_and_descriptions_come_from_the_types() {
        let schema = experiment().unwrap();
        let at = |pointer: &str| schema.pointer(pointer).unwrap_or(&Value::Null).clone();
        assert_eq!(at("/$defs/ModelConfig/properties/width/default"), 64);
        assert_eq!(at("/$defs/PpoConfig/properties/clip/default"), 0.2);
        assert_eq!(at("/$defs/VillageSettings/properties/people/default"), 24);
        assert_eq!(at("/properties/seed/default"), 1337);
        assert_eq!(at("/$defs/TrainingConfig/additionalProperties"), false);
        let help = at("/$defs/TrainingConfig/properties/gradient_clip/description");
        assert!(help.as_str().unwrap().contains("global norm"), "{help}");
    }
}
