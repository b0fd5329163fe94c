//! `cargo xtask bench generation`: writing with the cache beside a pass over the whole text for each token,
//! up to a full context of 256, on this machine's CPU. The likeliest tokens must be the same before any time
//! counts. Prints a table, or one JSON document with `--json`; `--runs N` sets how often both are timed,
//! interleaved.

use lab_model::burn::module::Module;
use lab_model::decoder::Decoder;
use lab_model::generate::{GenerationSettings, Sampling, generate_batch, likeliest};
use lab_model::parameters;
use lab_protocol::{BackendChoice, ModelConfig};
use lab_strategies::device;
use serde_json::{Map, Value, json};
use std::error::Error;
use std::time::Instant;

const CONTEXT: usize = 256;
const VOCABULARY: usize = 1024;

fn shapes() -> [(&'static str, ModelConfig); 2] {
    let shape = |layers, width| ModelConfig {
        layers,
        width,
        heads: 4,
        context: CONTEXT,
        ..Default::default()
    };
    [("small", shape(4, 128)), ("larger", shape(6, 256))]
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given = arguments.iter().position(|argument| argument == "--runs");
    let given = given.and_then(|at| arguments.get(at + 1));
    let runs: usize = given.map_or(Ok(5), |runs| runs.parse())?;
    let mut document = Map::new();
    for (name, shape) in shapes() {
        document.insert(name.into(), pollster::block_on(measure(&shape, runs))?);
    }
    if arguments.iter().any(|argument| argument == "--json") {
        println!("{}", Value::Object(document));
        return Ok(());
    }
    println!(
        "{:<8}{:>10}{:>14}{:>16}{:>8}",
        "model", "tokens", "cached ms", "uncached ms", "ratio"
    );
    for (name, found) in &document {
        let value = |key: &str| found[key].as_f64().unwrap_or(f64::NAN);
        println!(
            "{name:<8}{:>10}{:>14.1}{:>16.1}{:>8.3}",
            value("tokens"),
            value("cached_ms"),
            value("uncached_ms"),
            value("ratio")
        );
    }
    Ok(())
}

async fn measure(shape: &ModelConfig, runs: usize) -> Result<Value, Box<dyn Error>> {
    let device = device::open(BackendChoice::Cpu).await?;
    let model = Decoder::new(shape, VOCABULARY, 1, &device).valid();
    let (mut cached, mut uncached) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let began = Instant::now();
        let with = write_cached(&model).await?;
        cached.push(began.elapsed().as_secs_f64() * 1000.0);
        let began = Instant::now();
        let without = write_uncached(&model).await?;
        uncached.push(began.elapsed().as_secs_f64() * 1000.0);
        if with != without {
            return Err("the two ways do not write the same tokens".into());
        }
    }
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let (cached, uncached) = (median(&mut cached), median(&mut uncached));
    Ok(json!({
        "tokens": CONTEXT,
        "cached_ms": cached,
        "uncached_ms": uncached,
        "ratio": cached / uncached,
    }))
}

async fn write_cached(model: &Decoder) -> Result<Vec<u32>, Box<dyn Error>> {
    let settings = GenerationSettings {
        sampling: Sampling::greedy(),
        max_tokens: CONTEXT,
        ..Default::default()
    };
    let mut texts = generate_batch(model, vec![vec![1]], &settings).await?;
    Ok(texts.swap_remove(0).ids)
}

/// A pass over all that is written so far for each token.
async fn write_uncached(model: &Decoder) -> Result<Vec<u32>, Box<dyn Error>> {
    let mut ids = vec![1u32];
    for _ in 0..CONTEXT {
        let logits = model.last_logits(&[&ids])?;
        let logits = parameters::read(vec![logits]).await?;
        ids.push(likeliest(&logits[0], 1)[0].0);
    }
    Ok(ids.split_off(1))
}
