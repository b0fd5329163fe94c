//! Tokenizers trained here: on the village's texts, and as other programs read them.

use lab_model::tokenizer::{END_OF_TEXT, Tokenizer};
use lab_protocol::{ErrorCode, TokenizerKind};
use lab_tests::python::Python;
use lab_village::{Preset, Village, VillageSettings};
use serde_json::json;

fn village(preset: Preset, documents: usize) -> Village {
    // The words are the same in less text.
    let settings = VillageSettings {
        documents,
        ..VillageSettings::preset(preset, 1)
    };
    Village::new(settings).unwrap()
}

fn tokens_per_word(tokenizer: &Tokenizer, text: &str) -> f64 {
    tokenizer.encode(text).unwrap().len() as f64 / text.split_whitespace().count() as f64
}

#[test]
fn byte_pairs_of_a_village_need_at_most_1_3_tokens_a_word() {
    for (preset, vocabulary) in [
        (Preset::Hamlet, 1536),
        (Preset::Village, 2048),
        (Preset::Town, 4096),
    ] {
        let village = village(preset, 4_000);
        let tokenizer =
            Tokenizer::train(TokenizerKind::Bpe, vocabulary, village.tokenizer_texts()).unwrap();
        // All words of a hamlet may be tokens before the vocabulary is full.
        assert!(tokenizer.vocabulary() <= vocabulary);
        let held_out = village.pretraining.held_out_text();
        let found = tokens_per_word(&tokenizer, &held_out);
        println!(
            "{}: {found:.3} with {} tokens",
            preset.name(),
            tokenizer.vocabulary()
        );
        assert!(found <= 1.3, "{}: {found}", preset.name());
        let ids = tokenizer.encode(&held_out).unwrap();
        assert_eq!(tokenizer.decode(&ids), held_out);
    }
}

#[test]
fn a_cancelled_training_has_no_result_and_a_whole_one_tells_its_progress() {
    let text = "one two three two one ".repeat(50);
    let stopped = Tokenizer::train_with(TokenizerKind::Bpe, 262, [&text], |_, _| false).unwrap();
    assert!(stopped.is_none());
    let mut reports = Vec::new();
    let trained = Tokenizer::train_with(TokenizerKind::Bpe, 262, [&text], |done, total| {
        reports.push((done, total));
        true
    });
    assert_eq!(trained.unwrap().unwrap().vocabulary(), 262);
    assert_eq!(reports.first(), Some(&(0, 5)));
    assert_eq!(reports.last(), Some(&(5, 5)));
}

#[test]
fn a_vocabulary_without_room_for_the_bytes_is_refused() {
    let error = Tokenizer::train(TokenizerKind::Bpe, 256, ["text"]).unwrap_err();
    assert_eq!(error.field.as_deref(), Some("vocabulary"));
}

/// Found by changing files at random: the library panics at the first text.
#[test]
fn a_normalizer_that_replaces_nothing_is_refused() {
    let replace = |pattern| json!({"type": "Replace", "pattern": pattern, "content": "b"});
    let within = |part| json!({"type": "Sequence", "normalizers": [{"type": "NFC"}, part]});
    let mut tokenizer = Tokenizer::train(TokenizerKind::Bpe, 262, ["some text"])
        .unwrap()
        .to_json();
    for normalizer in [
        json!({"type": "Prepend", "prepend": ""}),
        within(json!({"type": "Prepend", "prepend": ""})),
        // The library guesses the type if none is stated.
        within(json!({"prepend": ""})),
        replace(json!({"String": ""})),
        within(replace(json!({"Regex": "a*"}))),
        replace(json!({"Regex": "(?=s)"})),
    ] {
        tokenizer["normalizer"] = normalizer;
        let error = Tokenizer::from_json(&tokenizer).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidCheckpoint);
    }
    tokenizer["normalizer"] = within(replace(json!({"Regex": " {2,}"})));
    let tokenizer = Tokenizer::from_json(&tokenizer).unwrap();
    assert!(tokenizer.encode("  some").is_ok());
}

/// Found by random changes of files: a short pattern whose automaton takes 30 megabytes.
#[test]
fn patterns_that_would_fill_the_memory_are_refused() {
    let mut tokenizer = Tokenizer::train(TokenizerKind::Bpe, 262, ["some text"])
        .unwrap()
        .to_json();
    let mut split_by = |patterns: Vec<&str>| {
        let split = |pattern| json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false});
        let parts: Vec<_> = patterns.into_iter().map(split).collect();
        tokenizer["pre_tokenizer"] = json!({"type": "Sequence", "pretokenizers": parts});
        Tokenizer::from_json(&tokenizer)
    };
    for patterns in [
        vec![r"\p{N}{1,1453}| ?\p{L}+|\s+(?!\S)"],
        vec![r"((\p{L}{20}){20,}){20}"],
        vec![r"\p{L}{60}"; 2],
        vec![r"\p{L}|\p{N}"; 1_000],
    ] {
        let error = split_by(patterns).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidCheckpoint);
    }
    // GPT-4's pattern, and text that looks like a count.
    let published = r"(?i:'[sdmt]|'ll|'ve|'re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    let tokenizer = split_by(vec![published, r"\p{N}{1,3}", r"[\x{2000}-\x{206F}]+"]).unwrap();
    assert!(tokenizer.encode("Some text 1234").is_ok());
}

/// Python's `tokenizers` package reads our tokenizers, and gives the same ids.
#[test]
#[cfg_attr(not(python = "tokenizers"), ignore = "needs tokenizers in LAB_PYTHON")]
fn python_reads_what_was_trained_here() {
    let python = Python::default();
    let village = village(Preset::Hamlet, 500);
    let text: String = village.tokenizer_texts().collect();
    let hard = format!("Ünïcode 🦀🦀 \n\n\t x  y{END_OF_TEXT}don't 12345 {{}} \u{a0}日本語");
    let texts = [village.pretraining.held_out_text(), hard];
    for kind in [
        TokenizerKind::Bpe,
        TokenizerKind::Byte,
        TokenizerKind::Character,
    ] {
        let known = text.clone() + &texts[1];
        let tokenizer = Tokenizer::train(kind, 700, [&known]).unwrap();
        let script = "import sys, json, tokenizers\n\
            given = json.load(sys.stdin)\n\
            t = tokenizers.Tokenizer.from_str(json.dumps(given['tokenizer']))\n\
            ids = [t.encode(x, add_special_tokens=False).ids for x in given['texts']]\n\
            json.dump([ids, [t.decode(i, skip_special_tokens=False) for i in ids]], sys.stdout)";
        let input = serde_json::json!({"tokenizer": tokenizer.to_json(), "texts": texts});
        let found = python.run(script, &input);
        let expected: Vec<Vec<u32>> = texts.iter().map(|t| tokenizer.encode(t).unwrap()).collect();
        assert_eq!(found[0], serde_json::json!(expected), "{kind:?}");
        assert_eq!(found[1], serde_json::json!(texts), "{kind:?}");
    }
}
