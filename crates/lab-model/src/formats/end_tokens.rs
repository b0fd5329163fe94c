//! The tokens that end a model's text.

use crate::tokenizer::Tokenizer;
use serde_json::Value;

/// All ids under `eos_token_id` in `generation_config.json` and `config.json`, a number or a list, the former first;
/// if neither has any, the tokenizer's end of text.
pub fn end_tokens(generation: &Value, config: &Value, tokenizer: Option<&Tokenizer>) -> Vec<u32> {
    let mut ends: Vec<u32> = Vec::new();
    for value in [generation, config] {
        let ids = match &value["eos_token_id"] {
            Value::Array(ids) => &ids[..],
            id => std::slice::from_ref(id),
        };
        for id in ids.iter().filter_map(Value::as_u64) {
            if let Ok(id) = u32::try_from(id)
                && !ends.contains(&id)
            {
                ends.push(id);
            }
        }
    }
    if ends.is_empty() {
        ends.extend(tokenizer.and_then(Tokenizer::end_of_text));
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_number_a_list_and_both_files_count() {
        let ends = |generation: Value, config: Value| end_tokens(&generation, &config, None);
        let none = || json!({});
        assert_eq!(ends(json!({"eos_token_id": 7}), none()), [7]);
        assert_eq!(ends(none(), json!({"eos_token_id": [3, 1]})), [3, 1]);
        let both = ends(json!({"eos_token_id": [5, 3]}), json!({"eos_token_id": 3}));
        assert_eq!(both, [5, 3]);
        assert_eq!(
            ends(json!({"eos_token_id": 5}), json!({"eos_token_id": 2})),
            [5, 2]
        );
        assert!(ends(json!({"eos_token_id": null}), Value::Null).is_empty());
        assert!(ends(json!({"eos_token_id": [-1, 1.5, "a"]}), none()).is_empty());
    }
}
