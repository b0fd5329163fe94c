//! The little that the page needs of the browser beyond leptos.

use js_sys::{Array, Uint8Array};
use lab_protocol::{ErrorCode, LabError, Text, text};
use leptos::prelude::{document, event_target, window};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Blob, BlobPropertyBag, File, HtmlAnchorElement, HtmlElement, HtmlInputElement, Response, Url,
};

/// Milliseconds since 1970-01-01 UTC.
pub fn now() -> u64 {
    js_sys::Date::now() as u64
}

/// Whether this page is in a frame of another.
pub fn is_framed() -> bool {
    let parent = window().parent().ok().flatten();
    parent.is_some_and(|parent| JsValue::from(parent) != JsValue::from(window()))
}

/// The parameters of the page's address, by name.
pub fn parameters() -> Vec<(String, String)> {
    let search = window().location().search().unwrap_or_default();
    let parts = search.trim_start_matches('?').split('&');
    let parameters = parts.filter_map(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let value = js_sys::decode_uri_component(value).ok()?;
        Some((name.to_owned(), String::from(value)))
    });
    parameters.collect()
}

/// Addresses of the modules that the page's own address names, `?module=…`.
pub fn modules() -> Vec<String> {
    let page = window().location().href().unwrap_or_default();
    let named = parameters()
        .into_iter()
        .filter(|(name, _)| name == "module");
    let addresses = named.filter_map(|(_, address)| Url::new_with_base(&address, &page).ok());
    addresses.map(|address| address.href()).collect()
}

/// An id that no other page uses.
pub fn new_id() -> String {
    let random = (js_sys::Math::random() * 1e9) as u64;
    format!("{}-{random}", now())
}

/// Fetches a file of this site.
pub async fn fetch(path: &str) -> Result<Vec<u8>, LabError> {
    let response = request(path).await?;
    body(&response, path).await.map(|bytes| bytes.to_vec())
}

/// Asks for a file of this site.
pub async fn request(path: &str) -> Result<Response, LabError> {
    let response: Response = JsFuture::from(window().fetch_with_str(path))
        .await
        .and_then(JsCast::dyn_into)
        .map_err(|_| {
            not_loaded(text!(
                "{path} could not be loaded: the server did not answer",
                path
            ))
        })?;
    if response.ok() {
        return Ok(response);
    }
    let status = response.status();
    Err(not_loaded(text!(
        "{path} could not be loaded: the server answered {status}",
        path,
        status
    )))
}

/// Bytes that the answer will have, as far as the server says.
pub fn length(response: &Response) -> Option<u64> {
    let header = response.headers().get("content-length").ok().flatten();
    header?.parse().ok()
}

/// All of the answer, left in JavaScript's memory.
pub async fn body(response: &Response, path: &str) -> Result<Uint8Array, LabError> {
    let buffer = match response.array_buffer() {
        Ok(promise) => JsFuture::from(promise).await,
        Err(error) => Err(error),
    };
    buffer.map(|buffer| Uint8Array::new(&buffer)).map_err(|_| {
        not_loaded(text!(
            "{path} could not be loaded: the answer broke off",
            path
        ))
    })
}

fn not_loaded(message: Text) -> LabError {
    LabError::new(
        ErrorCode::Io,
        message,
        "Check that the whole site is there, and reload the page.",
    )
}

/// The chosen file of an input. The input is emptied, so the same file can be chosen again.
pub fn take_chosen_file(event: &web_sys::Event) -> Option<File> {
    let input: HtmlInputElement = event_target(event);
    let file = input.files()?.get(0);
    input.set_value("");
    file
}

/// Reads a file that the user chose.
pub async fn read_file(file: &File) -> Result<Vec<u8>, LabError> {
    JsFuture::from(file.array_buffer())
        .await
        .map(|buffer| Uint8Array::new(&buffer).to_vec())
        .map_err(|_| unreadable(file))
}

/// The bytes of a file, left in JavaScript's memory.
pub async fn file_bytes(file: &File) -> Result<Uint8Array, LabError> {
    JsFuture::from(file.array_buffer())
        .await
        .map(|buffer| Uint8Array::new(&buffer))
        .map_err(|_| unreadable(file))
}

fn unreadable(file: &File) -> LabError {
    LabError::new(
        ErrorCode::Io,
        text!("\"{name}\" could not be read", name = file.name()),
        "Choose the file again; it may have been moved or changed.",
    )
}

/// Offers bytes to the user as a file.
pub fn download(name: &str, kind: &str, bytes: &[u8]) -> Result<(), LabError> {
    save(name, kind, bytes).map_err(|_| {
        LabError::new(
            ErrorCode::Io,
            text!("\"{name}\" could not be saved", name),
            "Allow this page to download files.",
        )
    })
}

fn save(name: &str, kind: &str, bytes: &[u8]) -> Result<(), JsValue> {
    let options = BlobPropertyBag::new();
    options.set_type(kind);
    let parts = Array::of1(&Uint8Array::from(bytes));
    let blob = Blob::new_with_u8_array_sequence_and_options(&parts, &options)?;
    let address = Url::create_object_url_with_blob(&blob)?;
    let link: HtmlAnchorElement = document().create_element("a")?.unchecked_into();
    link.set_href(&address);
    link.set_download(name);
    link.click();
    Url::revoke_object_url(&address)
}

/// SHA-256 of a text, in hexadecimal; `None` if the browser denies its cryptography to pages that come over plain
/// HTTP.
pub async fn sha256(text: &str) -> Option<String> {
    let crypto = js_sys::Reflect::get(&window().crypto().ok()?.into(), &"subtle".into()).ok()?;
    let crypto: web_sys::SubtleCrypto = crypto.dyn_into().ok()?;
    let bytes = Uint8Array::from(text.as_bytes());
    let hash = JsFuture::from(
        crypto
            .digest_with_str_and_buffer_source("SHA-256", &bytes)
            .ok()?,
    )
    .await
    .ok()?;
    Some(
        Uint8Array::new(&hash)
            .to_vec()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
    )
}

/// Moves the focus to the element with this id, unfolding the cards that hide it.
pub fn focus(id: &str) {
    let Some(element) = document().get_element_by_id(id) else {
        return;
    };
    let mut around = element.parent_element();
    while let Some(parent) = around {
        if parent.tag_name() == "DETAILS" {
            let _ = parent.set_attribute("open", "");
        }
        around = parent.parent_element();
    }
    if let Some(element) = element.dyn_ref::<HtmlElement>() {
        let _ = element.focus();
    }
}

/// A setting of the page that outlives it, unless storage is forbidden.
pub fn remembered(key: &str) -> Option<String> {
    window()
        .local_storage()
        .ok()
        .flatten()?
        .get_item(key)
        .ok()
        .flatten()
}

pub fn remember(key: &str, value: &str) {
    if let Ok(Some(storage)) = window().local_storage() {
        // A full or forbidden storage costs the memory of a preference, nothing else.
        let _ = storage.set_item(key, value);
    }
}
