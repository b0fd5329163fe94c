//! One file becomes one or more documents, by its format.

use super::html::html_to_text;
use super::{pdf, tables};
use lab_protocol::{ErrorCode, LabError, Metadata, RagDocument, text};

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    Markdown,
    Html,
    /// One JSON object a line, with `text` or `content`, and `id` or `_id`.
    Jsonl,
    /// A table with a header; a column is called `text` or `content`.
    Csv,
    /// The text layer, page by page. Pictures of text are not read.
    Pdf,
}

impl Format {
    /// The format by the extension of a file's name; text for an unknown one.
    pub fn of(name: &str) -> Self {
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        match ending.to_ascii_lowercase().as_str() {
            "md" | "markdown" => Self::Markdown,
            "html" | "htm" | "xhtml" => Self::Html,
            "jsonl" | "ndjson" => Self::Jsonl,
            "csv" => Self::Csv,
            "pdf" => Self::Pdf,
            _ => Self::Text,
        }
    }
}

/// The documents of a file. Text, Markdown, HTML and PDF are one document whose id is the file's name; a line of
/// JSONL or a row of CSV without an id has the file's name and its number, from 1.
pub fn read(name: &str, bytes: &[u8], format: Format) -> Result<Vec<RagDocument>, LabError> {
    let documents = match format {
        Format::Text | Format::Markdown => vec![one(name, utf8(name, bytes)?.to_owned(), None)],
        Format::Html => {
            let (title, content) = html_to_text(utf8(name, bytes)?);
            vec![one(name, content, title)]
        }
        Format::Jsonl => tables::jsonl(name, utf8(name, bytes)?)?,
        Format::Csv => tables::csv(name, utf8(name, bytes)?)?,
        Format::Pdf => vec![one(name, pdf::text(name, bytes)?, None)],
    };
    Ok(documents)
}

fn one(name: &str, content: String, title: Option<String>) -> RagDocument {
    let mut metadata = Metadata::new();
    metadata.insert("source".into(), name.into());
    if let Some(title) = title {
        metadata.insert("title".into(), title.into());
    }
    RagDocument {
        id: name.to_owned(),
        content,
        metadata,
    }
}

fn utf8<'a>(name: &str, bytes: &'a [u8]) -> Result<&'a str, LabError> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        LabError::new(
            ErrorCode::InvalidUtf8,
            text!(
                "{file} is not UTF-8: byte {byte} begins no valid character",
                file = name,
                byte = error.valid_up_to()
            ),
            "Save the file as UTF-8 text.",
        )
        .at("documents")
    })
}
