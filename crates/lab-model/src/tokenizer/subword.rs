//! Tokenizers of pieces of words, as a Hugging Face `tokenizer.json` describes them.

use super::byte_level;
use super::limits::{check_merges, check_normalizer, check_patterns};
use super::training::END_OF_TEXT;
use super::unreadable::bad;
use lab_protocol::{ErrorCode, LabError, text};
use serde_json::Value;
use std::collections::HashMap;
use std::fmt;

/// Maximum number of entries of a vocabulary; the largest published ones have a quarter of it.
const MAX_VOCABULARY: usize = 1 << 20;
/// Names of the end of a text in published vocabularies, the surest first.
const ENDS_OF_TEXT: [&str; 8] = [
    END_OF_TEXT,
    "<|end_of_text|>",
    "</s>",
    "<|im_end|>",
    "<eos>",
    "<|eot_id|>",
    "[EOS]",
    "<|end|>",
];
/// Bytes of a text that the library gets at once: it keeps many numbers for each.
const CHUNK: usize = 1 << 14;

/// A tokenizer that the `tokenizers` library runs.
pub struct Subword {
    library: tokenizers::Tokenizer,
    /// The description that it was made from, to write it unchanged.
    json: String,
    vocabulary: usize,
    end_of_text: Option<u32>,
    /// The token that begins every text, for models that were trained with one.
    begin_of_text: Option<u32>,
    /// The bytes of each token, in a vocabulary of bytes; without them only whole texts have a meaning.
    bytes: Option<HashMap<u32, Box<[u8]>>>,
    /// Special tokens, which have no text.
    special: Vec<u32>,
    /// Whether a long text may be cut before a space without changing its tokens.
    divisible: bool,
}

impl Subword {
    /// Reads a `tokenizer.json`.
    pub fn new(value: &Value) -> Result<Self, LabError> {
        check_merges(&value["model"])?;
        check_patterns(value)?;
        let json = value.to_string();
        let library = json.parse::<tokenizers::Tokenizer>();
        let mut library =
            library.map_err(|error| bad(text!("the tokenizer cannot be read: {error}", error)))?;
        // In the library's reading: it guesses the type of a part that states none.
        let normalizer = serde_json::to_value(library.get_normalizer())
            .map_err(|error| bad(text!("the tokenizer cannot be read: {error}", error)))?;
        check_normalizer(&normalizer)?;
        // Texts are neither truncated nor padded.
        library
            .with_truncation(None)
            .map_err(|error| bad(text!("the tokenizer cannot be read: {error}", error)))?;
        library.with_padding(None);
        // The library would keep its cache of words until the thread ends, even when the tokenizer is gone; encoding
        // is not slower without it.
        let mut model = library.get_model().clone();
        model.resize_cache(0);
        library.with_model(model);
        let entries = library.get_vocab(true);
        let vocabulary = entries.values().max().map_or(0, |&id| id as usize + 1);
        if vocabulary == 0 {
            return Err(bad("the tokenizer cannot be read: its vocabulary is empty"));
        }
        if vocabulary > MAX_VOCABULARY {
            return Err(bad(text!(
                "the tokenizer cannot be read: a token has the id {id}",
                id = vocabulary - 1
            )));
        }
        let mut special: Vec<u32> = library
            .get_added_tokens_decoder()
            .into_iter()
            .filter(|(_, token)| token.special)
            .map(|(id, _)| id)
            .collect();
        special.sort_unstable();
        let end_of_text = ENDS_OF_TEXT
            .iter()
            .find_map(|name| entries.get(*name).copied());
        // By id, because a file may give a token any id: a list up to the highest could be far larger than the file.
        let bytes = is_byte_level(&value["decoder"]).then(|| {
            let entries = entries.iter();
            entries
                .map(|(text, &id)| (id, bytes_of_entry(text)))
                .collect()
        });
        Ok(Self {
            divisible: is_divisible(value),
            library,
            json,
            vocabulary,
            end_of_text,
            begin_of_text: None,
            bytes,
            special,
        })
    }

    pub fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    pub fn end_of_text(&self) -> Option<u32> {
        self.end_of_text
    }

    pub fn begin_of_text(&self) -> Option<u32> {
        self.begin_of_text
    }

    /// The same with these tokens as begin and end of a text, if the vocabulary has them.
    pub fn between(self, begin: Option<u32>, end: Option<u32>) -> Self {
        let known = |id: &u32| (*id as usize) < self.vocabulary;
        Self {
            begin_of_text: begin.filter(known).or(self.begin_of_text),
            end_of_text: end.filter(known).or(self.end_of_text),
            ..self
        }
    }

