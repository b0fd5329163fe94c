//! The connection to a worker: commands out, messages in, and the handling of its failures.

use crate::attachments::Attachments;
use crate::message::Message;
use js_sys::Reflect;
use lab_protocol::{BackendChoice, Command, ErrorCode, LabError, Text, text};
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, Worker, WorkerOptions, WorkerType};

/// A running worker. Dropping it ends the worker.
pub(crate) struct Connection {
    worker: Worker,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(web_sys::Event)>,
}

/// Starts a worker of the script at `address`, which reads the rest from its own address.
pub(crate) fn open_script(
    address: &str,
    backend: BackendChoice,
    modules: &[String],
) -> Result<Worker, JsValue> {
    let mut address = format!("{address}?backend={}", backend_name(backend));
    for module in modules {
        address += &format!("&module={}", js_sys::encode_uri_component(module));
    }
    let options = WorkerOptions::new();
    options.set_type(WorkerType::Module);
    Worker::new_with_options(&address, &options)
}

impl Connection {
    /// Takes a worker that was opened; `receive` is called with everything that it reports.
    pub fn new(
        opened: Result<Worker, JsValue>,
        receive: impl Fn(Message) + Clone + 'static,
    ) -> Result<Self, LabError> {
        let worker = opened.map_err(|error| {
            broken(text!(
                "A worker could not be started: {reason}",
                reason = describe(&error)
            ))
        })?;
        let on_message = Closure::new({
            let receive = receive.clone();
            move |message: MessageEvent| receive(Message::read(message.data()))
        });
        // A worker whose script cannot be loaded reports a plain event, without a message.
        let on_error = Closure::new(move |event: web_sys::Event| {
            event.prevent_default();
            let message = Reflect::get(&event, &"message".into()).ok();
            let message = message.and_then(|message| message.as_string());
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

    pub fn send(&self, command: &Command, attachments: &Attachments) -> Result<(), LabError> {
        let serializer = Serializer::json_compatible().serialize_bytes_as_arrays(false);
        let value = command.serialize(&serializer).map_err(|error| {
            LabError::internal(text!("A command could not be written: {error}", error))
        })?;
        let put = |key: &str, bytes: &JsValue| {
            Reflect::set(&value, &key.into(), bytes)
                .map_err(|error| LabError::internal(describe(&error)))
        };
        if let Some(state) = &attachments.checkpoint {
            put("checkpoint", state)?;
        }
        if !attachments.base.is_empty() {
            put("base", &attachments.base.to_js())?;
        }
        self.worker.post_message(&value).map_err(|error| {
            broken(text!(
                "A command could not be sent to the worker: {reason}",
                reason = describe(&error)
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

/// The name that the worker's address uses.
pub fn backend_name(backend: BackendChoice) -> &'static str {
    match backend {
        BackendChoice::Auto => "auto",
        BackendChoice::Cpu => "cpu",
        BackendChoice::Wgpu => "wgpu",
    }
}

/// The error of a worker that ended without reporting one itself, from the browser's message.
fn explain(message: &str) -> LabError {
    let lower = message.to_lowercase();
    let memory = ["out of memory", "allocation fail", "memory access"];
    if memory.iter().any(|words| lower.contains(words)) {
        LabError::new(
            ErrorCode::OutOfMemory,
            text!("The worker ran out of memory: {message}", message),
            "Choose a smaller width, context or batch.",
        )
    } else if message.is_empty() {
        broken("The worker could not be loaded")
    } else {
        broken(text!("The worker stopped: {message}", message))
    }
}

fn broken(message: impl Into<Text>) -> LabError {
    LabError::new(
        ErrorCode::Internal,
        message,
        "Start it again. If that does not help, reload the page, and report this message.",
    )
}

fn describe(error: &JsValue) -> String {
    error.dyn_ref::<js_sys::Error>().map_or_else(
        || format!("{error:?}"),
        |error| String::from(error.message()),
    )
}
