//! [`lab_client::Client`] for JavaScript. The npm package's TypeScript makes promises and streams of what is called and
//! reported here, and decides nothing that the page's client decides: which strategy runs when, what a pause, a failure
//! or a lost worker means.

mod changes;
mod engine;
mod results;
mod values;

pub use engine::Engine;
pub use results::{compare, export_runs};
