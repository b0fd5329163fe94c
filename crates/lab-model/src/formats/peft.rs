//! Adapters as PEFT folders: `adapter_config.json` and `adapter_model.safetensors` with the tensors
//! `base_model.model.<path>.lora_A.weight` `[rank, in]`, `.lora_B.weight` `[out, rank]` and, with DoRA,
//! `.lora_magnitude_vector` `[out]`.

use super::folder::json_file;
use super::safetensors;
use super::weights::transpose;
use crate::adapter::{Adapter, AdapterModule};
use crate::layout::{fan_in_fan_out, targets};
use crate::parameters::{HostTensor, HostTensors};
use lab_protocol::{ErrorCode, LabError, LoraConfig, ModelConfig, ModelFile, Text, text};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};

const PREFIX: &str = "base_model.model.";
const CONFIG: &str = "adapter_config.json";
/// The key in the weights' metadata for the base that the adapter was trained on.
const BASE: &str = "llm-labs-base";
const NF4: &str = "nf4";
const WEIGHTS: &str = "adapter_model.safetensors";

/// The folder of an adapter of a model of this shape.
pub fn adapter_folder(shape: &ModelConfig, adapter: &Adapter) -> Result<Vec<ModelFile>, LabError> {
    let mut tensors = HostTensors::new();
    for (path, module) in &adapter.modules {
        let key = |end: &str| format!("{PREFIX}{path}.{end}");
        tensors.insert(key("lora_A.weight"), transpose(&module.a));
        tensors.insert(key("lora_B.weight"), transpose(&module.b));
        if let Some(magnitude) = &module.magnitude {
            tensors.insert(key("lora_magnitude_vector"), magnitude.clone());
        }
    }
    let LoraConfig {
        rank,
        alpha,
        dropout,
        rslora,
        dora,
        ..
    } = adapter.config;
    // PEFT reads a whole number of either kind, and prints it as it is.
    let alpha = if alpha.fract() == 0.0 {
        json!(alpha as i64)
    } else {
        json!(alpha)
    };
    let config = json!({
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": null, "revision": null,
        "inference_mode": true, "r": rank, "lora_alpha": alpha, "lora_dropout": dropout,
        "target_modules": target_modules(shape, adapter), "fan_in_fan_out": fan_in_fan_out(shape),
        "bias": "none", "use_rslora": rslora, "use_dora": dora, "init_lora_weights": true,
        "rank_pattern": pattern(adapter, |module| json!(module.a.shape.last()), &json!(rank)),
        "alpha_pattern": {}, "modules_to_save": null, "layers_to_transform": null, "layers_pattern": null,
    });
    let mut metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    if adapter.quantized_base {
        metadata.insert(BASE.to_owned(), NF4.to_owned());
    }
    Ok(vec![
        json_file(CONFIG, &config),
        ModelFile {
            path: WEIGHTS.into(),
            bytes: safetensors::write(&tensors, metadata)?,
        },
    ])
}

/// The last names of the adapted modules if they match only these, else whole paths.
fn target_modules(shape: &ModelConfig, adapter: &Adapter) -> Vec<String> {
    let end = |path: &str| path.rsplit('.').next().unwrap_or(path).to_owned();
    let ends: BTreeSet<String> = adapter.modules.keys().map(|path| end(path)).collect();
    let all = targets(shape);
    let meant = all
        .iter()
        .filter(|target| ends.contains(&end(&target.path)));
    if meant.count() == adapter.modules.len() {
        ends.into_iter().collect()
    } else {
        adapter.modules.keys().cloned().collect()
    }
}

/// Values of single modules that differ from the default.
fn pattern(
    adapter: &Adapter,
    value: impl Fn(&AdapterModule) -> Value,
    usual: &Value,
) -> Map<String, Value> {
    let of = |(path, module): (&String, &AdapterModule)| (path.clone(), value(module));
    let differing = |(_, value): &(String, Value)| value != usual;
    adapter.modules.iter().map(of).filter(differing).collect()
}

