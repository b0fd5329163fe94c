//! What the commands need beyond cargo. Each file provides one thing: it takes what the machine has
//! when that is the right version, and else fetches or builds it into the cache.

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
