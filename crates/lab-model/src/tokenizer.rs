//! Text to tokens and back. Both kinds are written as an ordinary Hugging Face `tokenizer.json`.

use lab_protocol::{ErrorCode, LabError, TokenizerKind};
use serde_json::{Value, json};
use std::collections::HashMap;

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
}

impl Tokenizer {
    /// The tokenizer of this kind for a text: the characters that occur in it, in the order of their
    /// code points, or all bytes.
    pub fn for_text(kind: TokenizerKind, text: &str) -> Self {
        match kind {
            TokenizerKind::Byte => Self::Byte,
            TokenizerKind::Character => {
                let mut alphabet: Vec<char> = text
                    .chars()
                    .collect::<std::collections::HashSet<_>>()
                    .into_iter()
                    .collect();
                alphabet.sort_unstable();
                Self::character(alphabet)
            }
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
        }
    }

    /// Token ids of a text. A character outside the alphabet is an error that names it.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, LabError> {
        match self {
            Self::Byte => Ok(text.bytes().map(u32::from).collect()),
            Self::Character { ids, .. } => text
                .chars()
                .map(|c| {
                    ids.get(&c).copied().ok_or_else(|| {
                        LabError::new(
                            ErrorCode::InvalidData,
                            format!("the character {c:?} does not occur in the text that the tokenizer was made from"),
                            "Leave it out, or train with the byte tokenizer, which knows every text.",
                        )
                    })
                })
                .collect(),
        }
    }

    /// Text of token ids. Bytes that are not UTF-8 (a model may write such) become U+FFFD; ids outside
    /// the vocabulary are left out.
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
        }
    }

    /// Bytes of UTF-8 that a token stands for: what turns nats a token into bits a byte.
    pub fn bytes_of(&self, id: u32) -> usize {
        match self {
            Self::Character { alphabet, .. } => {
                alphabet.get(id as usize).map_or(0, |c| c.len_utf8())
            }
            Self::Byte => 1,
        }
    }

    /// `tokenizer.json` as the `tokenizers` library reads it.
    pub fn to_json(&self) -> Value {
        let (pre_tokenizer, decoder, model) = match self {
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
                    "vocab": (0..=255u8).map(|b| (byte_level_char(b).to_string(), json!(b))).collect::<serde_json::Map<_, _>>(),
                    "merges": []
                }),
            ),
        };
        json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
            "pre_tokenizer": pre_tokenizer, "post_processor": null, "decoder": decoder, "model": model
        })
    }

    /// Reads what [`Tokenizer::to_json`] wrote.
    pub fn from_json(value: &Value) -> Result<Self, LabError> {
        let bad = |what: &str| {
            LabError::new(
                ErrorCode::InvalidCheckpoint,
                format!("the tokenizer cannot be read: {what}"),
                "Use the tokenizer.json that was written with the model.",
            )
        };
        let model = &value["model"];
        let vocab = model["vocab"]
            .as_object()
            .ok_or_else(|| bad("it has no vocabulary"))?;
        match model["type"].as_str() {
            Some("BPE")
                if vocab.len() == 256 && model["merges"].as_array().is_some_and(Vec::is_empty) =>
            {
                Ok(Self::Byte)
            }
            Some("WordLevel") => {
                let mut alphabet = vec![None; vocab.len()];
                for (text, id) in vocab {
                    let mut chars = text.chars();
                    let (Some(c), None) = (chars.next(), chars.next()) else {
                        return Err(bad(&format!("{text:?} is not one character")));
                    };
                    let slot = id.as_u64().and_then(|id| alphabet.get_mut(id as usize));
                    *slot.ok_or_else(|| {
                        bad(&format!("{text:?} has an id beyond the vocabulary"))
                    })? = Some(c);
                }
                let alphabet: Option<Vec<char>> = alphabet.into_iter().collect();
                Ok(Self::character(
                    alphabet.ok_or_else(|| bad("two characters share an id"))?,
                ))
            }
            _ => Err(bad("it is neither of characters nor of bytes")),
        }
    }
}

/// The printable character that stands for a byte in byte-level vocabularies (GPT-2): itself where it
/// is printable, else the n-th character after U+0100 for the n-th byte that is not.
fn byte_level_char(byte: u8) -> char {
    let printable = |b: u8| matches!(b, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    if printable(byte) {
        return char::from(byte);
    }
    let rank = (0..byte).filter(|&b| !printable(b)).count() as u32;
    char::from_u32(0x100 + rank).unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn byte_level_characters_are_those_of_gpt2() {
        assert_eq!(byte_level_char(b' '), 'Ġ');
        assert_eq!(byte_level_char(b'\n'), 'Ċ');
        assert_eq!(byte_level_char(0xAD), 'Ń');
        let all: std::collections::HashSet<char> = (0..=255).map(byte_level_char).collect();
        assert_eq!(all.len(), 256);
    }

    #[test]
    fn an_unknown_character_is_named() {
        let error = Tokenizer::for_text(TokenizerKind::Character, "ab")
            .encode("aéb")
            .unwrap_err();
        assert!(error.message.contains("'é'"), "{error}");
    }

    proptest! {
        #[test]
        fn any_text_round_trips(text in "\\PC{0,40}[\\n\\t🦀é]{0,3}") {
            for kind in [TokenizerKind::Character, TokenizerKind::Byte] {
                let tokenizer = Tokenizer::for_text(kind, &text);
                let ids = tokenizer.encode(&text).unwrap();
                prop_assert!(ids.iter().all(|&id| (id as usize) < tokenizer.vocabulary()));
                prop_assert_eq!(&tokenizer.decode(&ids), &text);
                prop_assert_eq!(ids.iter().map(|&id| tokenizer.bytes_of(id)).sum::<usize>(), text.len());
                if !text.is_empty() {
                    prop_assert_eq!(Tokenizer::from_json(&tokenizer.to_json()).unwrap(), tokenizer);
                }
            }
        }
    }
}
