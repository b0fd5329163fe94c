//! Numbers that survive JSON to the last bit. Its reader may miss the nearest double by one place, and a
//! resumed run is to give the metrics of one that never stopped.

use serde_json::{Map, Value};

/// Marks a text that stands for the bits of a number. No setting begins with a control character.
const MARK: &str = "\u{1}f64:";

/// The value with each number that is not whole as text of its bits.
pub(crate) fn pack(value: Value) -> Value {
    each(value, &|leaf| match &leaf {
        Value::Number(number) if number.is_f64() => {
            let bits = number.as_f64().unwrap_or_default().to_bits();
            Value::String(format!("{MARK}{bits:016x}"))
        }
        _ => leaf,
    })
}

/// What [`pack`] was given.
pub(crate) fn unpack(value: Value) -> Value {
    each(value, &|leaf| {
        let bits = leaf.as_str().and_then(|text| text.strip_prefix(MARK));
        let bits = bits.and_then(|bits| u64::from_str_radix(bits, 16).ok());
        bits.map_or(leaf, |bits| f64::from_bits(bits).into())
    })
}

fn each(value: Value, change: &impl Fn(Value) -> Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(|item| each(item, change)).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter();
            let changed: Map<String, Value> = fields
                .map(|(key, value)| (key, each(value, change)))
                .collect();
            Value::Object(changed)
        }
        leaf => change(leaf),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_come_back_to_the_last_bit() {
        let value = json!({"a": [0.453_519_615_999_999_96, 1e-300, -2.5, 7, null], "b": {"c": "text", "d": 0.1}});
        let text = pack(value.clone()).to_string();
        assert_eq!(unpack(serde_json::from_str(&text).unwrap()), value);
    }
}
