//! The connection to the worker: commands out, events in, and what happens when it breaks.

use js_sys::{Array, Object, Reflect, Uint8Array};
use lab_protocol::{BackendChoice, Command, ErrorCode, Event, LabError, RunResult};
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::prelude::*;
use web_sys::{ErrorEvent, MessageEvent, Worker, WorkerOptions, WorkerType};

/// What comes from a worker.
pub enum Message {
    Event(Event),
    /// A checkpoint event. Its bytes stay where they are, in JavaScript's memory: the page only hands
    /// them back, and WebAssembly's memory never shrinks again.
    Checkpoint {
        run: String,
        step: usize,
        state: Uint8Array,
    },
    /// A finished event; the files stay in JavaScript's memory likewise.
    Finished {
        run: String,
        result: RunResult,
        files: Files,
    },
    /// The worker is of no use any more.
    Broken(LabError),
}

/// The files of a run, by their path, e.g. `model/config.json`.
#[derive(Clone, Default)]
pub struct Files(pub Vec<(String, Uint8Array)>);

impl Files {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names and sizes, which tell models apart well enough.
    pub fn mark(&self) -> String {
        let files = self.0.iter();
        files
            .map(|(path, bytes)| format!("{path}:{} ", bytes.length()))
            .collect()
    }

    /// As [`lab_protocol::ModelFile`]s are written, from an array or nothing.
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

/// What a command carries beside its JSON: bytes that stay in JavaScript's memory.
#[derive(Clone, Default)]
pub struct Cargo {
    /// Takes the place of `checkpoint` in [`Command::Start`].
    pub checkpoint: Option<Uint8Array>,
    /// Takes the place of `base`.
    pub base: Files,
}

/// A running worker. Dropping it ends the worker.
pub struct Connection {
    worker: Worker,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(web_sys::Event)>,
}

impl Connection {
    /// Starts a worker on `backend`; `receive` is called with everything that it reports.
    pub fn open(
        backend: BackendChoice,
        receive: impl Fn(Message) + Clone + 'static,
    ) -> Result<Self, LabError> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let modules = crate::platform::modules();
        let address = format!(
            "worker/worker.js?backend={}{modules}",
            backend_name(backend)
        );
        let worker = Worker::new_with_options(&address, &options).map_err(|error| {
            broken(format!(
                "the browser refused to start a worker: {}",
                describe(&error)
            ))
        })?;
        let on_message = Closure::new({
            let receive = receive.clone();
            move |message: MessageEvent| receive(read(message.data()))
        });
        // A worker whose script cannot be loaded reports a plain event, without a message.
        let on_error = Closure::new(move |event: web_sys::Event| {
            event.prevent_default();
            let message = event.dyn_ref::<ErrorEvent>().map(ErrorEvent::message);
            receive(Message::Broken(explain(&message.unwrap_or_default())));
        });
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        Ok(Self {
            worker,
            _on_message: on_message,
            _on_error: on_error,
        })
    }

    pub fn send(&self, command: &Command, cargo: &Cargo) -> Result<(), LabError> {
        let serializer = Serializer::json_compatible().serialize_bytes_as_arrays(false);
        let value = command.serialize(&serializer).map_err(|error| {
            LabError::internal(format!("a command could not be written: {error}"))
        })?;
        let put = |key: &str, bytes: &JsValue| {
            Reflect::set(&value, &key.into(), bytes)
                .map_err(|error| LabError::internal(describe(&error)))
        };
        if let Some(state) = &cargo.checkpoint {
            put("checkpoint", state)?;
        }
        if !cargo.base.is_empty() {
            put("base", &cargo.base.to_js())?;
        }
        self.worker.post_message(&value).map_err(|error| {
            broken(format!(
                "a command could not be sent to the worker: {}",
                describe(&error)
            ))
        })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}

/// The name that the worker's address and the form use.
pub fn backend_name(backend: BackendChoice) -> &'static str {
    match backend {
        BackendChoice::Auto => "auto",
        BackendChoice::Cpu => "cpu",
        BackendChoice::Wgpu => "wgpu",
    }
}

fn read(data: JsValue) -> Message {
    if let Some(checkpoint) = read_checkpoint(&data) {
        return checkpoint;
    }
    let files = take_files(&data).unwrap_or_default();
    match serde_wasm_bindgen::from_value(data) {
        Ok(Event::Finished { run, result }) => Message::Finished { run, result, files },
        Ok(event) => Message::Event(event),
        Err(error) => Message::Broken(LabError::internal(format!(
            "the worker sent what the page cannot read: {error}"
        ))),
    }
}

fn read_checkpoint(data: &JsValue) -> Option<Message> {
    let get = |key: &str| Reflect::get(data, &key.into()).ok();
    if get("event")?.as_string()? != "checkpoint" {
        return None;
    }
    Some(Message::Checkpoint {
        run: get("run")?.as_string()?,
        step: get("step")?.as_f64()? as usize,
        state: get("state")?.dyn_into().ok()?,
    })
}

/// Takes the files out of a finished event.
fn take_files(data: &JsValue) -> Option<Files> {
    let get = |value: &JsValue, key: &str| Reflect::get(value, &key.into()).ok();
    if get(data, "event")?.as_string()? != "finished" {
        return None;
    }
    let result = get(data, "result")?;
    let files = Files::from_js(&get(&result, "files")?)?;
    Reflect::delete_property(result.dyn_ref::<Object>()?, &"files".into()).ok()?;
    Some(files)
}

/// An error that ended the worker from outside its own care, by what the browser says of it.
fn explain(message: &str) -> LabError {
    let lower = message.to_lowercase();
    if lower.contains("out of memory")
        || lower.contains("allocation fail")
        || lower.contains("memory access")
    {
        LabError::new(
            ErrorCode::OutOfMemory,
            format!("the worker ran out of memory: {message}"),
            "Choose a smaller width, context or batch.",
        )
    } else if message.is_empty() {
        broken("the worker could not be loaded".to_owned())
    } else {
        broken(format!("the worker stopped: {message}"))
    }
}

fn broken(message: String) -> LabError {
    LabError::new(
        ErrorCode::Internal,
        message,
        "Start it again. If that does not help, reload the page, and report what is written here.",
    )
}

fn describe(error: &JsValue) -> String {
    error.dyn_ref::<js_sys::Error>().map_or_else(
        || format!("{error:?}"),
        |error| String::from(error.message()),
    )
}
