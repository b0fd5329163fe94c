//! Requests over HTTP/1.1, each on its own connection, within a time limit.

use lab_strategies::{HttpFailure, HttpRequest, HttpResponse, Receive};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The most bytes of an answer's head, and of a line in a chunked body.
const LONGEST_HEAD: u64 = 64 << 10;

/// Makes a request and hands the body on as it comes.
pub fn post(request: &HttpRequest<'_>, receive: Receive<'_>) -> Result<HttpResponse, HttpFailure> {
    exchange(request, receive).map_err(|error| match error.kind() {
        // On some platforms a socket reports "would block" when its time is up.
        ErrorKind::TimedOut | ErrorKind::WouldBlock => HttpFailure::TimedOut,
        _ => HttpFailure::Unreachable(plain(&error)),
    })
}

/// Without the number of the operating system.
fn plain(error: &Error) -> String {
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or_default();
    words.to_lowercase()
}

fn exchange(request: &HttpRequest<'_>, receive: Receive<'_>) -> Result<HttpResponse, Error> {
    let deadline = Instant::now() + Duration::from_secs_f64(request.timeout / 1000.0);
    let url = Url::read(request.url).ok_or_else(|| bad("the address is not an HTTP address"))?;
    let mut stream = connect(&url, deadline)?;
    stream.write_all(head(&url, request).as_bytes())?;
    stream.write_all(request.body.as_bytes())?;
    stream.flush()?;
    let mut reader = BufReader::new(stream);
    let (response, body) = read_head(&mut reader)?;
    read_body(&mut reader, body, receive)?;
    Ok(response)
}

/// The parts of an address.
struct Url<'a> {
    secure: bool,
    /// Name and port, as in the address.
    host: &'a str,
    name: &'a str,
    port: u16,
    path: &'a str,
}

impl<'a> Url<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let (secure, usual) = match scheme {
            "http" => (false, 80),
            "https" => (true, 443),
            _ => return None,
        };
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        // The colons of an address such as [::1] are within brackets.
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()?),
            _ => (host, usual),
        };
        let name = name.trim_start_matches('[').trim_end_matches(']');
        (!name.is_empty()).then_some(Self {
            secure,
            host,
            name,
            port,
            path: if path.is_empty() { "/" } else { path },
        })
    }
}

trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

fn connect(url: &Url<'_>, deadline: Instant) -> Result<Box<dyn Stream>, Error> {
    let mut last = bad("the host has no address");
    for address in (url.name, url.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, left(deadline)?) {
            Ok(stream) => {
                let stream = Limited { stream, deadline };
                return if url.secure {
                    secured(url, stream)
                } else {
                    Ok(Box::new(stream))
                };
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// TLS, trusting the authorities that Mozilla trusts.
fn secured(url: &Url<'_>, stream: Limited) -> Result<Box<dyn Stream>, Error> {
    let roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let config =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
    let name = ServerName::try_from(url.name.to_owned()).map_err(Error::other)?;
    let connection = ClientConnection::new(Arc::new(config), name).map_err(Error::other)?;
    Ok(Box::new(StreamOwned::new(connection, stream)))
}

/// A connection on which every wait ends at the deadline.
struct Limited {
    stream: TcpStream,
    deadline: Instant,
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        self.stream.set_read_timeout(Some(left(self.deadline)?))?;
        self.stream.read(buffer)
    }
}

impl Write for Limited {
    fn write(&mut self, buffer: &[u8]) -> Result<usize, Error> {
        self.stream.set_write_timeout(Some(left(self.deadline)?))?;
        self.stream.write(buffer)
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.stream.flush()
    }
}

fn left(deadline: Instant) -> Result<Duration, Error> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(ErrorKind::TimedOut.into());
    }
    Ok(left)
}

fn head(url: &Url<'_>, request: &HttpRequest<'_>) -> String {
    let mut head = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: llm-labs/{}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n",
        url.path,
        url.host,
        env!("CARGO_PKG_VERSION"),
        request.body.len()
    );
    if let Some(key) = request.key {
        head.push_str(&format!("Authorization: Bearer {}\r\n", key.0));
    }
    head + "\r\n"
}

/// The way in which an answer's body ends.
enum Body {
    After(u64),
    Chunked,
    AtTheEnd,
}

