//! Generation: PyTorch's sampling filters, several rows at a time, the sliding window, the ends of a text.

use lab_model::burn::tensor::Device;
use lab_model::decoder::Decoder;
use lab_model::evaluate::evaluate_text;
use lab_model::generate::{
    FinishReason, GeneratedText, GenerationSettings, Sampling, generate_batch, generate_texts,
};
use lab_model::tokenizer::Tokenizer;
use lab_protocol::{GenerateRequest, ModelConfig, Position};
use serde_json::Value;
use std::path::PathBuf;

fn sampling_reference() -> Value {
    let root = std::env::var_os("LAB_GOLDEN_DIR").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden"),
        PathBuf::from,
    );
    let bytes = std::fs::read(root.join("rl.json")).unwrap();
    let mut all: Value = serde_json::from_slice(&bytes).unwrap();
    all["sampling"].take()
}

/// The settings in a reference's name, e.g. `repetition_1.3_temperature_0.7_top_k_5_top_p_0.9`.
fn named(name: &str) -> Sampling {
    let mut sampling = Sampling::default();
    let mut rest = name;
    while !rest.is_empty() {
        let (key, after) = ["repetition_", "temperature_", "top_k_", "top_p_", "min_p_"]
            .into_iter()
            .find_map(|key| Some((key, rest.strip_prefix(key)?)))
            .unwrap_or_else(|| panic!("{name} has an unknown part at {rest}"));
        let (value, after) = after.split_once('_').unwrap_or((after, ""));
        let value: f64 = value.parse().unwrap();
        match key {
            "repetition_" => sampling.repetition_penalty = value,
            "temperature_" => sampling.temperature = value,
            "top_k_" => sampling.top_k = value as usize,
            "top_p_" => sampling.top_p = value,
            _ => sampling.min_p = value,
        }
        rest = after;
    }
    sampling
}

#[test]
fn golden_sampling_filters() {
    let reference = sampling_reference();
    let read =
        |name: &str| -> Vec<f64> { serde_json::from_value(reference[name].clone()).unwrap() };
    let logits: Vec<f32> = read("logits").iter().map(|&x| x as f32).collect();
    let previous: Vec<u32> = serde_json::from_value(reference["previous_tokens"].clone()).unwrap();
    let mut cases = 0;
    for (name, _) in reference.as_object().unwrap() {
        let sampling = match name.as_str() {
            "logits" | "previous_tokens" => continue,
            "plain" => Sampling::default(),
            name => named(name),
        };
        let mut found = vec![0.0; logits.len()];
        for (id, probability) in sampling.distribution(&logits, &previous) {
            found[id as usize] = probability;
        }
        for (id, (found, expected)) in found.iter().zip(read(name)).enumerate() {
            assert!(
                (found - expected).abs() <= 1e-6 && (*found == 0.0) == (expected == 0.0),
                "{name}: token {id} has {found}, expected {expected}"
            );
        }
        cases += 1;
    }
    assert!(cases >= 7, "{cases} cases");
}

fn small(position: Position, context: usize) -> Decoder {
    let config = ModelConfig {
        layers: 2,
        heads: 4,
        key_value_heads: if position == Position::Rope { 2 } else { 0 },
        width: 32,
        context,
        position,
        ..Default::default()
    };
    Decoder::new(&config, 19, 5, &Device::flex().autodiff())
}

fn write(
    model: &Decoder,
    prompts: &[Vec<u32>],
    settings: &GenerationSettings,
) -> Vec<GeneratedText> {
    pollster::block_on(generate_batch(model, prompts.to_vec(), settings)).unwrap()
}

fn prompts() -> Vec<Vec<u32>> {
    [5usize, 1, 9, 3, 30, 2]
        .iter()
        .map(|&length| {
            (0..length as u32)
                .map(|i| (i * 7 + length as u32) % 19)
                .collect()
        })
        .collect()
}

