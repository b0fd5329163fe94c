//! Requests over HTTP, each within a time limit.

use lab_strategies::{HttpFailure, HttpRequest, HttpResponse, Receive};
use std::io::{ErrorKind, Read};
use std::time::Duration;
use ureq::{Agent, Error};

/// Bytes of the body that are read at once.
const PIECE: usize = 16 << 10;

/// Makes a request and hands the body on as it comes. A redirection is an answer like any other: the key belongs to
/// the address that was given.
pub fn post(request: &HttpRequest<'_>, receive: Receive<'_>) -> Result<HttpResponse, HttpFailure> {
    let limit = Duration::try_from_secs_f64(request.timeout / 1000.0).ok();
    let agent: Agent = Agent::config_builder()
        .timeout_global(limit)
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(concat!("llm-labs/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    let mut post = agent
        .post(request.url)
        .header("Content-Type", "application/json");
    if let Some(key) = request.key {
        post = post.header("Authorization", format!("Bearer {}", key.0));
    }
    let mut answer = post.send(request.body).map_err(failure)?;
    let retry_after = answer.headers().get("retry-after");
    let response = HttpResponse {
        status: answer.status().as_u16(),
        retry_after: retry_after.and_then(|value| Some(value.to_str().ok()?.to_owned())),
    };
    let mut body = answer.body_mut().as_reader();
    let mut piece = [0; PIECE];
    loop {
        let length = body
            .read(&mut piece)
            .map_err(|error| failure(error.into()))?;
        if length == 0 || !receive(&piece[..length]) {
            return Ok(response);
        }
    }
}

fn failure(error: Error) -> HttpFailure {
    match error {
        Error::Timeout(_) => HttpFailure::TimedOut,
        Error::Io(error) if error.kind() == ErrorKind::TimedOut => HttpFailure::TimedOut,
        error => HttpFailure::Unreachable(plain(&error)),
    }
}

/// Without the library's own words and the number of the operating system.
fn plain(error: &Error) -> String {
    let text = error.to_string();
    let text = text.trim_start_matches("io: ");
    let words = text.split(" (os error").next().unwrap_or_default();
    words.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lab_protocol::Secret;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    /// Sends a request to a server that answers in parts. Returns the response, its body and the head of the request.
    fn answered(
        parts: &'static [&'static str],
    ) -> (Result<HttpResponse, HttpFailure>, String, String) {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1/chat", server.local_addr().unwrap());
        let asked = std::thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let mut head = String::new();
            loop {
                let line = lines.next().unwrap().unwrap();
                if line.is_empty() {
                    break;
                }
                head += &line.to_lowercase();
                head.push('\n');
            }
            for part in parts {
                stream.write_all(part.as_bytes()).unwrap();
                stream.flush().unwrap();
            }
            head
        });
        let key = Secret("abc".into());
        let request = HttpRequest {
            url: &url,
            key: Some(&key),
            body: "{}",
            timeout: 2000.0,
        };
        let mut text = Vec::new();
        let response = post(&request, &mut |piece| {
            text.extend_from_slice(piece);
            true
        });
        let text = String::from_utf8(text).unwrap();
        (response, text, asked.join().unwrap())
    }

    #[test]
    fn answers_come_as_they_are() {
        let bodies: [&[&str]; 3] = [
            &["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"],
            &[
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n",
                "3\r\nllo\r\n0\r\n\r\n",
            ],
            &["HTTP/1.0 200 OK\r\n\r\nhel", "lo"],
        ];
        for parts in bodies {
            let (response, text, head) = answered(parts);
            assert_eq!((response.unwrap().status, &text[..]), (200, "hello"));
            assert!(head.starts_with("post /v1/chat http/1.1"), "{head}");
            assert!(head.contains("authorization: bearer abc\n"), "{head}");
            assert!(head.contains("content-type: application/json\n"), "{head}");
        }
        let busy = ["HTTP/1.1 429 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"];
        let response = answered(Box::leak(Box::new(busy))).0.unwrap();
        assert_eq!(
            (response.status, response.retry_after.as_deref()),
            (429, Some("7"))
        );
        let moved =
            ["HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"];
        assert_eq!(answered(Box::leak(Box::new(moved))).0.unwrap().status, 302);
    }

    #[test]
    fn what_is_no_answer_is_told_apart_from_what_takes_too_long() {
        let broken: [&[&str]; 3] = [
            &["hello\r\n\r\n"],
            &["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"],
            &["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"],
        ];
        for parts in broken {
            let failed = answered(parts).0;
            assert!(
                matches!(failed, Err(HttpFailure::Unreachable(_))),
                "{parts:?}"
            );
        }
        // A server that takes the connection and says nothing.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let request = |url, timeout| HttpRequest {
            url,
            key: None,
            body: "{}",
            timeout,
        };
        let url = format!("http://{}", silent.local_addr().unwrap());
        let failed = post(&request(&url, 50.0), &mut |_| true);
        assert!(matches!(failed, Err(HttpFailure::TimedOut)));
        drop(silent);
        let Err(HttpFailure::Unreachable(why)) = post(&request(&url, 2000.0), &mut |_| true) else {
            panic!("something answers");
        };
        assert_eq!(why, "connection refused");
        assert!(post(&request("ftp://a", 2000.0), &mut |_| true).is_err());
    }
}
