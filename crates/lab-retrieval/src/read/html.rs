//! The text of an HTML page: tags gone, entities decoded, blocks on lines of their own, headings as in
//! Markdown so that chunks can be cut along them.

use html5gum::emitters::default::DefaultEmitter;
use html5gum::{Token, Tokenizer};

/// Elements that begin and end a line.
const BLOCKS: [&str; 32] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "br",
    "dd",
    "details",
    "dialog",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "header",
    "hr",
    "li",
    "main",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "tbody",
    "thead",
    "tr",
    "ul",
];
/// Elements whose content is not shown.
const SILENT: [&str; 7] = [
    "script", "style", "template", "noscript", "svg", "iframe", "head",
];

/// The title, if there is one, and the text.
pub fn html_to_text(html: &str) -> (Option<String>, String) {
    let mut page = Page::default();
    // So that the content of script and style is not taken for tags.
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    for Ok(token) in Tokenizer::new_with_emitter(html, emitter) {
        match token {
            Token::StartTag(tag) => page.open(&name(&tag.name), tag.self_closing),
            Token::EndTag(tag) => page.close(&name(&tag.name)),
            Token::String(text) => page.text(&String::from_utf8_lossy(&text)),
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    let title = page.title.split_whitespace().collect::<Vec<_>>().join(" ");
    (
        Some(title).filter(|title| !title.is_empty()),
        page.content.trim().to_owned(),
    )
}

fn name(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).to_ascii_lowercase()
}

#[derive(Default)]
struct Page {
    title: String,
    content: String,
    in_title: bool,
    /// The open silent element, and the number of elements of its name within it.
    silent: Option<(String, usize)>,
    preformatted: usize,
    /// White space was seen that a next word must be kept apart by.
    space: bool,
}

impl Page {
    fn open(&mut self, tag: &str, self_closing: bool) {
        if tag == "title" {
            self.in_title = true;
        }
        // A body begins even if the head was not closed.
        if tag == "body" {
            self.silent = None;
        }
        if let Some((open, depth)) = &mut self.silent {
            *depth += usize::from(open == tag && !self_closing);
            return;
        }
        if SILENT.contains(&tag) && !self_closing {
            self.silent = Some((tag.to_owned(), 1));
            return;
        }
        match heading(tag) {
            Some(level) => {
                self.paragraph();
                self.content.push_str(&"#".repeat(level));
                self.space = true;
            }
            None if tag == "p" => self.paragraph(),
            None if BLOCKS.contains(&tag) => self.line(),
            None if tag == "td" || tag == "th" => self.space = true,
            None => {}
        }
        self.preformatted += usize::from(tag == "pre" && !self_closing);
    }

    fn close(&mut self, tag: &str) {
        if tag == "title" {
            self.in_title = false;
        }
        if let Some((open, depth)) = &mut self.silent {
            *depth -= usize::from(open == tag);
            if *depth == 0 {
                self.silent = None;
            }
            return;
        }
        if tag == "pre" {
            self.preformatted = self.preformatted.saturating_sub(1);
        }
        if heading(tag).is_some() || tag == "p" {
            self.paragraph();
        } else if BLOCKS.contains(&tag) {
            self.line();
        }
    }

    fn text(&mut self, text: &str) {
        if self.in_title {
            self.title.push_str(text);
        } else if self.silent.is_some() {
        } else if self.preformatted > 0 {
            self.content.push_str(text);
        } else {
            for character in text.chars() {
                if character.is_whitespace() {
                    self.space = true;
                    continue;
                }
                if std::mem::take(&mut self.space)
                    && !self.content.is_empty()
                    && !self.content.ends_with('\n')
                {
                    self.content.push(' ');
                }
                self.content.push(character);
            }
        }
    }

    /// Ends the line, if something is on it.
    fn line(&mut self) {
        self.space = false;
        if !self.content.is_empty() && !self.content.ends_with('\n') {
            self.content.push('\n');
        }
    }

    /// Ends the line and leaves an empty one.
    fn paragraph(&mut self) {
        self.line();
        if !self.content.is_empty() && !self.content.ends_with("\n\n") {
            self.content.push('\n');
        }
    }
}

fn heading(tag: &str) -> Option<usize> {
    let level = tag.strip_prefix('h')?.parse().ok()?;
    (1..=6).contains(&level).then_some(level)
}
