//! The tools that the commands need beyond cargo. Each file provides one: it takes the machine's own if that has the
//! right version, else fetches or builds it into the cache.

mod chromium;
mod crates;
mod encoder;
mod node;
mod place;
mod toolbox;
mod wasm_opt;
mod wasm_target;

pub use chromium::chromium;
pub use encoder::encoder;
pub use node::{node, packages};
pub use toolbox::{Options, STEPS, Toolbox, run};
pub use wasm_target::{TARGET, WasmRust};
