//! GPT-2's pre-tokenization: a text cut into words with the space before them, numbers, punctuation and
//! space (Radford et al. 2019).

use regex::Regex;
use std::sync::LazyLock;

/// GPT-2's pattern without its look-ahead, `\s+(?!\S)`, which [`pieces`] does by hand.
static PIECE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+").ok()
});

/// The pieces of a text, which make up the whole of it. Byte pairs are merged within a piece only.
pub fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = &text[start..];
        let length = PIECE.as_ref()?.find(rest)?.end();
        let mut piece = &rest[..length];
        // Space before a word leaves its last character to the word.
        if length < rest.len()
            && piece.chars().all(char::is_whitespace)
            && let Some((last, _)) = piece.char_indices().next_back()
            && last > 0
        {
            piece = &rest[..last];
        }
        start += piece.len();
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokenizers::pre_tokenizers::byte_level::ByteLevel;
    use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

    #[test]
    fn a_sentence_is_cut_as_gpt2_cuts_it() {
        let found: Vec<&str> = pieces("I've  4 cats,\n\n and  'llamas'  ").collect();
        let expected = [
            "I", "'ve", " ", " 4", " cats", ",", "\n\n", " and", " ", " '", "llamas", "'", "  ",
        ];
        assert_eq!(found, expected);
    }

    proptest! {
        #[test]
        fn pieces_are_those_of_the_library(text in "[a-zé0-9 '\\n\\t,.!\u{a0}\u{3000}日🦀stvemld]{0,60}") {
            let mut library = PreTokenizedString::from(text.as_str());
            ByteLevel::new(false, true, true).pre_tokenize(&mut library).unwrap();
            let expected: Vec<&str> = library
                .get_splits(OffsetReferential::Original, OffsetType::Byte)
                .into_iter()
                .map(|(_, (start, end), _)| &text[start..end])
                .filter(|piece| !piece.is_empty())
                .collect();
            prop_assert_eq!(pieces(&text).collect::<Vec<_>>(), expected);
        }
    }
}
