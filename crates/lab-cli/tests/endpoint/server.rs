//! A real server on this machine, with prepared replies.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The server's reaction to a request.
#[derive(Clone)]
pub enum Reply {
    /// Sends these bytes and closes.
    Send(String),
    /// Sends these, then nothing more, and keeps the connection.
    Hang(String),
}

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub at: Instant,
    pub head: String,
    pub body: Value,
}

/// A server that gives its replies in turn, the last one again and again.
pub struct Server {
    pub address: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    pub fn new(replies: &[Reply]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/v1", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (replies, theirs) = (replies.to_vec(), seen.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (replies, seen) = (replies.clone(), theirs.clone());
                std::thread::spawn(move || serve(stream.unwrap(), &replies, &seen));
            }
        });
        Self { address, seen }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, replies: &[Reply], seen: &Mutex<Vec<Seen>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(Seen {
            at: Instant::now(),
            head,
            body: serde_json::from_slice(&body).unwrap_or_default(),
        });
        seen.len() - 1
    };
    let send = |stream: &mut TcpStream, text: &str| {
        let _ = stream
            .write_all(text.as_bytes())
            .and_then(|()| stream.flush());
    };
    match &replies[number.min(replies.len() - 1)] {
        Reply::Send(text) => send(&mut stream, text),
        Reply::Hang(text) => {
            send(&mut stream, text);
            std::thread::sleep(Duration::from_secs(30));
        }
    }
}

pub fn response(status: &str, headers: &str, body: &str) -> Reply {
    let length = body.len();
    Reply::Send(format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
    ))
}

pub fn whole(text: &str) -> Reply {
    let body = json!({"choices": [{"message": {"role": "assistant", "content": text}}]});
    response(
        "200 OK",
        "Content-Type: application/json\r\n",
        &body.to_string(),
    )
}

/// A stream of events, a word each.
pub fn streamed(words: &[&str]) -> Reply {
    let mut body = String::new();
    for word in words {
        let event = json!({"choices": [{"delta": {"content": word}}]});
        body.push_str(&format!("data: {event}\n\n"));
    }
    body.push_str("data: [DONE]\n\n");
    response("200 OK", "Content-Type: text/event-stream\r\n", &body)
}
