//! The kinds of tokenizers behind one type.

use super::byte_level::character_of;
use super::subword::Subword;
use super::training;
use super::unreadable::bad;
use lab_protocol::{ErrorCode, LabError, TokenizerKind, text};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// A tokenizer; token ids are dense, from 0.
#[derive(Clone, Debug, PartialEq)]
pub enum Tokenizer {
    /// One token for each character of `alphabet`, in that order.
    Character {
        alphabet: Vec<char>,
        ids: HashMap<char, u32>,
    },
    /// One token for each byte of UTF-8; the id is the byte.
    Byte,
    /// Pieces of words, e.g. from byte-pair encoding.
    Subword(Arc<Subword>),
}

impl Tokenizer {
    /// The tokenizer of this kind for texts: the characters that occur in them, in the order of their code points;
    /// all bytes; or byte pairs with at most `vocabulary` entries.
    pub fn train<T: AsRef<str>>(
        kind: TokenizerKind,
        vocabulary: usize,
        texts: impl IntoIterator<Item = T>,
    ) -> Result<Self, LabError> {
        match Self::train_with(kind, vocabulary, texts, |_, _| true)? {
            Some(tokenizer) => Ok(tokenizer),
            None => Err(LabError::internal(
                "a training that nobody stopped was stopped",
            )),
        }
    }

    /// [`Tokenizer::train`] that reports the merges made and the merges to make, and stops without a result when
    /// `progress` returns false.
    pub fn train_with<T: AsRef<str>>(
        kind: TokenizerKind,
        vocabulary: usize,
        texts: impl IntoIterator<Item = T>,
        progress: impl FnMut(usize, usize) -> bool,
    ) -> Result<Option<Self>, LabError> {
        match kind {
            TokenizerKind::Byte => Ok(Some(Self::Byte)),
            TokenizerKind::Character => {
                let mut alphabet = BTreeSet::new();
                for text in texts {
                    alphabet.extend(text.as_ref().chars());
                }
                Ok(Some(Self::character(alphabet.into_iter().collect())))
            }
            TokenizerKind::Bpe => training::train(vocabulary, texts, progress)?
                .map(|json| Self::from_json(&json))
                .transpose(),
        }
    }

    fn character(alphabet: Vec<char>) -> Self {
        let ids = alphabet
            .iter()
            .enumerate()
            .map(|(id, &c)| (c, id as u32))
            .collect();
        Self::Character { alphabet, ids }
    }

    pub fn vocabulary(&self) -> usize {
        match self {
            Self::Character { alphabet, .. } => alphabet.len(),
            Self::Byte => 256,
            Self::Subword(subword) => subword.vocabulary(),
        }
    }