    pub fn id_of(&self, token: &str) -> Option<u32> {
        self.library.token_to_id(token)
    }

    pub fn json(&self) -> &str {
        &self.json
    }

    pub fn is_special(&self, id: u32) -> bool {
        self.special.binary_search(&id).is_ok()
    }

    /// The bytes of a token in a vocabulary of bytes; `None` in others.
    pub fn bytes(&self, id: u32) -> Option<&[u8]> {
        Some(self.bytes.as_ref()?.get(&id).map_or(&[], |b| b))
    }

    pub fn encode(&self, text: &str) -> Result<Vec<u32>, LabError> {
        let mut ids = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (chunk, later) = rest.split_at(self.chunk(rest));
            let encoding = self.library.encode_fast(chunk, false).map_err(|error| {
                LabError::new(
                    ErrorCode::InvalidData,
                    text!("the tokenizer cannot read the text: {error}", error),
                    "Use another text, or the tokenizer of another model.",
                )
            })?;
            ids.extend_from_slice(encoding.get_ids());
            rest = later;
        }
        Ok(ids)
    }

    /// Length of the text that goes to the library at once: up to a space after a letter.
    fn chunk(&self, text: &str) -> usize {
        if !self.divisible {
            return text.len();
        }
        let bytes = text.as_bytes();
        (CHUNK..bytes.len())
            .find(|&place| bytes[place] == b' ' && bytes[place - 1].is_ascii_alphabetic())
            .unwrap_or(bytes.len())
    }

    pub fn decode(&self, ids: &[u32]) -> String {
        match &self.bytes {
            Some(bytes) => {
                let all: Vec<u8> = ids
                    .iter()
                    .filter_map(|id| bytes.get(id))
                    .flat_map(|bytes| bytes.iter().copied())
                    .collect();
                String::from_utf8_lossy(&all).into_owned()
            }
            // The library leaves out ids that the vocabulary does not have.
            None => self.library.decode(ids, false).unwrap_or_default(),
        }
    }

    /// The text of one token. A sign that stands for a space (SentencePiece) is shown as a space, which
    /// [`Subword::decode`] leaves out before the first word.
    pub fn token_text(&self, id: u32) -> String {
        if self.bytes.is_some() {
            return self.decode(&[id]);
        }
        match self.library.id_to_token(id) {
            Some(text) => text.replace('\u{2581}', " "),
            None => String::new(),
        }
    }

    pub fn bytes_of(&self, id: u32) -> usize {
        if self.is_special(id) {
            return 0;
        }
        match self.bytes(id) {
            Some(bytes) => bytes.len(),
            None => {
                let text = self.token_text(id);
                let is_byte = text.len() == 6 && text.starts_with("<0x") && text.ends_with('>');
                if is_byte { 1 } else { text.len() }
            }
        }
    }
}

impl PartialEq for Subword {
    fn eq(&self, other: &Self) -> bool {
        self.json == other.json
    }
}

impl fmt::Debug for Subword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subword({} entries)", self.vocabulary)
    }
}

/// Whether a decoder turns characters into bytes, as GPT-2's does.
fn is_byte_level(decoder: &Value) -> bool {
    decoder["type"] == "ByteLevel"
}

/// An entry of a byte-level vocabulary as bytes. Special tokens are written as plain text, which may have
/// characters that stand for no byte.
fn bytes_of_entry(text: &str) -> Box<[u8]> {
    let bytes: Option<Box<[u8]>> = text.chars().map(byte_level::byte_of).collect();
    bytes.unwrap_or_else(|| text.as_bytes().into())
}

/// Whether a tokenizer cuts at spaces in GPT-2's way and has no token with a space in it.
fn is_divisible(value: &Value) -> bool {
    let gpt2 = |step: &Value| step["type"] == "ByteLevel" && step["use_regex"] != false;
    let step = &value["pre_tokenizer"];
    let steps = step["pretokenizers"].as_array();
    let cuts = match steps {
        Some(steps) => {
            let last = steps.len().saturating_sub(1);
            steps.iter().enumerate().all(|(i, step)| {
                (i < last && step["type"] == "Digits") || (i == last && gpt2(step))
            })
        }
        None => gpt2(step),
    };
    let prefixed = |step: &Value| step["add_prefix_space"] == true;
    let added = value["added_tokens"].as_array();
    let plain = added.is_none_or(|tokens| {
        tokens.iter().all(|token| {
            let spaced = token["content"].as_str().is_none_or(|t| t.contains(' '));
            !spaced && token["lstrip"] != true && token["rstrip"] != true
        })
    });
    cuts && plain
        && value["normalizer"].is_null()
        && !prefixed(step)
        && !steps.is_some_and(|steps| steps.iter().any(prefixed))
}
