//! An endpoint's answer, as OpenAI's chat completions write it.

use serde_json::Value;

/// An answer's body as it comes: events of a stream, or one JSON document.
#[derive(Default)]
pub(super) struct Reply {
    pub(super) bytes: Vec<u8>,
    /// Start of the line that is not complete yet.
    line: usize,
    /// The text of the stream's events so far.
    pub(super) text: String,
    streamed: bool,
    ended: bool,
    fault: Option<Fault>,
}

#[derive(Debug, PartialEq)]
pub(super) enum Fault {
    /// The body cannot be read; with its beginning.
    Garbage(String),
    Empty,
    /// The endpoint's own words about an error in the middle of a stream.
    Complaint(String),
    BrokenOff,
}

impl Reply {
    /// Takes a piece of the body. Returns whether there is more text now.
    pub(super) fn push(&mut self, bytes: &[u8]) -> bool {
        let before = self.text.len();
        self.bytes.extend_from_slice(bytes);
        while let Some(length) = self.bytes[self.line..]
            .iter()
            .position(|&byte| byte == b'\n')
        {
            self.take_line(self.line + length);
        }
        self.text.len() > before
    }

    /// Reads the line up to `end`.
    fn take_line(&mut self, end: usize) {
        let line = String::from_utf8_lossy(&self.bytes[self.line..end]).into_owned();
        self.line = (end + 1).min(self.bytes.len());
        let Some(data) = line.strip_prefix("data:").map(str::trim) else {
            return;
        };
        self.streamed = true;
        if data == "[DONE]" {
            self.ended = true;
            return;
        }
        let Ok(event) = serde_json::from_str::<Value>(data) else {
            self.fault.get_or_insert(Fault::Garbage(data.to_owned()));
            return;
        };
        if let Some(words) = complaint(&event) {
            self.fault.get_or_insert(Fault::Complaint(words));
        }
        let choice = &event["choices"][0];
        self.text
            .push_str(choice["delta"]["content"].as_str().unwrap_or_default());
        self.ended |= choice["finish_reason"].is_string();
    }

    /// The answer, once all of it has come.
    pub(super) fn finish(mut self) -> Result<String, Fault> {
        if self.line < self.bytes.len() {
            self.take_line(self.bytes.len());
        }
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let text = if self.streamed {
            if !self.ended {
                return Err(Fault::BrokenOff);
            }
            self.text
        } else {
            let garbage = || Fault::Garbage(String::from_utf8_lossy(&self.bytes).into_owned());
            let whole: Value = serde_json::from_slice(&self.bytes).map_err(|_| garbage())?;
            let message = whole.pointer("/choices/0/message").ok_or_else(garbage)?;
            message["content"].as_str().unwrap_or_default().to_owned()
        };
        match text.trim() {
            "" => Err(Fault::Empty),
            text => Ok(text.to_owned()),
        }
    }

    /// The error that a body describes.
    pub(super) fn complaint(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        let value = serde_json::from_str::<Value>(&text).unwrap_or_default();
        complaint(&value).unwrap_or_else(|| {
            // A proxy's error page is not worth repeating.
            let page = text.trim_start().starts_with('<');
            if page {
                String::new()
            } else {
                text.into_owned()
            }
        })
    }
}

/// The text of an `error` object, in the shapes that endpoints use.
fn complaint(value: &Value) -> Option<String> {
    let error = value.get("error").filter(|error| !error.is_null())?;
    let words = error.get("message").unwrap_or(error);
    Some(
        words
            .as_str()
            .map_or_else(|| words.to_string(), str::to_owned),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&str]) -> Result<String, Fault> {
        let mut reply = Reply::default();
        for piece in pieces {
            reply.push(piece.as_bytes());
        }
        reply.finish()
    }

    #[test]
    fn answers_are_read_whole_and_as_streams() {
        let whole =
            r#"{"choices":[{"message":{"role":"assistant","content":" Mill Road [1]. "}}]}"#;
        assert_eq!(read(&[whole]).unwrap(), "Mill Road [1].");
        let stream = concat!(
            ": a comment\n\n",
            "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\r\n\r\n",
            "data:{\"choices\":[{\"delta\":{\"content\":\"Mühl\"}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{\"content\":\"weg\"},\"finish_reason\":\"stop\"}]}\n\n",
            "data: {\"choices\":[],\"usage\":{}}\n\ndata: [DONE]\n\n",
        );
        assert_eq!(read(&[stream]).unwrap(), "Mühlweg");
        // At every byte, also within a character.
        for cut in 0..stream.len() {
            let mut reply = Reply::default();
            reply.push(&stream.as_bytes()[..cut]);
            reply.push(&stream.as_bytes()[cut..]);
            assert_eq!(reply.finish().unwrap(), "Mühlweg", "cut at {cut}");
        }
    }

    #[test]
    fn what_is_no_answer_is_told_apart() {
        let event = r#"data: {"choices":[{"delta":{"content":"Mill"}}]}"#;
        assert_eq!(read(&[event]), Err(Fault::BrokenOff));
        let error = "data: {\"error\":{\"message\":\"overloaded\"}}\n\n";
        assert_eq!(read(&[error]), Err(Fault::Complaint("overloaded".into())));
        assert_eq!(
            read(&["data: {oops\n"]),
            Err(Fault::Garbage("{oops".into()))
        );
        for garbage in ["", "<html>", "{}", "[1]", r#"{"choices":[]}"#] {
            assert_eq!(read(&[garbage]), Err(Fault::Garbage(garbage.into())));
        }
        let null = r#"{"choices":[{"message":{"content":null}}]}"#;
        assert_eq!(read(&[null]), Err(Fault::Empty));
    }
}