    /// Token ids of a text. A character outside the alphabet is an error that names it.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, LabError> {
        match self {
            Self::Subword(subword) => subword.encode(text),
            Self::Byte => Ok(text.bytes().map(u32::from).collect()),
            Self::Character { ids, .. } => text
                .chars()
                .map(|c| {
                    ids.get(&c).copied().ok_or_else(|| {
                        LabError::new(
                            ErrorCode::InvalidData,
                            text!(
                                "the character {character} does not occur in the text that the tokenizer was made from",
                                character = format!("{c:?}"),
                            ),
                            "Leave it out, or train with the byte tokenizer, which knows every text.",
                        )
                    })
                })
                .collect(),
        }
    }

    /// Text of token ids. Bytes that are not UTF-8 (a model may write them) become U+FFFD; ids outside the vocabulary
    /// are left out.
    pub fn decode(&self, ids: &[u32]) -> String {
        match self {
            Self::Character { alphabet, .. } => ids
                .iter()
                .filter_map(|&id| alphabet.get(id as usize))
                .collect(),
            Self::Byte => {
                let bytes: Vec<u8> = ids.iter().filter_map(|&id| u8::try_from(id).ok()).collect();
                String::from_utf8_lossy(&bytes).into_owned()
            }
            Self::Subword(subword) => subword.decode(ids),
        }
    }

    /// The token that ends a text, if the vocabulary has one.
    pub fn end_of_text(&self) -> Option<u32> {
        match self {
            Self::Character { .. } | Self::Byte => None,
            Self::Subword(subword) => subword.end_of_text(),
        }
    }

    /// The token that ends an answer or a document: the end of text, else a new line if that is one token.
    pub fn end(&self) -> Option<u32> {
        let line = || match self.encode("\n").ok()?[..] {
            [id] => Some(id),
            _ => None,
        };
        self.end_of_text().or_else(line)
    }

    /// Documents one after the other, each with its [end](Tokenizer::end), so a model learns where a text ends.
    pub fn encode_documents<T: AsRef<str>>(&self, documents: &[T]) -> Result<Vec<u32>, LabError> {
        let end = self.end();
        let mut ids = Vec::new();
        for document in documents {
            ids.extend(self.encode(document.as_ref())?);
            ids.extend(end);
        }
        Ok(ids)
    }

    /// The token that begins every text, for models that were trained with one.
    pub fn begin_of_text(&self) -> Option<u32> {
        match self {
            Self::Character { .. } | Self::Byte => None,
            Self::Subword(subword) => subword.begin_of_text(),
        }
    }

    /// The tokens of a prompt, preceded by the token that begins every text, if there is one. A prompt that begins
    /// with that token (a chat template may write it) gets no second one.
    pub fn encode_prompt(&self, prompt: &str) -> Result<Vec<u32>, LabError> {
        let mut ids = self.encode(prompt)?;
        let begin = self.begin_of_text();
        if let Some(begin) = begin.filter(|begin| ids.first() != Some(begin)) {
            ids.insert(0, begin);
        }
        Ok(ids)
    }

    /// The tokenizer with these tokens as begin and end of a text, if it has them.
    pub fn between(self, begin: Option<u32>, end: Option<u32>) -> Self {
        let Self::Subword(shared) = self else {
            return self;
        };
        match Arc::try_unwrap(shared) {
            Ok(subword) => Self::Subword(Arc::new(subword.between(begin, end))),
            Err(shared) => Self::Subword(shared),
        }
    }

    /// The id of a vocabulary entry or special token, written as in `tokenizer.json`.
    pub fn id_of(&self, token: &str) -> Option<u32> {
        match self {
            Self::Subword(subword) => subword.id_of(token),
            Self::Character { .. } | Self::Byte => None,
        }
    }

    /// The text of one token, part of a character as U+FFFD; empty for an id outside the vocabulary.
    pub fn token_text(&self, id: u32) -> String {
        match self {
            Self::Subword(subword) => subword.token_text(id),
            Self::Character { .. } | Self::Byte => self.decode(&[id]),
        }
    }

    /// The bytes of a token, independent of its position; `None` in a vocabulary in which they depend on the tokens
    /// before.
    pub fn token_bytes(&self, id: u32) -> Option<Vec<u8>> {
        match self {
            Self::Character { .. } => Some(self.decode(&[id]).into_bytes()),
            Self::Byte => Some(u8::try_from(id).into_iter().collect()),
            Self::Subword(subword) => subword.bytes(id).map(<[u8]>::to_vec),
        }
    }

    /// Number of UTF-8 bytes of a token, which converts nats a token into bits a byte. Special tokens have none.
    pub fn bytes_of(&self, id: u32) -> usize {
        match self {
            Self::Character { alphabet, .. } => {
                alphabet.get(id as usize).map_or(0, |c| c.len_utf8())
            }
            Self::Byte => 1,
            Self::Subword(subword) => subword.bytes_of(id),
        }
    }

    /// The tokenizer as a `tokenizer.json` for the `tokenizers` library.
    pub fn to_json(&self) -> Value {
        let (pre_tokenizer, decoder, model) = match self {
            // It was JSON when it was read, so it parses.
            Self::Subword(subword) => {
                return serde_json::from_str(subword.json()).unwrap_or_default();
            }
            Self::Character { alphabet, .. } => (
                json!({"type": "Split", "pattern": {"Regex": "[\\s\\S]"}, "behavior": "Isolated", "invert": false}),
                json!({"type": "Fuse"}),
                json!({
                    "type": "WordLevel",
                    "vocab": alphabet.iter().enumerate().map(|(id, c)| (c.to_string(), json!(id))).collect::<serde_json::Map<_, _>>(),
                    "unk_token": ""
                }),
            ),
            Self::Byte => (
                json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}),
                json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}),
                json!({
                    "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                    "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
                    "vocab": (0..=255u8).map(|b| (character_of(b).to_string(), json!(b))).collect::<serde_json::Map<_, _>>(),
                    "merges": []
                }),
            ),
        };
        json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
            "pre_tokenizer": pre_tokenizer, "post_processor": null, "decoder": decoder, "model": model
        })
    }

    /// Reads a `tokenizer.json` from [`Tokenizer::to_json`] or another program.
    pub fn from_json(value: &Value) -> Result<Self, LabError> {
        let model = &value["model"];
        // A vocabulary may also be a list (Unigram), which only the library reads.
        let none = serde_json::Map::new();
        let vocab = model["vocab"].as_object().unwrap_or(&none);
        let plain = value["added_tokens"].as_array().is_none_or(Vec::is_empty);
        match model["type"].as_str() {
            Some("BPE") if plain && is_bytes(vocab) && no_entries(&model["merges"]) => {
                Ok(Self::Byte)
            }
            Some("WordLevel")
                if plain && vocab.keys().all(|text| text.chars().nth(1).is_none()) =>
            {
                let mut alphabet = vec![None; vocab.len()];
                for (text, id) in vocab {
                    let mut chars = text.chars();
                    let (Some(c), None) = (chars.next(), chars.next()) else {
                        return Err(bad(text!(
                            "the tokenizer cannot be read: {entry} is not one character",
                            entry = format!("{text:?}")
                        )));
                    };
                    let slot = id.as_u64().and_then(|id| alphabet.get_mut(id as usize));
                    *slot.ok_or_else(|| {
                        bad(text!(
                            "the tokenizer cannot be read: {entry} has an id beyond the vocabulary",
                            entry = format!("{text:?}")
                        ))
                    })? = Some(c);
                }
                let alphabet: Option<Vec<char>> = alphabet.into_iter().collect();
                Ok(Self::character(alphabet.ok_or_else(|| {
                    bad("the tokenizer cannot be read: two characters share an id")
                })?))
            }
            _ => Ok(Self::Subword(Arc::new(Subword::new(value)?))),
        }
    }
}

/// Whether a vocabulary has each byte as its own id and nothing else.
fn is_bytes(vocab: &serde_json::Map<String, Value>) -> bool {
    vocab.len() == 256
        && (0..=u8::MAX).all(|byte| {
            vocab.get(character_of(byte).encode_utf8(&mut [0; 4])) == Some(&json!(byte))
        })
}

fn no_entries(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}
