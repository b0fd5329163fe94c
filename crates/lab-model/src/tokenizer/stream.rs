//! Generated text token by token, never half a character.

use super::kinds::Tokenizer;

/// Turns tokens into text as they come. All pieces together equal [`Tokenizer::decode`] of all tokens.
#[derive(Clone, Debug, Default)]
pub struct TextStream {
    /// Bytes of a character that is not complete yet.
    pending: Vec<u8>,
    /// For vocabularies whose tokens have no bytes of their own: the tokens of the text returned last and the tokens
    /// after them.
    ids: Vec<u32>,
    /// Number of these tokens, and of the bytes of their text, that have been returned.
    given_ids: usize,
    given: usize,
}

/// Number of tokens after which text that looks incomplete is returned unchanged.
const MAX_TOKENS_OF_A_CHARACTER: usize = 8;

impl TextStream {
    /// The text that a token completes; empty while a character is incomplete.
    pub fn push(&mut self, tokenizer: &Tokenizer, id: u32) -> String {
        match tokenizer.token_bytes(id) {
            Some(bytes) => {
                self.pending.extend_from_slice(&bytes);
                self.take_whole()
            }
            None => self.push_decoded(tokenizer, id),
        }
    }

    /// The text that is left at the end, an incomplete character as U+FFFD.
    pub fn finish(self, tokenizer: &Tokenizer) -> String {
        if self.ids.is_empty() {
            return String::from_utf8_lossy(&self.pending).into_owned();
        }
        let text = tokenizer.decode(&self.ids);
        text.get(self.given..).unwrap_or_default().to_owned()
    }

    fn take_whole(&mut self) -> String {
        let mut text = String::new();
        let mut used = 0;
        let mut chunks = self.pending.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            text.push_str(chunk.valid());
            used += chunk.valid().len();
            let invalid = chunk.invalid();
            // At the end it may be the beginning of a character.
            let unfinished = chunks.peek().is_none()
                && std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
            if unfinished {
                break;
            }
            if !invalid.is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
                used += invalid.len();
            }
        }
        self.pending.drain(..used);
        text
    }

    /// Decodes with the tokens returned last before them, since such a vocabulary treats the first word of a text and
    /// the bytes of a character specially, and returns the added text.
    fn push_decoded(&mut self, tokenizer: &Tokenizer, id: u32) -> String {
        self.ids.push(id);
        let text = tokenizer.decode(&self.ids);
        let new = text.get(self.given..).unwrap_or_default();
        let incomplete = new.ends_with(char::REPLACEMENT_CHARACTER);
        let waiting = self.ids.len() - self.given_ids;
        if new.is_empty() || (incomplete && waiting < MAX_TOKENS_OF_A_CHARACTER) {
            return String::new();
        }
        let new = new.to_owned();
        self.ids.drain(..self.given_ids);
        self.given_ids = self.ids.len();
        self.given = tokenizer.decode(&self.ids).len();
        new
    }
}
