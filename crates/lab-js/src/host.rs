//! The worker around a run: messages to and from the page.

use crate::backend::BACKEND;
use async_trait::async_trait;
use futures_channel::mpsc::UnboundedReceiver;
use lab_protocol::{BackendChoice, Command, Event};
use lab_strategies::Host;
use serde::Serialize;
use std::cell::{Cell, RefCell};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

/// Metrics, progress and unfinished answers are sent at most this often; later values are merged.
const COALESCE_MS: f64 = 100.0;

pub struct WorkerHost {
    post: js_sys::Function,
    pause: js_sys::Function,
    commands: RefCell<UnboundedReceiver<Command>>,
    metrics: RefCell<Option<Event>>,
    progress: RefCell<Option<Event>>,
    writing: RefCell<Option<Event>>,
    last_flush: Cell<f64>,
}

impl WorkerHost {
    pub fn new(
        post: js_sys::Function,
        pause: js_sys::Function,
        commands: UnboundedReceiver<Command>,
    ) -> Self {
        Self {
            post,
            pause,
            commands: RefCell::new(commands),
            metrics: RefCell::new(None),
            progress: RefCell::new(None),
            writing: RefCell::new(None),
            last_flush: Cell::new(0.0),
        }
    }

    fn flush(&self) {
        let joined = [
            self.metrics.take(),
            self.progress.take(),
            self.writing.take(),
        ];
        joined
            .into_iter()
            .flatten()
            .for_each(|event| send(&self.post, &event));
        self.last_flush.set(js_sys::Date::now());
    }
}

#[async_trait(?Send)]
impl Host for WorkerHost {
    fn now(&self) -> f64 {
        js_sys::Date::now()
    }

    fn emit(&self, event: Event) {
        match event {
            Event::Metrics { run, records } => {
                let mut waiting = self.metrics.borrow_mut();
                match waiting.as_mut() {
                    Some(Event::Metrics {
                        records: earlier, ..
                    }) => earlier.extend(records),
                    _ => *waiting = Some(Event::Metrics { run, records }),
                }
            }
            Event::Progress { .. } => drop(self.progress.replace(Some(event))),
            Event::Writing { .. } => drop(self.writing.replace(Some(event))),
            other => {
                self.flush();
                return send(&self.post, &other);
            }
        }
        if js_sys::Date::now() - self.last_flush.get() >= COALESCE_MS {
            self.flush();
        }
    }

    async fn next_command(&self, wait: bool) -> Option<Command> {
        if let Ok(command) = self.commands.borrow_mut().try_recv() {
            return Some(command);
        }
        if wait {
            self.flush();
        }
        loop {
            // Messages are tasks of their own: they arrive only when this one has ended.
            let promise = self.pause.call1(&JsValue::NULL, &wait.into()).ok()?;
            JsFuture::from(promise.dyn_into::<js_sys::Promise>().ok()?)
                .await
                .ok()?;
            match self.commands.borrow_mut().try_recv() {
                Ok(command) => return Some(command),
                Err(error) if error.is_closed() => return None,
                Err(_) if !wait => return None,
                Err(_) => {}
            }
        }
    }

    /// The memory of WebAssembly never shrinks. The memory of a GPU is not known.
    fn peak_bytes(&self) -> Option<u64> {
        let pages = core::arch::wasm32::memory_size::<0>() as u64;
        (BACKEND == BackendChoice::Cpu).then_some(pages << 16)
    }

    /// The addresses of WebAssembly end at 4 GiB. A small machine has less, which some browsers tell, in GiB.
    fn memory(&self) -> Option<u64> {
        let global = js_sys::global();
        let read = |of: &JsValue, name: &str| js_sys::Reflect::get(of, &name.into()).ok();
        let gigabytes = read(&global, "navigator")
            .and_then(|navigator| read(&navigator, "deviceMemory"))
            .and_then(|memory| memory.as_f64());
        let gigabytes = gigabytes.unwrap_or(4.0).min(4.0);
        Some((gigabytes * f64::from(1 << 30)) as u64)
    }
}

/// Sends an event to the page: numbers as numbers, maps as objects, bytes as `Uint8Array`.
pub fn send(post: &js_sys::Function, event: &Event) {
    let serializer =
        serde_wasm_bindgen::Serializer::json_compatible().serialize_bytes_as_arrays(false);
    let sent = event
        .serialize(&serializer)
        .map(|value| post.call1(&JsValue::NULL, &value));
    // The page is gone, or the event is not plain data: only the console can be told.
    debug_assert!(matches!(sent, Ok(Ok(_))), "an event could not be sent");
}
