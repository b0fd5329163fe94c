//! Values of JavaScript and of the core.

use lab_protocol::{ErrorCode, LabError, Text};
use serde::Serialize;
use wasm_bindgen::prelude::*;

/// Maps as objects, bytes as `Uint8Array`.
pub fn to_js<T: Serialize + ?Sized>(value: &T) -> Result<JsValue, LabError> {
    let serializer =
        serde_wasm_bindgen::Serializer::json_compatible().serialize_bytes_as_arrays(false);
    let written = value.serialize(&serializer);
    written.map_err(|error| LabError::internal(error.to_string()))
}

pub fn from_js<T: serde::de::DeserializeOwned>(
    value: JsValue,
    message: impl FnOnce(serde_wasm_bindgen::Error) -> Text,
) -> Result<T, LabError> {
    serde_wasm_bindgen::from_value(value).map_err(|error| {
        LabError::new(
            ErrorCode::InvalidData,
            message(error),
            "Correct the module that registered it.",
        )
    })
}

/// An error as a JavaScript object; the other way is [`thrown`].
pub fn error_to_js(error: LabError) -> JsValue {
    serde_wasm_bindgen::to_value(&error).unwrap_or_else(|_| JsValue::from_str(&error.to_string()))
}

/// An error that JavaScript threw: unchanged if it has the lab's shape, else an error with its words.
pub fn thrown(error: JsValue) -> LabError {
    if let Ok(error) = serde_wasm_bindgen::from_value::<LabError>(error.clone()) {
        return error;
    }
    let words = match error.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => error.as_string().unwrap_or_else(|| format!("{error:?}")),
    };
    LabError::new(
        ErrorCode::InvalidConfig,
        words,
        "This comes from the module that was loaded into the lab.",
    )
}
