//! Requests over HTTP, one at a time.

use lab_orchestrator::{HttpFailure, HttpRequest, HttpResponse, Receive};
use std::io::{Error, Read};
use std::time::Duration;
use ureq::Agent;

/// Makes a request and hands the body on as it comes.
pub fn post(
    request: &HttpRequest<'_>,
    receive: Receive<'_>,
) -> Result<HttpResponse, HttpFailure> {
    let agent: Agent = Agent::config_builder()
        .timeout_global(Some(Duration::from_secs_f64(request.timeout / 1000.0)))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .build()
        .into();
    let mut post = agent
        .post(request.url)
        .header("Content-Type", "application/json");
    if let Some(key) = request.key {
        post = post.header("Authorization", format!("Bearer {}", key.0));
    }
    let mut response = post.send(request.body).map_err(failure)?;
    let header = response.headers().get("retry-after");
    let head = HttpResponse {
        status: response.status().as_u16(),
        retry_after: header.and_then(|value| Some(value.to_str().ok()?.to_owned())),
    };
    let mut body = response.body_mut().as_reader();
    let mut buffer = [0; 8192];
    loop {
        let length = body
            .read(&mut buffer)
            .map_err(|error| failure(ureq::Error::from(error)))?;
        if length == 0 || !receive(&buffer[..length]) {
            return Ok(head);
        }
    }
}

fn failure(error: ureq::Error) -> HttpFailure {
    match error {
        ureq::Error::Timeout(_) => HttpFailure::TimedOut,
        ureq::Error::Io(error) => HttpFailure::Unreachable(plain(&error)),
        other => HttpFailure::Unreachable(other.to_string()),
    }
}

/// Without the number of the operating system.
fn plain(error: &Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}
