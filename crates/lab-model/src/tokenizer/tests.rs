//! Tokenizers of all kinds.

use super::{END_OF_TEXT, TextStream, Tokenizer};
use lab_protocol::TokenizerKind;
use proptest::prelude::*;
use serde_json::json;

#[test]
fn an_unknown_character_is_named() {
    let error = Tokenizer::train(TokenizerKind::Character, 0, ["ab"])
        .unwrap()
        .encode("aéb")
        .unwrap_err();
    assert!(error.message.contains("'é'"), "{error}");
}

proptest! {
    #[test]
    fn any_text_round_trips(text in "\\PC{0,40}[\\n\\t🦀é]{0,3}") {
        for kind in [TokenizerKind::Character, TokenizerKind::Byte, TokenizerKind::Bpe] {
            let tokenizer = Tokenizer::train(kind, 260, [&text]).unwrap();
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

/// A tokenizer with signs for spaces and bytes for unknown characters, as SentencePiece makes them.
fn with_signs_for_spaces() -> Tokenizer {
    let mut vocab = json!({"<unk>": 0, "</s>": 1, "\u{2581}": 2, "\u{2581}a": 3, "a": 4, "b": 5});
    for byte in 0..=u8::MAX {
        vocab[format!("<0x{byte:02X}>")] = json!(6 + u32::from(byte));
    }
    let json = json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "post_processor": null,
        "added_tokens": [{"id": 1, "content": "</s>", "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true}],
        "pre_tokenizer": {"type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": "first", "split": false},
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "\u{2581}"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
            "vocab": vocab, "merges": ["\u{2581} a"]}
    });
    Tokenizer::from_json(&json).unwrap()
}

#[test]
fn special_tokens_are_known_and_stand_for_no_text() {
    let trained = Tokenizer::train(TokenizerKind::Bpe, 300, ["a few words"]).unwrap();
    let end = trained.end_of_text().unwrap();
    assert_eq!(trained.id_of(END_OF_TEXT), Some(end));
    assert_eq!(trained.bytes_of(end), 0);
    let ids = trained.encode(&format!("few{END_OF_TEXT}words")).unwrap();
    assert_eq!(ids.iter().filter(|&&id| id == end).count(), 1);
    assert_eq!(trained.decode(&ids), format!("few{END_OF_TEXT}words"));
    assert_eq!(with_signs_for_spaces().end_of_text(), Some(1));
    assert_eq!(Tokenizer::Byte.end_of_text(), None);
}

#[test]
fn a_long_text_is_encoded_in_parts_as_it_is_whole() {
    let text = "Some words, \n\n and  more of them; 42 \u{1F980}s. ".repeat(2_000);
    let tokenizer = Tokenizer::train(TokenizerKind::Bpe, 320, [&text]).unwrap();
    let library: tokenizers::Tokenizer = tokenizer.to_json().to_string().parse().unwrap();
    let whole = library.encode_fast(text.as_str(), false).unwrap();
    assert!(text.len() > 64 << 10);
    assert_eq!(tokenizer.encode(&text).unwrap(), whole.get_ids());
}

#[test]
fn a_stream_gives_no_half_characters() {
    for tokenizer in [Tokenizer::Byte, with_signs_for_spaces()] {
        let text = "a b\u{1F980}\u{1F980} aé";
        let mut stream = TextStream::default();
        let mut written = String::new();
        for id in tokenizer.encode(text).unwrap() {
            let new = stream.push(&tokenizer, id);
            assert!(!new.contains(char::REPLACEMENT_CHARACTER), "{new:?}");
            written += &new;
        }
        written += &stream.finish(&tokenizer);
        assert_eq!(written, text);
    }
}

proptest! {
    #[test]
    fn a_stream_gives_what_decoding_gives(ids in proptest::collection::vec(0u32..262, 0..40)) {
        for tokenizer in [Tokenizer::Byte, Tokenizer::train(TokenizerKind::Bpe, 262, ["ababab"]).unwrap()] {
            let mut stream = TextStream::default();
            let mut written: String = ids.iter().map(|&id| stream.push(&tokenizer, id)).collect();
            written += &stream.finish(&tokenizer);
            prop_assert_eq!(written, tokenizer.decode(&ids));
        }
    }
}
