//! Bytes that stay in JavaScript's memory. WebAssembly's never shrinks again, so models and checkpoints are only
//! handed on.

use js_sys::{Array, Object, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;

/// The files of a run, by their path, e.g. `model/config.json`. Cloning copies no bytes.
#[derive(Clone, Default)]
pub struct Files(pub Vec<(String, Uint8Array)>);

impl Files {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names and sizes, which tell models apart well enough.
    pub fn fingerprint(&self) -> String {
        let files = self.0.iter();
        files
            .map(|(path, bytes)| format!("{path}:{} ", bytes.length()))
            .collect()
    }

    /// Reads an array of [`lab_protocol::ModelFile`]s in their written form; `None` for any other value.
    pub fn from_js(value: &JsValue) -> Option<Self> {
        let files = value.dyn_ref::<Array>()?;
        let file = |file: JsValue| {
            let path = Reflect::get(&file, &"path".into()).ok()?.as_string()?;
            let bytes = Reflect::get(&file, &"bytes".into()).ok()?;
            Some((path, bytes.dyn_into().ok()?))
        };
        files.iter().map(file).collect::<Option<_>>().map(Self)
    }

    pub fn to_js(&self) -> Array {
        let file = |(path, bytes): &(String, Uint8Array)| {
            let file = Object::new();
            // Setting a property of a plain object cannot fail.
            let _ = Reflect::set(&file, &"path".into(), &path.into());
            let _ = Reflect::set(&file, &"bytes".into(), bytes);
            JsValue::from(file)
        };
        self.0.iter().map(file).collect()
    }
}

/// Bytes that go with a command.
#[derive(Clone, Default)]
pub struct Attachments {
    /// Takes the place of `checkpoint` in [`lab_protocol::Command::Start`].
    pub checkpoint: Option<Uint8Array>,
    /// Takes the place of `base`.
    pub base: Files,
}
