//! The text layer of a PDF file.

use super::error::invalid;
use lab_protocol::{LabError, text};

#[cfg(feature = "pdf")]
pub fn text(name: &str, bytes: &[u8]) -> Result<String, LabError> {
    use lopdf::Document;
    let broken = |error: lopdf::Error| {
        invalid(
            text!(
                "{file}: the PDF file cannot be read: {error}",
                file = name,
                error
            ),
            "Open it in a viewer and save it again, or give its text.",
        )
    };
    let document = Document::load_mem(bytes).map_err(broken)?;
    if document.is_encrypted() {
        return Err(invalid(
            text!("{file}: the PDF file is encrypted", file = name),
            "Save it without a password, or give its text.",
        ));
    }
    let mut pages = Vec::new();
    for page in document.get_pages().into_keys() {
        let text = document.extract_text(&[page]).map_err(broken)?;
        pages.push(text.trim().to_owned());
    }
    let text = pages.join("\n\n");
    if text.trim().is_empty() {
        return Err(invalid(
            text!(
                "{file}: the PDF file has no text layer: its pages are pictures",
                file = name
            ),
            "Have its text recognised by another program first.",
        ));
    }
    Ok(text)
}

#[cfg(not(feature = "pdf"))]
pub fn text(name: &str, _: &[u8]) -> Result<String, LabError> {
    Err(invalid(
        text!(
            "{file}: this program was built without the reader of PDF files",
            file = name
        ),
        "Give its text, or build with the feature `pdf`.",
    ))
}
