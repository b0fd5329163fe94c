//! The worker around a run: messages to and from the page.

use crate::{BACKEND, Exchange, Requests};
use async_trait::async_trait;
use futures_channel::mpsc::UnboundedReceiver;
use lab_protocol::{BackendChoice, Command, ErrorCode, Event, LabError, Secret, text};
use lab_strategies::{Host, HttpFailure, HttpRequest, HttpResponse, Network, Receive};
use serde::Serialize;
use std::cell::{Cell, RefCell};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

/// Metrics, progress and unfinished answers are sent at most this often; what comes between is joined.
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

    /// The memory of WebAssembly never shrinks. What a GPU has of its own is not known.
    fn peak_bytes(&self) -> Option<u64> {
        let pages = core::arch::wasm32::memory_size::<0>() as u64;
        (BACKEND == BackendChoice::Cpu).then_some(pages << 16)
    }
}

/// The worker's connections.
pub struct WorkerNetwork {
    pub requests: Requests,
    /// The typed key, for the endpoint of this run.
    pub key: Option<Secret>,
}

#[async_trait(?Send)]
impl Network for WorkerNetwork {
    fn key(&self, _variable: &str) -> Result<Option<Secret>, LabError> {
        Ok(self.key.clone())
    }

    async fn post(
        &self,
        request: &HttpRequest<'_>,
        receive: Receive<'_>,
    ) -> Result<HttpResponse, HttpFailure> {
        let key = request.key.map(|key| key.0.as_str());
        let begun = self
            .requests
            .request(request.url, key, request.body, request.timeout);
        let exchange = JsFuture::from(begun).await.map_err(failure)?;
        let exchange: Exchange = exchange.unchecked_into();
        loop {
            let piece = JsFuture::from(exchange.next()).await.map_err(failure)?;
            let Ok(piece) = piece.dyn_into::<js_sys::Uint8Array>() else {
                break;
            };
            if !receive(&piece.to_vec()) {
                exchange.cancel();
                break;
            }
        }
        Ok(HttpResponse {
            status: exchange.status(),
            retry_after: exchange.retry_after(),
        })
    }

    async fn read(&self, address: &str) -> Result<Option<Vec<u8>>, LabError> {
        let read = JsFuture::from(self.requests.read(address)).await;
        let bytes = read.map_err(|thrown| {
            let why = thrown.as_string().unwrap_or_default();
            LabError::new(
                ErrorCode::Network,
                text!("{address} cannot be read: {why}", address, why),
                "Check the address, and that it allows requests from this page (CORS).",
            )
        })?;
        Ok(bytes
            .dyn_into::<js_sys::Uint8Array>()
            .ok()
            .map(|bytes| bytes.to_vec()))
    }

    async fn sleep(&self, milliseconds: f64) {
        // It cannot fail.
        let _ = JsFuture::from(self.requests.sleep(milliseconds)).await;
    }
}

fn failure(thrown: JsValue) -> HttpFailure {
    match thrown.as_string().as_deref() {
        Some("timeout") => HttpFailure::TimedOut,
        why => HttpFailure::Unreachable(why.unwrap_or("the browser does not say why").to_owned()),
    }
}

/// Sends an event to the page: numbers as numbers, maps as objects, bytes as `Uint8Array`.
pub fn send(post: &js_sys::Function, event: &Event) {
    let serializer =
        serde_wasm_bindgen::Serializer::json_compatible().serialize_bytes_as_arrays(false);
    let sent = event
        .serialize(&serializer)
        .map(|value| post.call1(&JsValue::NULL, &value));
    // The page is gone, or the event is no plain data: nobody is left to be told but the console.
    debug_assert!(matches!(sent, Ok(Ok(_))), "an event could not be sent");
}
