//! The worker's connections, which JavaScript opens.

use async_trait::async_trait;
use lab_protocol::{ErrorCode, LabError, Secret, text};
use lab_strategies::{HttpFailure, HttpRequest, HttpResponse, Network, Receive};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen]
extern "C" {
    /// Requests and waiting, which are JavaScript's.
    #[derive(Clone)]
    pub type Requests;

    /// Posts `body` as JSON; a promise of the exchange. It throws "timeout", or the reason for the failure.
    #[wasm_bindgen(method)]
    fn request(
        this: &Requests,
        url: &str,
        key: Option<&str>,
        body: &str,
        timeout: f64,
    ) -> js_sys::Promise;

    /// A promise that resolves after this many milliseconds.
    #[wasm_bindgen(method)]
    fn sleep(this: &Requests, milliseconds: f64) -> js_sys::Promise;

    /// A promise of a file's bytes, or of nothing if there is no such file; throws the browser's words.
    #[wasm_bindgen(method)]
    fn read(this: &Requests, url: &str) -> js_sys::Promise;

    /// A request whose answer has begun to arrive.
    pub type Exchange;

    #[wasm_bindgen(method, getter)]
    fn status(this: &Exchange) -> u16;

    #[wasm_bindgen(method, getter, js_name = retryAfter)]
    fn retry_after(this: &Exchange) -> Option<String>;

    /// A promise of the body's next piece, of nothing after the last; throws as `request` does.
    #[wasm_bindgen(method)]
    fn next(this: &Exchange) -> js_sys::Promise;

    /// The rest is not wanted.
    #[wasm_bindgen(method)]
    fn cancel(this: &Exchange);
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
