//! Messages from a worker.

use crate::attachments::Files;
use js_sys::{Object, Reflect, Uint8Array};
use lab_protocol::{Event, LabError, RunResult, text};
use wasm_bindgen::prelude::*;

pub(crate) enum Message {
    Event(Event),
    /// A checkpoint event; its bytes stay in JavaScript's memory.
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

impl Message {
    pub fn read(data: JsValue) -> Self {
        if let Some(checkpoint) = read_checkpoint(&data) {
            return checkpoint;
        }
        let files = take_files(&data).unwrap_or_default();
        match serde_wasm_bindgen::from_value(data) {
            Ok(Event::Finished { run, result }) => Self::Finished { run, result, files },
            Ok(Event::Failed { run: None, error }) => Self::Broken(error),
            Ok(event) => Self::Event(event),
            Err(error) => Self::Broken(LabError::internal(text!(
                "The worker sent an event that cannot be read: {error}",
                error
            ))),
        }
    }
}

fn get(value: &JsValue, key: &str) -> Option<JsValue> {
    Reflect::get(value, &key.into()).ok()
}

fn read_checkpoint(data: &JsValue) -> Option<Message> {
    if get(data, "event")?.as_string()? != "checkpoint" {
        return None;
    }
    Some(Message::Checkpoint {
        run: get(data, "run")?.as_string()?,
        step: get(data, "step")?.as_f64()? as usize,
        state: get(data, "state")?.dyn_into().ok()?,
    })
}

/// Takes the files out of a finished event.
fn take_files(data: &JsValue) -> Option<Files> {
    if get(data, "event")?.as_string()? != "finished" {
        return None;
    }
    let result = get(data, "result")?;
    let files = Files::from_js(&get(&result, "files")?)?;
    Reflect::delete_property(result.dyn_ref::<Object>()?, &"files".into()).ok()?;
    Some(files)
}
