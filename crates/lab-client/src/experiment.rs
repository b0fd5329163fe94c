//! The parameters of a client.

use crate::connection::open_script;
use js_sys::Uint8Array;
use lab_orchestrator::scheduler::Key;
use lab_protocol::{BackendChoice, ExperimentConfig, Secret};
use std::rc::Rc;
use std::sync::Arc;
use wasm_bindgen::JsValue;
use web_sys::Worker;

/// Starts a worker on a backend. It need not be a browser's: `postMessage`, `terminate` and the properties `onmessage`
/// and `onerror` are all that is used of it.
pub type OpenWorker = Rc<dyn Fn(BackendChoice) -> Result<Worker, JsValue>>;

#[derive(Clone)]
pub struct Options {
    pub open: OpenWorker,
    /// Strategies that may run at a time on the CPU, each in a worker with a memory of its own; none is as many as
    /// there are processors, and at most four.
    pub parallel: Option<usize>,
}

impl Options {
    /// Workers of the script at this address, as a page starts them. `modules` are addresses of the modules that a
    /// worker loads, with strategies, metrics and rewards from outside.
    pub fn script(address: &str, modules: Vec<String>) -> Self {
        let address = address.to_owned();
        Self {
            open: Rc::new(move |backend| open_script(&address, backend, &modules)),
            parallel: None,
        }
    }
}

/// An experiment to run, or some of its strategies.
#[derive(Clone)]
pub struct Experiment {
    pub config: ExperimentConfig,
    /// The text to train on; empty for the village.
    pub text: Arc<str>,
    /// Each after its base.
    pub strategies: Vec<StrategyRun>,
}

#[derive(Clone)]
pub struct StrategyRun {
    pub key: Key,
    /// Its name in the experiment.
    pub name: String,
    /// The strategy whose files it starts from.
    pub base: Option<Key>,
    /// The key of the endpoint that it uses.
    pub endpoint_key: Option<Secret>,
    /// The state of an earlier run that it continues from.
    pub checkpoint: Option<Uint8Array>,
}
