//! JSON Schema (draft 2020-12) of settings.

use crate::{ABOVE_ZERO, Choice, Choices, Kind, Layouts, Object, Range, Setting};
use serde_json::{Map, Value, json};

/// The schema's parts, by the names of their types.
pub type Definitions = Map<String, Value>;

/// The schema of `object`. Its parts are put into `definitions`, to which it refers as `#/$defs/…`.
pub fn schema(object: &Object, definitions: &mut Definitions) -> Value {
    let mut schema = fields(object.settings, definitions);
    describe(&mut schema, &[object.help, object.notes]);
    schema
}

/// A reference to `object` among the definitions, to which it is added if it is missing.
pub fn definition(object: &Object, definitions: &mut Definitions) -> Value {
    refer(object.name, definitions, |all| schema(object, all))
}

fn refer(
    name: &str,
    definitions: &mut Definitions,
    make: impl FnOnce(&mut Definitions) -> Value,
) -> Value {
    if !definitions.contains_key(name) {
        let made = make(definitions);
        definitions.insert(name.to_owned(), made);
    }
    json!({"$ref": format!("#/$defs/{name}")})
}

fn fields(settings: &[Setting], definitions: &mut Definitions) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for setting in settings {
        properties.insert(setting.name.to_owned(), property(setting, definitions));
        if setting.default.is_none() {
            required.push(setting.name);
        }
    }
    let mut schema =
        json!({"type": "object", "properties": properties, "additionalProperties": false});
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn property(setting: &Setting, definitions: &mut Definitions) -> Value {
    let mut property = kind(&setting.kind, definitions);
    if let Some(Range { low, high }) = setting.range {
        match low {
            ABOVE_ZERO => property["exclusiveMinimum"] = json!(0),
            _ => property["minimum"] = number(low),
        }
        if high.is_finite() {
            property["maximum"] = number(high);
        }
    }
    if setting.optional {
        property = match property.get("type").cloned() {
            Some(name) => {
                property["type"] = json!([name, "null"]);
                property
            }
            None => json!({"anyOf": [property, {"type": "null"}]}),
        };
    }
    property["title"] = json!(setting.label);
    describe(&mut property, &[setting.help, setting.notes]);
    if !setting.unit.is_empty() {
        property["unit"] = json!(setting.unit);
    }
    let default = setting.default.map(|default| default()).unwrap_or_default();
    if !default.is_null() {
        property["default"] = default;
    }
    property
}

fn kind(kind: &Kind, definitions: &mut Definitions) -> Value {
    match kind {
        Kind::Whole => json!({"type": "integer", "minimum": 0}),
        Kind::Number => json!({"type": "number"}),
        Kind::Switch => json!({"type": "boolean"}),
        Kind::Text => json!({"type": "string"}),
        Kind::List | Kind::Lines => json!({"type": "array", "items": {"type": "string"}}),
        Kind::Rows(object) => json!({"type": "array", "items": definition(object, definitions)}),
        Kind::Part(object) => definition(object, definitions),
        Kind::Choice(choices) => refer(choices.name, definitions, |_| values(choices)),
        Kind::Layouts(layouts) => refer(layouts.name, definitions, |all| one_of(layouts, all)),
        Kind::Any => json!({}),
    }
}

fn values(choices: &Choices) -> Value {
    let one = |choice: &Choice| {
        let mut one = json!({"const": choice.value, "title": choice.label});
        describe(&mut one, &[choice.help]);
        one
    };
    let all: Vec<Value> = choices.choices.iter().map(one).collect();
    let mut schema = json!({"oneOf": all});
    describe(&mut schema, &[choices.help]);
    schema
}

fn one_of(layouts: &Layouts, definitions: &mut Definitions) -> Value {
    let mut all = Vec::new();
    for layout in layouts.layouts {
        let mut one = fields(layout.settings, definitions);
        one["title"] = json!(layout.choice.label);
        describe(&mut one, &[layout.choice.help]);
        one["properties"][layouts.tag] = json!({"const": layout.choice.value});
        let mut required = vec![json!(layouts.tag)];
        required.extend(one["required"].as_array().into_iter().flatten().cloned());
        one["required"] = required.into();
        all.push(one);
    }
    let mut schema = json!({"oneOf": all});
    describe(&mut schema, &[layouts.help]);
    schema
}

fn describe(schema: &mut Value, paragraphs: &[&str]) {
    let there: Vec<&str> = paragraphs
        .iter()
        .copied()
        .filter(|paragraph| !paragraph.is_empty())
        .collect();
    if !there.is_empty() {
        schema["description"] = json!(there.join("\n\n"));
    }
}

/// An integer if the value is one: JSON distinguishes 1 from 1.0, people do not.
fn number(value: f64) -> Value {
    match value.fract() == 0.0 && value.abs() <= crate::MAX_SEED as f64 {
        true => json!(value as i64),
        false => json!(value),
    }
}
