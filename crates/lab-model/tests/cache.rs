//! Generation with a cache equals a pass over the whole text, for every row, in random shapes.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use lab_model::decoder::Decoder;
use lab_model::parameters;
use lab_protocol::{Activation, ModelConfig, Norm, Position};
use proptest::prelude::*;

/// Logits of a few layers of width 48 at most, in 32-bit floats added up in another order.
const TOLERANCE: f32 = 2e-5;

fn logits(x: Tensor<2>) -> Vec<Vec<f32>> {
    let width = x.dims()[1];
    let values = pollster::block_on(parameters::read(vec![x]))
        .unwrap()
        .remove(0);
    values.chunks(width).map(<[f32]>::to_vec).collect()
}

fn config() -> impl Strategy<Value = ModelConfig> {
    (
        1usize..4,
        1usize..4,
        1usize..4,
        1usize..5,
        3usize..80,
        any::<[bool; 4]>(),
    )
        .prop_map(
            |(layers, shared, group, half, context, [rope, llama, bias, tied])| ModelConfig {
                layers,
                heads: shared * group,
                key_value_heads: shared,
                width: shared * group * half * 2,
                context,
                position: if rope {
                    Position::Rope
                } else {
                    Position::Learned
                },
                norm: if llama {
                    Norm::RmsNorm
                } else {
                    Norm::LayerNorm
                },
                activation: if llama {
                    Activation::Swiglu
                } else {
                    Activation::GeluNew
                },
                bias,
                tied_head: tied,
                ..Default::default()
            },
        )
}

/// A model whose weights are large enough that attention matters.
fn model(config: &ModelConfig, vocabulary: usize, seed: u64) -> Decoder {
    let model = Decoder::new(config, vocabulary, seed, &Device::flex());
    parameters::update(
        model,
        |weight, rank| if rank == 2 { weight * 10.0 } else { weight },
    )
    .valid()
}

fn assert_close(found: &[f32], expected: &[f32], what: &str) {
    let scale = expected.iter().fold(1.0f32, |a, b| a.max(b.abs()));
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found - expected).abs() <= TOLERANCE * scale,
            "{what}: {found}, expected {expected}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn cached_logits_are_the_uncached_ones(
        config in config(),
        vocabulary in 2usize..40,
        texts in prop::collection::vec(prop::collection::vec(any::<u32>(), 1..90), 1..5),
        prompts in prop::collection::vec(0.0f64..1.0, 5),
        seed in any::<u64>(),
    ) {
        let model = model(&config, vocabulary, seed);
        // Each row a text of its own length, of which a part of its own length is the prompt.
        let texts: Vec<Vec<u32>> = texts
            .into_iter()
            .map(|text| text.into_iter().take(config.context).map(|id| id % vocabulary as u32).collect())
            .collect();
        let mut known: Vec<usize> = texts
            .iter()
            .zip(&prompts)
            .map(|(text, share)| ((text.len() as f64 * share) as usize).max(1))
            .collect();
        let rows: Vec<&[u32]> = texts.iter().zip(&known).map(|(text, &n)| &text[..n]).collect();
        let (first, mut cache) = model.prefill(&rows).unwrap();
        let mut found = logits(first);
        let mut map: Vec<usize> = (0..texts.len()).collect();
        loop {
            for (row, &text) in map.iter().enumerate() {
                let expected = logits(model.last_logits(&[&texts[text][..known[text]]]).unwrap());
                assert_close(&found[row], &expected[0], &format!("text {text} at {}", known[text]));
            }
            // Rows that have ended stay for a while, then the cache is compacted.
            let next: Vec<Option<u32>> = map.iter().map(|&text| texts[text].get(known[text]).copied()).collect();
            let live: Vec<usize> = (0..map.len()).filter(|&row| next[row].is_some()).collect();
            if live.is_empty() {
                break;
            }
            if live.len() * 2 <= map.len() {
                cache.select(&live);
                map = live.iter().map(|&row| map[row]).collect();
                continue_rows(&model, &mut cache, &texts, &mut known, &map, &mut found);
                continue;
            }
            let logits = logits(model.step(&next, &mut cache).unwrap());
            for (row, &text) in map.iter().enumerate() {
                if next[row].is_some() {
                    known[text] += 1;
                    found[row] = logits[row].clone();
                }
            }
        }
    }
}

/// One step in which every row has a token.
fn continue_rows(
    model: &Decoder,
    cache: &mut lab_model::decoder::KvCache,
    texts: &[Vec<u32>],
    known: &mut [usize],
    map: &[usize],
    found: &mut Vec<Vec<f32>>,
) {
    let next: Vec<Option<u32>> = map
        .iter()
        .map(|&text| Some(texts[text][known[text]]))
        .collect();
    *found = logits(model.step(&next, cache).unwrap());
    for &text in map {
        known[text] += 1;
    }
}

#[test]
fn what_cannot_be_continued_is_refused() {
    let config = ModelConfig {
        layers: 1,
        heads: 1,
        width: 4,
        context: 4,
        ..Default::default()
    };
    let model = model(&config, 3, 1);
    for (rows, field) in [
        (vec![&[][..]], "prompt"),
        (vec![&[0, 1, 2, 0, 1][..]], "prompt"),
        (vec![&[3][..]], "ids"),
        (vec![], "prompt"),
    ] {
        let error = model.prefill(&rows).err().unwrap();
        assert_eq!(error.field.as_deref(), Some(field), "{error}");
        assert!(error.code.is_input());
    }
    let (_, mut cache) = model.prefill(&[&[0, 1, 2]]).unwrap();
    assert!(model.step(&[Some(1), Some(1)], &mut cache).is_err());
    assert!(model.step(&[Some(7)], &mut cache).is_err());
    model.step(&[Some(1)], &mut cache).unwrap();
    assert_eq!(cache.lengths(), [4]);
    assert!(model.step(&[Some(1)], &mut cache).is_err());
}
