//! A question with its passages as one text, by a template.

use lab_protocol::fill;
use lab_retrieval::Passage;

/// The passages with their numbers, and the question; `template` may be empty.
pub(crate) fn numbered(question: &str, passages: &[Passage], template: &str) -> String {
    let numbered: Vec<String> = (1..)
        .zip(passages)
        .map(|(number, passage)| format!("[{number}] {}", passage.chunk.text))
        .collect();
    let template = match (template, passages.is_empty()) {
        ("", true) => "Question: {question}",
        ("", false) => "{passages}\n\nQuestion: {question}",
        (template, _) => template,
    };
    filled(template, &numbered.join("\n\n"), question)
}

/// A template with `passages` and `question` in the places of these names.
pub(crate) fn filled(template: &str, passages: &str, question: &str) -> String {
    let arguments = [("passages", passages), ("question", question)];
    let arguments = arguments.map(|(name, text)| (name.to_owned(), text.to_owned()));
    fill(template, &arguments.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_once() {
        let template = "{Read} this:\n{passages}\n\nQ: {question}\nA {";
        let text = filled(template, "a {question} b", "why {passages}?");
        assert_eq!(
            text,
            "{Read} this:\na {question} b\n\nQ: why {passages}?\nA {"
        );
    }
}
