//! The worker: wasm-bindgen bindings of the core.
