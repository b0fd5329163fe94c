//! The class `Engine`: a client whose workers the package opens.

use crate::changes::change_to_js;
use crate::values::{from_js, to_js, unreadable};
use js_sys::{Array, Function, Uint8Array};
use lab_client::{Attachments, Client, Experiment, Files, Options, StrategyRun};
use lab_orchestrator::scheduler::Key;
use lab_protocol::{BackendChoice, Command, ExperimentConfig, GenerateRequest, Secret};
use serde::Deserialize;
use std::rc::Rc;
use wasm_bindgen::prelude::*;

/// Runs experiments in workers.
#[wasm_bindgen]
pub struct Engine(Client);

/// A strategy of an experiment that is to be run.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Planned {
    key: Key,
    name: String,
    /// The strategy, of this experiment or an earlier one, whose files it starts from.
    base: Option<Key>,
    /// For the endpoint that it asks.
    #[serde(rename = "endpointKey")]
    endpoint_key: Option<Secret>,
}

#[wasm_bindgen]
impl Engine {
    /// `open(backend)` starts a worker and returns it; `changed(change)` is called with every change. `parallel` is how
    /// many strategies may run at a time on the CPU; undefined is as many as there are processors, and at most four.
    #[wasm_bindgen(constructor)]
    pub fn new(open: Function, changed: Function, parallel: Option<usize>) -> Engine {
        let open = move |backend: BackendChoice| {
            let worker = open.call1(&JsValue::NULL, &lab_client::backend_name(backend).into());
            worker.map(JsCast::unchecked_into)
        };
        let client = Client::new(Options {
            open: Rc::new(open),
            parallel: parallel.map(|count| count.max(1)),
        });
        client.on_change(move |change| {
            if let Some(change) = change_to_js(&change) {
                // The package's function throws nothing.
                let _ = changed.call1(&JsValue::NULL, &change);
            }
        });
        Engine(client)
    }

    /// Computes on this backend from now on: `auto`, `cpu` or `wgpu`.
    #[wasm_bindgen(js_name = useBackend)]
    pub fn use_backend(&self, backend: JsValue) -> Result<(), JsValue> {
        self.0.use_backend(from_js(backend, "backend")?);
        Ok(())
    }

    /// Runs these strategies of an experiment, each after its base. `checkpoints` has, at the place of each strategy,
    /// the state that it continues from, or undefined.
    pub fn run(
        &self,
        experiment: JsValue,
        text: String,
        strategies: JsValue,
        checkpoints: Array,
    ) -> Result<(), JsValue> {
        let config: ExperimentConfig = from_js(experiment, "experiment")?;
        config.validate().map_err(|error| to_js(&error))?;
        let planned: Vec<Planned> = from_js(strategies, "list of strategies")?;
        let strategies = planned.into_iter().zip(checkpoints.iter());
        let strategies = strategies.map(|(planned, checkpoint)| StrategyRun {
            key: planned.key,
            name: planned.name,
            base: planned.base,
            endpoint_key: planned.endpoint_key,
            checkpoint: checkpoint.dyn_into::<Uint8Array>().ok(),
        });
        self.0.run(Experiment {
            config,
            text: text.into(),
            strategies: strategies.collect(),
        });
        Ok(())
    }

    /// Pauses everything that runs.
    pub fn pause(&self) {
        self.0.pause();
    }

    pub fn resume(&self) {
        self.0.resume();
    }

    /// One step of everything that is paused.
    pub fn step(&self) {
        self.0.step();
    }

    /// Ends everything; what ran keeps its results so far.
    pub fn stop(&self) {
        self.0.stop();
    }

    /// Ends one strategy.
    pub fn cancel(&self, strategy: Key) {
        self.0.cancel(strategy);
    }

    /// Asks a run under way for a checkpoint.
    pub fn checkpoint(&self, strategy: Key) {
        self.0.checkpoint(strategy);
    }

    /// The state of a run under way that was last reported.
    #[wasm_bindgen(js_name = checkpointOf)]
    pub fn checkpoint_of(&self, strategy: Key) -> Option<Uint8Array> {
        self.0.checkpoint_of(strategy)
    }

    /// Has the model of a run under way continue a prompt.
    pub fn generate(&self, strategy: Key, request: JsValue) -> Result<(), JsValue> {
        let request: GenerateRequest = from_js(request, "request")?;
        request.validate().map_err(|error| to_js(&error))?;
        self.0.generate(strategy, request);
        Ok(())
    }

    /// Takes files for others to start from: those of a base model, or of an earlier run.
    pub fn load(&self, strategy: Key, files: JsValue) -> Result<(), JsValue> {
        self.0.load(strategy, None, read_files(&files)?);
        Ok(())
    }

    /// Lets go of everything: another experiment comes.
    pub fn forget(&self) {
        self.0.forget();
    }

    /// The files that a strategy has made: an array of `{ path, bytes }`.
    pub fn files(&self, strategy: Key) -> Array {
        self.0.files(strategy).to_js()
    }

    /// Sends a command to the worker that stands by: what asks a run that is done, and its stop. `base` are the files of
    /// that run.
    pub fn send(&self, command: JsValue, base: JsValue) -> Result<(), JsValue> {
        let command: Command = from_js(command, "command")?;
        let attachments = Attachments {
            base: read_files(&base)?,
            ..Attachments::default()
        };
        self.0.send(&command, &attachments);
        Ok(())
    }
}

fn read_files(files: &JsValue) -> Result<Files, JsValue> {
    if files.is_undefined() {
        return Ok(Files::default());
    }
    Files::from_js(files)
        .ok_or_else(|| unreadable("list of files", "it is not an array of { path, bytes }"))
}