fn read_head(reader: &mut impl BufRead) -> Result<(HttpResponse, Body), Error> {
    loop {
        let mut reader = reader.by_ref().take(LONGEST_HEAD);
        let first = line(&mut reader)?;
        let mut words = first.split(' ');
        let version = words.next().unwrap_or_default();
        let status = words.next().and_then(|status| status.parse().ok());
        let (true, Some(status)) = (version.starts_with("HTTP/1."), status) else {
            return Err(bad("it does not answer in HTTP"));
        };
        let mut response = HttpResponse {
            status,
            retry_after: None,
        };
        let mut body = Body::AtTheEnd;
        loop {
            let header = line(&mut reader)?;
            if header.is_empty() {
                break;
            }
            let (name, value) = header.split_once(':').unwrap_or_default();
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "retry-after" => response.retry_after = Some(value.to_owned()),
                "transfer-encoding" if value.eq_ignore_ascii_case("chunked") => {
                    body = Body::Chunked
                }
                "content-length" if !matches!(body, Body::Chunked) => {
                    let length = value.parse().map_err(|_| bad("its answer has no length"))?;
                    body = Body::After(length);
                }
                _ => {}
            }
        }
        // 100 and the like come before the answer itself.
        if !(100..200).contains(&status) {
            return Ok((response, body));
        }
    }
}

fn read_body(reader: &mut impl BufRead, body: Body, receive: Receive<'_>) -> Result<(), Error> {
    match body {
        Body::After(length) => pass(reader, length, receive).map(|_| ()),
        Body::AtTheEnd => loop {
            let piece = reader.fill_buf()?;
            let length = piece.len();
            if length == 0 || !receive(piece) {
                return Ok(());
            }
            reader.consume(length);
        },
        Body::Chunked => loop {
            let size = line(&mut reader.by_ref().take(LONGEST_HEAD))?;
            let size = size.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(size, 16).map_err(|_| bad("its answer is garbled"))?;
            if size == 0 || !pass(reader, size, receive)? {
                return Ok(());
            }
            line(&mut reader.by_ref().take(LONGEST_HEAD))?;
        },
    }
}

/// Hands this many bytes on. Returns whether more are wanted.
fn pass(reader: &mut impl BufRead, mut length: u64, receive: Receive<'_>) -> Result<bool, Error> {
    while length > 0 {
        let piece = reader.fill_buf()?;
        let piece = &piece[..piece
            .len()
            .min(usize::try_from(length).unwrap_or(usize::MAX))];
        if piece.is_empty() {
            return Err(bad("the connection was closed in the midst"));
        }
        if !receive(piece) {
            return Ok(false);
        }
        let taken = piece.len();
        reader.consume(taken);
        length -= taken as u64;
    }
    Ok(true)
}

/// A line without its end.
fn line(reader: &mut impl BufRead) -> Result<String, Error> {
    let mut bytes = Vec::new();
    reader.read_until(b'\n', &mut bytes)?;
    match bytes.strip_suffix(b"\n") {
        Some(line) => {
            Ok(String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned())
        }
        None if bytes.is_empty() => Err(bad("the connection was closed without an answer")),
        None => Err(bad("it does not answer in HTTP")),
    }
}

fn bad(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(answer: &str) -> Result<(HttpResponse, String), Error> {
        let mut reader = BufReader::with_capacity(3, answer.as_bytes());
        let (response, body) = read_head(&mut reader)?;
        let mut text = Vec::new();
        read_body(&mut reader, body, &mut |piece| {
            text.extend_from_slice(piece);
            true
        })?;
        Ok((response, String::from_utf8(text).unwrap()))
    }

    #[test]
    fn bodies_end_as_their_heads_say() {
        let answers = [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more",
            "HTTP/1.1 200\r\nTransfer-Encoding: Chunked\r\n\r\n2;x=y\r\nhe\r\n003\r\nllo\r\n0\r\n\r\n",
            "HTTP/1.0 200 OK\n\nhello",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nhello",
        ];
        for answer in answers {
            assert_eq!(read(answer).unwrap().1, "hello", "{answer}");
        }
        let busy = read("HTTP/1.1 429 Busy\r\nRETRY-AFTER:  7 \r\n\r\n")
            .unwrap()
            .0;
        assert_eq!((busy.status, busy.retry_after.as_deref()), (429, Some("7")));
        for broken in [
            "",
            "hello",
            "hello\r\n\r\n",
            "HTTP/1.1 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        ] {
            assert!(read(broken).is_err(), "{broken}");
        }
        let endless = format!(
            "HTTP/1.1 200 OK\r\nx: {}",
            "y".repeat(LONGEST_HEAD as usize)
        );
        assert!(read(&endless).is_err());
    }

    #[test]
    fn addresses_have_parts() {
        let parts = |text| {
            let url = Url::read(text)?;
            Some((url.secure, url.name, url.port, url.path))
        };
        assert_eq!(parts("https://a.b/v1/x"), Some((true, "a.b", 443, "/v1/x")));
        assert_eq!(parts("http://a:8000"), Some((false, "a", 8000, "/")));
        assert_eq!(parts("http://[::1]:80/v1"), Some((false, "::1", 80, "/v1")));
        assert_eq!(parts("http://[::1]/v1"), Some((false, "::1", 80, "/v1")));
        for wrong in [
            "",
            "a.b",
            "ftp://a",
            "http://",
            "http://a:b/",
            "http://:80/",
        ] {
            assert_eq!(parts(wrong), None, "{wrong}");
        }
    }
}
