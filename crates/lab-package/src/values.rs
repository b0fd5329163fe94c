//! Values of JavaScript and of the lab.

use lab_protocol::{ErrorCode, LabError, text};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::JsValue;

/// Maps as objects, bytes as `Uint8Array`.
pub fn to_js<T: Serialize + ?Sized>(value: &T) -> JsValue {
    let serializer = Serializer::json_compatible().serialize_bytes_as_arrays(false);
    // Serialising can fail only on keys that are not text, and the lab has none.
    value.serialize(&serializer).unwrap_or(JsValue::UNDEFINED)
}

/// A value that the package hands in; `what` names it in the error.
pub fn from_js<T: DeserializeOwned>(value: JsValue, what: &str) -> Result<T, JsValue> {
    serde_wasm_bindgen::from_value(value).map_err(|error| unreadable(what, &error.to_string()))
}

/// The error about a value that is not what it should be.
pub fn unreadable(what: &str, error: &str) -> JsValue {
    let message = text!("the {what} cannot be read: {error}", what, error);
    let hint = "Give it as the types of the package describe it.";
    to_js(&LabError::new(ErrorCode::InvalidCommand, message, hint))
}
