//! Requests to addresses that the user named.

use async_trait::async_trait;
use lab_protocol::{ErrorCode, LabError, Secret, text};
use std::time::UNIX_EPOCH;

/// The platform's connections. The core builds requests, retries them and parses answers.
#[async_trait(?Send)]
pub trait Network {
    /// The key for an endpoint: the value of the environment variable with that name, or the key that the user typed.
    /// `None` if there is none; an error if the variable is named and not set.
    fn key(&self, variable: &str) -> Result<Option<Secret>, LabError>;

    /// Makes a request. `receive` gets the pieces of the answer's body as they arrive, until it wants no more.
    async fn post(
        &self,
        request: &HttpRequest<'_>,
        receive: Receive<'_>,
    ) -> Result<HttpResponse, HttpFailure>;

    /// Reads the file at an address that the user named: natively a path, in a browser a URL. `None` if there
    /// is no such file.
    async fn read(&self, address: &str) -> Result<Option<Vec<u8>>, LabError>;

    /// Waits this many milliseconds before a request is tried again.
    async fn sleep(&self, milliseconds: f64);
}

/// The network of a program that makes no requests.
pub struct Offline;

#[async_trait(?Send)]
impl Network for Offline {
    fn key(&self, _variable: &str) -> Result<Option<Secret>, LabError> {
        Ok(None)
    }

    async fn post(
        &self,
        _request: &HttpRequest<'_>,
        _receive: Receive<'_>,
    ) -> Result<HttpResponse, HttpFailure> {
        Err(HttpFailure::Unreachable("there is no network here".into()))
    }

    async fn read(&self, address: &str) -> Result<Option<Vec<u8>>, LabError> {
        Err(LabError::new(
            ErrorCode::Network,
            text!(
                "{address} cannot be read: there is no network here",
                address
            ),
            "Give the files with the run instead.",
        ))
    }

    async fn sleep(&self, _milliseconds: f64) {}
}

/// A POST of JSON. Redirections are not followed: the key is for this address.
pub struct HttpRequest<'a> {
    pub url: &'a str,
    /// Sent in the header `Authorization: Bearer …`.
    pub key: Option<&'a Secret>,
    pub body: &'a str,
    /// The request fails after this many milliseconds if the answer is not complete by then.
    pub timeout: f64,
}

/// The head of an answer; its body is handed over piece by piece as it arrives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpResponse {
    pub status: u16,
    /// The header `Retry-After`, unparsed.
    pub retry_after: Option<String>,
}

/// The reason for a missing or incomplete answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpFailure {
    /// The time was up.
    TimedOut,
    /// The connection could not be made, or it broke; in the platform's words.
    Unreachable(String),
}

/// Receives the pieces of a body. Returns whether it wants more.
pub type Receive<'a> = &'a mut dyn FnMut(&[u8]) -> bool;

/// Seconds that a header `Retry-After` asks to wait. The header has a number of seconds, or a date as `Sun, 06 Nov
/// 1994 08:49:37 GMT`. `now` in milliseconds since 1970-01-01 UTC.
pub fn retry_after(header: &str, now: f64) -> Option<f64> {
    if let Ok(seconds) = header.trim().parse::<f64>() {
        return (seconds.is_finite() && seconds >= 0.0).then_some(seconds);
    }
    let at = httpdate::parse_http_date(header.trim()).ok()?;
    let at = at.duration_since(UNIX_EPOCH).ok()?;
    Some((at.as_secs_f64() - now / 1000.0).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_read_as_seconds_and_as_dates() {
        assert_eq!(retry_after(" 7 ", 0.0), Some(7.0));
        assert_eq!(retry_after("0.5", 0.0), Some(0.5));
        // The example of RFC 9110. Its date is 784111777 seconds after 1970.
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(retry_after(date, 784_111_770_000.0), Some(7.0));
        assert_eq!(retry_after(date, 784_111_780_000.0), Some(0.0));
        let leap = "Tue, 29 Feb 2000 00:00:01 GMT";
        assert_eq!(retry_after(leap, 951_782_400_000.0), Some(1.0));
        for wrong in [
            "",
            "soon",
            "-1",
            "NaN",
            "inf",
            "Sun, 06 Nov",
            "Sun, 99 Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(retry_after(wrong, 0.0), None, "{wrong}");
        }
    }
}
