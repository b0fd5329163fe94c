//! The fuzzed functions: readers of files from outside. Each takes any bytes and may refuse them, but must neither
//! panic nor take more memory than the bytes can hold. Included by the libFuzzer targets beside this file and by
//! tests/fuzz.rs, which needs no nightly compiler.

use lab_model::chat::ChatTemplate;
use lab_model::formats::WeightForm;
use lab_model::formats::{BaseModel, read_config, read_weights};
use lab_model::layout::weight_shapes;
use lab_model::memory::MemoryNeeded;
use lab_model::tokenizer::{TextStream, Tokenizer};
use std::collections::BTreeMap;

/// A folder with these bytes as its weights.
pub fn safetensors(data: &[u8]) {
    for config in [
        include_str!("../tests/golden/llama-tiny/config.json"),
        include_str!("../tests/golden/gpt2-tiny/config.json"),
    ] {
        let folder = BTreeMap::from([
            ("config.json".to_owned(), config.as_bytes().to_vec()),
            ("model.safetensors".to_owned(), data.to_vec()),
        ]);
        let _ = BaseModel::read(&folder);
        if let Ok(Ok((shape, _))) = serde_json::from_str(config).map(|json| read_config(&json)) {
            let _ = read_weights(&shape, data);
        }
    }
}

/// A GGUF file.
pub fn gguf(data: &[u8]) {
    let Ok(model) = BaseModel::from_gguf(data) else {
        return;
    };
    if let Some(tokenizer) = &model.tokenizer {
        use_tokenizer(tokenizer);
    }
}

/// A `tokenizer.json`, and the use of its tokenizer.
pub fn tokenizer(data: &[u8]) {
    let Ok(json) = serde_json::from_slice(data) else {
        return;
    };
    let _ = ChatTemplate::read(&json, None);
    if let Ok(tokenizer) = Tokenizer::from_json(&json) {
        use_tokenizer(&tokenizer);
    }
}

fn use_tokenizer(tokenizer: &Tokenizer) {
    let text = "The cat  sat, 12 \u{1F980}s\n\n don't <|endoftext|> \u{2581}x";
    if let Ok(ids) = tokenizer.encode(text) {
        let _ = tokenizer.decode(&ids);
    }
    let mut stream = TextStream::default();
    for id in (0..300).chain([u32::MAX]) {
        let _ = stream.push(tokenizer, id);
        let _ = (tokenizer.token_text(id), tokenizer.bytes_of(id));
    }
    let _ = stream.finish(tokenizer);
    let _ = tokenizer.end_of_text();
}

/// A `config.json`, and the steps on it before there are weights.
pub fn config(data: &[u8]) {
    let Ok(json) = serde_json::from_slice(data) else {
        return;
    };
    if let Ok((shape, vocabulary)) = read_config(&json) {
        let _ = weight_shapes(&shape, vocabulary);
        for form in [WeightForm::Floats, WeightForm::Nf4] {
            let weights = MemoryNeeded::weights(&shape, vocabulary, form);
            let writing = MemoryNeeded::writing(&shape, vocabulary, 8, shape.context);
            let _ = weights.and(writing).total();
        }
        // A folder with this configuration and too few bytes of weights.
        let folder = BTreeMap::from([
            ("config.json".to_owned(), data.to_vec()),
            (
                "model.safetensors".to_owned(),
                b"\x02\0\0\0\0\0\0\0{}".to_vec(),
            ),
        ]);
        let _ = BaseModel::read(&folder);
    }
}
