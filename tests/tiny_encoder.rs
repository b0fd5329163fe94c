//! A sentence encoder of the BERT family that is small enough to be made in a test.

use lab_protocol::ModelFile;
use serde_json::{Map, Value, json};

const WIDTH: usize = 16;
const HIDDEN: usize = 32;
const POSITIONS: usize = 64;

/// The folder of an encoder of one layer with a tokenizer that knows `words`, in small letters. Its weights are a
/// fixed sequence of numbers, so texts are near each other if they share words.
pub fn tiny_encoder(words: &[&str]) -> Vec<ModelFile> {
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"];
    let vocabulary: Vec<&str> = special.iter().chain(words).copied().collect();
    let config = json!({
        "model_type": "bert", "_name_or_path": "tiny", "num_hidden_layers": 1, "num_attention_heads": 2,
        "hidden_size": WIDTH, "intermediate_size": HIDDEN, "vocab_size": vocabulary.len(),
        "max_position_embeddings": POSITIONS, "layer_norm_eps": 1e-12, "hidden_act": "gelu",
    });
    [
        ("config.json", config.to_string().into_bytes()),
        (
            "tokenizer.json",
            tokenizer(&vocabulary).to_string().into_bytes(),
        ),
        ("model.safetensors", weights(vocabulary.len())),
    ]
    .into_iter()
    .map(|(path, bytes)| ModelFile {
        path: path.to_owned(),
        bytes,
    })
    .collect()
}

fn tokenizer(vocabulary: &[&str]) -> Value {
    let ids: Map<String, Value> = vocabulary
        .iter()
        .enumerate()
        .map(|(id, word)| (word.to_string(), json!(id)))
        .collect();
    let added: Vec<Value> = (0..4)
        .map(|id| {
            json!({"id": id, "content": vocabulary[id], "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true})
        })
        .collect();
    let token = |name: &str| json!({"SpecialToken": {"id": name, "type_id": 0}});
    let text = json!({"Sequence": {"id": "A", "type_id": 0}});
    let special = |name: &str, id: u32| json!({"id": name, "ids": [id], "tokens": [name]});
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
        "normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [token("[CLS]"), text.clone(), token("[SEP]")],
            "pair": [token("[CLS]"), text, token("[SEP]")],
            "special_tokens": {"[CLS]": special("[CLS]", 2), "[SEP]": special("[SEP]", 3)},
        },
        "decoder": null,
        "model": {"type": "WordLevel", "vocab": ids, "unk_token": "[UNK]"},
    })
}

/// `model.safetensors`: the header's length, the header, the numbers.
fn weights(vocabulary: usize) -> Vec<u8> {
    let layer = "encoder.layer.0";
    let mut tensors = vec![
        (
            "embeddings.word_embeddings.weight".to_owned(),
            vec![vocabulary, WIDTH],
        ),
        (
            "embeddings.position_embeddings.weight".to_owned(),
            vec![POSITIONS, WIDTH],
        ),
        (
            "embeddings.token_type_embeddings.weight".to_owned(),
            vec![2, WIDTH],
        ),
    ];
    for (name, out, width) in [
        ("attention.self.query", WIDTH, WIDTH),
        ("attention.self.key", WIDTH, WIDTH),
        ("attention.self.value", WIDTH, WIDTH),
        ("attention.output.dense", WIDTH, WIDTH),
        ("intermediate.dense", HIDDEN, WIDTH),
        ("output.dense", WIDTH, HIDDEN),
    ] {
        tensors.push((format!("{layer}.{name}.weight"), vec![out, width]));
        tensors.push((format!("{layer}.{name}.bias"), vec![out]));
    }
    for name in ["attention.output.LayerNorm", "output.LayerNorm"] {
        tensors.push((format!("{layer}.{name}.weight"), vec![WIDTH]));
        tensors.push((format!("{layer}.{name}.bias"), vec![WIDTH]));
    }
    for part in ["weight", "bias"] {
        tensors.push((format!("embeddings.LayerNorm.{part}"), vec![WIDTH]));
    }
    let (mut header, mut data) = (Map::new(), Vec::new());
    let mut state = 1u64;
    for (name, shape) in tensors {
        let start = data.len();
        // Words are distinguished; the rest of the network changes little.
        let scale = if name.contains("word_embeddings") {
            1.0
        } else {
            0.1
        };
        for _ in 0..shape.iter().product() {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let uniform = (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5;
            let value = match name.ends_with("LayerNorm.weight") {
                true => 1.0,
                false => scale * uniform,
            };
            data.extend(f32::to_le_bytes(value));
        }
        let end = data.len();
        header.insert(
            name,
            json!({"dtype": "F32", "shape": shape, "data_offsets": [start, end]}),
        );
    }
    let header = Value::Object(header).to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}