#[test]
fn a_row_is_written_alike_alone_and_among_others_and_past_the_window() {
    for position in [Position::Learned, Position::Rope] {
        let model = small(position, 16);
        let settings = GenerationSettings {
            // Flat enough to end at many places, and past the window.
            max_tokens: 40,
            stop_tokens: vec![4],
            seed: 11,
            alternatives: 3,
            ..Default::default()
        };
        let together = write(&model, &prompts(), &settings);
        assert_eq!(together, write(&model, &prompts(), &settings));
        let few = GenerationSettings {
            rows: 2,
            ..settings.clone()
        };
        let ids = |texts: &[GeneratedText]| -> Vec<Vec<u32>> {
            texts.iter().map(|text| text.ids.clone()).collect()
        };
        assert_eq!(ids(&together), ids(&write(&model, &prompts(), &few)));
        let other = GenerationSettings {
            seed: 12,
            ..settings.clone()
        };
        assert_ne!(ids(&together), ids(&write(&model, &prompts(), &other)));
        assert!(together.iter().any(|text| text.ids.len() > 16));
        for (text, prompt) in together.iter().zip(prompts()) {
            let stopped = text.finish_reason == Some(FinishReason::StopToken);
            assert_eq!(text.ids.last() == Some(&4), stopped);
            assert!(stopped || text.ids.len() == 40);
            assert_eq!(text.log_probs.len(), text.ids.len());
            assert_eq!(text.alternatives.len(), text.ids.len());
            // Each logarithm is that of the model's own distribution over the window it could see.
            let mut seen = prompt;
            for (&id, &log) in text.ids.iter().zip(&text.log_probs) {
                let window = &seen[seen.len().saturating_sub(16)..];
                let logits = model.last_logits(&[window]).unwrap();
                let logits = pollster::block_on(lab_model::parameters::read(vec![logits])).unwrap();
                let expected = lab_model::generate::log_probability(&logits[0], id);
                assert!((log - expected).abs() < 1e-4, "{log}, expected {expected}");
                seen.push(id);
            }
        }
    }
}

#[test]
fn greedy_is_deterministic_and_takes_the_likeliest() {
    let model = small(Position::Rope, 32);
    let settings = GenerationSettings {
        sampling: Sampling::greedy(),
        max_tokens: 12,
        alternatives: 1,
        ..Default::default()
    };
    let first = write(&model, &prompts(), &settings);
    let other_seed = GenerationSettings {
        seed: 99,
        ..settings
    };
    assert_eq!(first, write(&model, &prompts(), &other_seed));
    for text in &first {
        for (id, likeliest) in text.ids.iter().zip(&text.alternatives) {
            assert_eq!(*id, likeliest[0].0);
        }
    }
}

#[test]
fn bad_settings_and_prompts_are_named() {
    let model = small(Position::Learned, 16);
    let run = |prompts: Vec<Vec<u32>>, sampling: Sampling| {
        let settings = GenerationSettings {
            sampling,
            ..Default::default()
        };
        let error = pollster::block_on(generate_batch(&model, prompts, &settings)).unwrap_err();
        assert!(error.code.is_input(), "{error}");
        error.field.unwrap_or_default()
    };
    let plain = Sampling::default();
    assert_eq!(run(vec![vec![1], vec![]], plain), "prompt");
    assert_eq!(run(vec![vec![19]], plain), "ids");
    for (field, sampling) in [
        (
            "temperature",
            Sampling {
                temperature: f64::NAN,
                ..plain
            },
        ),
        (
            "top_p",
            Sampling {
                top_p: 0.0,
                ..plain
            },
        ),
        (
            "min_p",
            Sampling {
                min_p: 1.5,
                ..plain
            },
        ),
        (
            "repetition_penalty",
            Sampling {
                repetition_penalty: -1.0,
                ..plain
            },
        ),
    ] {
        assert_eq!(run(vec![vec![1]], sampling), field);
    }
    let request = |stop: &str| GenerateRequest {
        max_tokens: 5,
        stop: vec![stop.into()],
        ..Default::default()
    };
    let tokenizer = Tokenizer::Byte;
    let error = pollster::block_on(generate_texts(
        &model,
        &tokenizer,
        &["a".into()],
        &request(""),
        &[],
    ));
    assert_eq!(error.unwrap_err().field.as_deref(), Some("stop[0]"));
}