/// Reads an adapter for a model of this shape from the files of its folder. An error names any part that this model
/// cannot have.
pub fn read_adapter(shape: &ModelConfig, files: &[ModelFile]) -> Result<Adapter, LabError> {
    let file = |name: &str| {
        let found = files.iter().find(|file| file.path == name);
        found
            .map(|file| file.bytes.as_slice())
            .ok_or_else(|| bad(text!("the adapter cannot be read: it has no {name}", name)))
    };
    let json: Value = serde_json::from_slice(file(CONFIG)?).map_err(|error| {
        bad(text!(
            "the adapter cannot be read: {file}: {error}",
            file = CONFIG,
            error
        ))
    })?;
    let config = read_config(&json)?;
    let (mut tensors, metadata) = safetensors::read(file(WEIGHTS)?)?;

    let mut modules = BTreeMap::new();
    for target in targets(shape) {
        let path = &target.path;
        // The adapter's name, which some versions write, stands before `.weight`.
        let mut take = |part: &str| {
            let key = tensors.keys().find(|key| {
                key.strip_prefix(PREFIX)
                    .and_then(|rest| rest.strip_prefix(path.as_str()))
                    .and_then(|rest| rest.strip_prefix('.'))
                    .is_some_and(|rest| rest == part || rest.starts_with(&format!("{part}.")))
            });
            let key = key.cloned();
            key.and_then(|key| tensors.remove(&key))
        };
        let magnitude = take("lora_magnitude_vector");
        let (a, b) = match (take("lora_A"), take("lora_B")) {
            (Some(a), Some(b)) => (transpose(&a), transpose(&b)),
            (None, None) => continue,
            _ => {
                return Err(bad(text!(
                    "the adapter cannot be read: {path} has only one of A and B",
                    path
                )));
            }
        };
        if config.dora && magnitude.is_none() {
            return Err(bad(text!(
                "the adapter cannot be read: {path} has no magnitude, and use_dora is set",
                path
            )));
        }
        let magnitude = magnitude.map(|magnitude| HostTensor {
            shape: vec![magnitude.values.len()],
            values: magnitude.values,
        });
        let rank = a.shape.last().copied().unwrap_or(0);
        let alpha = alpha_of(&json, path).unwrap_or(config.alpha);
        let module = AdapterModule {
            scale: config.scale(rank, alpha),
            a,
            b,
            magnitude,
        };
        modules.insert(path.clone(), module);
    }
    if let Some(name) = tensors.keys().next() {
        let names: Vec<&str> = tensors.keys().map(String::as_str).take(5).collect();
        return Err(bad(text!(
            "the adapter cannot be read: it changes {path}, which is not a linear layer of this model ({count} such tensors: {names})",
            path = name.strip_prefix(PREFIX).unwrap_or(name),
            count = tensors.len(),
            names = names.join(", ")
        )));
    }
    if modules.is_empty() {
        return Err(bad("the adapter cannot be read: it changes no layer"));
    }
    Ok(Adapter {
        config,
        modules,
        quantized_base: metadata.get(BASE).is_some_and(|base| base == NF4),
    })
}

fn read_config(json: &Value) -> Result<LoraConfig, LabError> {
    let unsupported = |key: &str| {
        bad(text!(
            "the adapter cannot be read: {file} has {key} = {found}, which cannot be used here",
            file = CONFIG,
            found = json[key],
            key
        ))
    };
    if json["peft_type"] != "LORA" {
        return Err(unsupported("peft_type"));
    }
    if !matches!(json["bias"].as_str(), None | Some("none")) {
        return Err(unsupported("bias"));
    }
    let off = |value: &Value| {
        value.is_null() || value == &json!(false) || value.as_array().is_some_and(Vec::is_empty)
    };
    for key in [
        "modules_to_save",
        "lora_bias",
        "layer_replication",
        "trainable_token_indices",
        "use_qalora",
    ] {
        if !off(&json[key]) {
            return Err(unsupported(key));
        }
    }
    let flag = |key: &str| json[key].as_bool().unwrap_or(false);
    let number = |key: &str| json[key].as_f64().ok_or_else(|| unsupported(key));
    let rank = json["r"].as_u64().and_then(|r| usize::try_from(r).ok());
    let config = LoraConfig {
        rank: rank.ok_or_else(|| unsupported("r"))?,
        alpha: number("lora_alpha")?,
        dropout: json["lora_dropout"].as_f64().unwrap_or(0.0),
        targets: match &json["target_modules"] {
            Value::Array(names) => names
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            _ => Vec::new(),
        },
        rslora: flag("use_rslora"),
        dora: flag("use_dora"),
    };
    config.validate().map_err(|error| {
        bad(text!(
            "the adapter cannot be read: {reason}",
            reason = error.message
        ))
    })?;
    Ok(config)
}

/// A module's own alpha: the pattern's key is its path, or an end of it.
fn alpha_of(json: &Value, path: &str) -> Option<f64> {
    let patterns = json["alpha_pattern"].as_object()?;
    let named = |key: &str| path == key || path.ends_with(&format!(".{key}"));
    let found = patterns.iter().find(|(key, _)| named(key));
    found.and_then(|(_, alpha)| alpha.as_f64())
}

fn bad(message: impl Into<Text>) -> LabError {
    LabError::new(
        ErrorCode::InvalidCheckpoint,
        message,
        "Use a LoRA adapter that was trained on this model.",
    )
    .at("adapter")
}
