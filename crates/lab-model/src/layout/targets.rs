//! The linear layers that an adapter can change, by their paths in the model's file, and their selection by a list of
//! names and patterns.

use super::family::{Layer, module_paths};
use lab_protocol::{ErrorCode, LabError, ModelConfig, text};

/// A linear layer of the model's file: one of ours, or some columns of its output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// E.g. `model.layers.0.self_attn.q_proj`.
    pub path: String,
    pub block: usize,
    pub layer: Layer,
    /// Number of inputs.
    pub input: usize,
    /// The first column of our layer's output.
    pub start: usize,
    /// Number of columns, which are all its outputs.
    pub width: usize,
}

impl Target {
    /// Our name for the weight of the layer.
    pub fn weight(&self) -> String {
        format!("blocks.{}.{}.weight", self.block, self.layer.name())
    }
}

/// All linear layers but the head, block by block.
pub fn targets(config: &ModelConfig) -> Vec<Target> {
    let width = config.width;
    let (queries, keys) = (config.query_width(), config.key_value_width());
    let hidden = config.hidden_width();
    let names = module_paths(config);
    (0..config.layers)
        .flat_map(|block| {
            names.iter().map(move |(layer, name, part)| {
                let packed = queries + 2 * keys;
                let (input, start, width) = match (layer, part) {
                    (Layer::Qkv, None) => (width, 0, packed),
                    (Layer::Qkv, Some(0)) => (width, 0, queries),
                    (Layer::Qkv, Some(part)) => (width, queries + (part - 1) * keys, keys),
                    (Layer::Projection, _) => (queries, 0, width),
                    (Layer::Gate | Layer::Up, _) => (width, 0, hidden),
                    (Layer::Down, _) => (hidden, 0, width),
                };
                Target {
                    path: name.replace("{}", &block.to_string()),
                    block,
                    layer: *layer,
                    input,
                    start,
                    width,
                }
            })
        })
        .collect()
}

/// The targets that a list selects: each entry is a path, an end of one after a dot, or either with `*` for any
/// characters; an empty list selects all. An entry that matches nothing is an error that lists the possible targets.
pub fn chosen_targets(config: &ModelConfig, entries: &[String]) -> Result<Vec<Target>, LabError> {
    let all = targets(config);
    if entries.is_empty() {
        return Ok(all);
    }
    let without: Vec<&String> = entries
        .iter()
        .filter(|entry| !all.iter().any(|target| means(entry, &target.path)))
        .collect();
    if !without.is_empty() {
        return Err(no_match(config, &without).at("targets"));
    }
    let chosen = |target: &Target| entries.iter().any(|entry| means(entry, &target.path));
    Ok(all.into_iter().filter(chosen).collect())
}

/// The error for names that no linear layer has.
pub fn no_match(config: &ModelConfig, names: &[&String]) -> LabError {
    let ends: Vec<String> = module_paths(config)
        .iter()
        .map(|(_, name, _)| name.rsplit('.').next().unwrap_or(name).to_owned())
        .collect();
    let first = targets(config).into_iter().next();
    let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    LabError::new(
        ErrorCode::InvalidConfig,
        text!(
            "no linear layer of the model is called {names}",
            names = names.join(" or ")
        ),
        text!(
            "Use some of {names}, or whole paths such as {path}; * stands for anything.",
            names = ends.join(", "),
            path = first.map(|target| target.path).unwrap_or_default()
        ),
    )
}

fn means(entry: &str, path: &str) -> bool {
    let ends = path.match_indices('.').map(|(dot, _)| &path[dot + 1..]);
    matches(entry, path) || ends.into_iter().any(|end| matches(entry, end))
}

/// Whether a text matches a pattern; `*` stands for any characters.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(start) else {
        return false;
    };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    // The leftmost match is never worse than a later one.
    for piece in pieces {
        match text.find(piece) {
            Some(at) => text = &text[at + piece.len()..],
            None => return false,
        }
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lab_protocol::{Activation, Norm, Position};

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, text, expected) in [
            ("q_proj", "q_proj", true),
            ("*_proj", "q_proj", true),
            ("model.*.q_proj", "model.layers.0.self_attn.q_proj", true),
            ("model.*.0.*.q*", "model.layers.0.self_attn.q_proj", true),
            ("*", "", true),
            ("a*a", "a", false),
            ("*b", "abc", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn names_choose_columns_and_unknown_ones_are_told_the_known() {
        let llama = ModelConfig {
            norm: Norm::RmsNorm,
            position: Position::Rope,
            activation: Activation::Swiglu,
            key_value_heads: 2,
            ..Default::default()
        };
        let value = &chosen_targets(&llama, &["v_proj".into()]).unwrap()[1];
        assert_eq!(
            (value.block, value.start, value.width, value.input),
            (1, 96, 32, 64)
        );
        assert_eq!(targets(&llama).len(), 4 * 7);
        assert_eq!(targets(&ModelConfig::default()).len(), 4 * 4);
        let error = chosen_targets(&llama, &["q_proj".into(), "c_attn".into()]).unwrap_err();
        assert!(error.message.contains("c_attn"), "{error}");
        assert!(!error.message.contains("q_proj"), "{error}");
        assert!(error.hint.contains("o_proj"), "{error}");
    }
}