#[test]
fn stop_strings_end_a_text_and_are_left_out() {
    let config = ModelConfig {
        layers: 1,
        heads: 2,
        width: 16,
        context: 64,
        ..Default::default()
    };
    let tokenizer = Tokenizer::Byte;
    let model = Decoder::new(&config, 256, 3, &Device::flex());
    let request = GenerateRequest {
        max_tokens: 60,
        temperature: 1.0,
        seed: 1,
        ..Default::default()
    };
    let prompts = ["The ".to_owned(), "A".to_owned()];
    let free =
        pollster::block_on(generate_texts(&model, &tokenizer, &prompts, &request, &[])).unwrap();
    // A character of a freely written text, as the stop string.
    let character = free[0].text.chars().nth(20).unwrap();
    let first = free[0].text.find(character).unwrap();
    let request = GenerateRequest {
        stop: vec![character.to_string()],
        ..request
    };
    let stopped =
        pollster::block_on(generate_texts(&model, &tokenizer, &prompts, &request, &[])).unwrap();
    assert_eq!(stopped[0].text, free[0].text[..first]);
    assert_eq!(
        stopped[0].tokens.finish_reason,
        Some(FinishReason::StopString)
    );
}

#[test]
fn a_texts_score_is_the_mean_over_all_its_tokens() {
    let model = small_bytes();
    let text =
        "Anna and Bob went to the sea, and Anna's dog went with them. Ünd so weiter.".repeat(3);
    let ids: Vec<u32> = text.bytes().map(u32::from).collect();
    let score = |stride| {
        pollster::block_on(evaluate_text(
            &model,
            &Tokenizer::Byte,
            &text,
            stride,
            |_, _| true,
        ))
        .unwrap()
        .unwrap()
    };
    for (stride, windows) in [(0, 24), (24, 24), (5, 5), (1, 1)] {
        // Each token from the logits after the tokens that its window shows before it.
        let mut expected = 0.0;
        for place in 1..ids.len() {
            // The first window judges all of its targets, each later one its last `windows`.
            let start = place.saturating_sub(24).div_ceil(windows) * windows;
            let logits = model.last_logits(&[&ids[start..place]]).unwrap();
            let logits = pollster::block_on(lab_model::parameters::read(vec![logits])).unwrap();
            expected -= lab_model::generate::log_probability(&logits[0], ids[place]);
        }
        let found = score(stride);
        let mean = expected / (ids.len() - 1) as f64;
        assert_eq!(
            (found.tokens, found.window, found.stride),
            (ids.len() - 1, 24, windows)
        );
        assert!(
            (found.nll - mean).abs() < 1e-5,
            "stride {stride}: {}, expected {mean}",
            found.nll
        );
        assert!((found.perplexity - mean.exp()).abs() < 1e-2);
        // One byte a token.
        assert!((found.bits_per_byte - mean / std::f64::consts::LN_2).abs() < 1e-4);
    }
    let error = |text: &str, stride| {
        let result = pollster::block_on(evaluate_text(
            &model,
            &Tokenizer::Byte,
            text,
            stride,
            |_, _| true,
        ));
        result.unwrap_err().field.unwrap()
    };
    assert_eq!(error("a", 0), "text");
    assert_eq!(error(&text, 25), "stride");
}

/// Bytes in windows of 24, with weights large enough that the window matters.
fn small_bytes() -> Decoder {
    let config = ModelConfig {
        layers: 2,
        heads: 2,
        width: 16,
        context: 24,
        ..Default::default()
    };
    let model = Decoder::new(&config, 256, 3, &Device::flex());
    lab_model::parameters::update(
        model,
        |weight, rank| if rank == 2 { weight * 8.0 } else { weight },
    )
}
