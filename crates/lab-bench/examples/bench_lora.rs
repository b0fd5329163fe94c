//! `cargo xtask bench lora`: a step of full fine-tuning beside one with a LoRA adapter, and with an adapter
//! on a base in 4 bits, on this machine's CPU: time, memory, bytes, and how far the losses over a base in 4
//! bits are from those over the same numbers as floats. Prints a table, or one JSON document with `--json`;
//! `--steps N` sets how many steps are timed after the first two.

use lab_model::decoder::Decoder;
use lab_model::dropout::Dropout;
use lab_model::evaluate::MicroBatch;
use lab_model::examples::{Example, ExampleBatch};
use lab_model::optimizer::AdamW;
use lab_model::parameters;
use lab_protocol::{BackendChoice, LoraConfig, ModelConfig, TrainingConfig};
use lab_strategies::device;
use serde_json::{Map, Value, json};
use std::error::Error;
use std::process::Command;
use std::time::Instant;

/// `dequantized` is LoRA on the floats that QLoRA's base stands for.
const METHODS: [&str; 4] = ["full", "lora", "qlora", "dequantized"];
const VOCABULARY: usize = 512;
const WARM_UP: usize = 2;
/// Set in the child processes, so that each method's peak of memory is its own.
const CHILD: &str = "LAB_BENCH_CHILD";

/// Bases of about 6 and 22 million parameters.
fn shapes() -> [(&'static str, ModelConfig); 2] {
    let shape = |layers, width| ModelConfig {
        layers,
        width,
        heads: 8,
        context: 128,
        ..Default::default()
    };
    [("6m", shape(8, 256)), ("22m", shape(7, 512))]
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given = arguments.iter().position(|argument| argument == "--steps");
    let given = given.and_then(|at| arguments.get(at + 1));
    let steps: usize = given.map_or(Ok(50), |steps| steps.parse())?;
    if let Some(which) = std::env::var_os(CHILD) {
        let which = which.to_string_lossy().into_owned();
        let (size, method) = which.split_once(' ').ok_or("no method")?;
        let shape = shapes().into_iter().find(|(name, _)| *name == size);
        let (_, shape) = shape.ok_or("no such shape")?;
        println!("{}", pollster::block_on(measure(&shape, method, steps))?);
        return Ok(());
    }
    let mut document = Map::new();
    for (size, _) in shapes() {
        let mut found = Map::new();
        for method in METHODS {
            let output = Command::new(std::env::current_exe()?)
                .args(&arguments)
                .env(CHILD, format!("{size} {method}"))
                .output()?;
            if !output.status.success() {
                return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
            }
            found.insert(method.to_owned(), serde_json::from_slice(&output.stdout)?);
        }
        let number = |method: &str, key: &str| found[method][key].as_f64().unwrap_or(f64::NAN);
        let losses = |method: &str| -> Vec<f64> {
            let losses = found[method]["losses"].as_array();
            losses
                .into_iter()
                .flatten()
                .filter_map(Value::as_f64)
                .collect()
        };
        let pairs = losses("qlora").into_iter().zip(losses("dequantized"));
        let distance = pairs.map(|(a, b): (f64, f64)| (a / b - 1.0).abs());
        let ratios = json!({
            "lora_to_full_step": number("lora", "step_ms") / number("full", "step_ms"),
            "qlora_to_full_step": number("qlora", "step_ms") / number("full", "step_ms"),
            "lora_to_full_peak_bytes": number("lora", "peak_bytes") / number("full", "peak_bytes"),
            "qlora_to_dequantized_loss_distance": distance.fold(0.0, f64::max),
            "qlora_to_f32_weight_bytes": number("qlora", "base_bytes") / number("full", "base_bytes"),
        });
        found.insert("ratios".into(), ratios);
        document.insert(size.to_owned(), found.into());
    }
    if arguments.iter().any(|argument| argument == "--json") {
        println!("{}", Value::Object(document));
        return Ok(());
    }
    println!(
        "{:<6}{:<13}{:>12}{:>12}{:>14}{:>14}{:>14}{:>14}",
        "base",
        "method",
        "step ms",
        "parameters",
        "trained",
        "base bytes",
        "optimiser",
        "peak bytes"
    );
    for (size, found) in &document {
        for method in METHODS {
            let value = |key: &str| found[method][key].as_f64().unwrap_or(f64::NAN);
            println!(
                "{size:<6}{method:<13}{:>12.1}{:>12}{:>14}{:>14}{:>14}{:>14}",
                value("step_ms"),
                value("parameters"),
                value("trainable_parameters"),
                value("base_bytes"),
                value("optimizer_bytes"),
                value("peak_bytes")
            );
        }
        println!("{size}: {}", found["ratios"]);
    }
    Ok(())
}

async fn measure(shape: &ModelConfig, method: &str, steps: usize) -> Result<Value, Box<dyn Error>> {
    let device = device::open(BackendChoice::Cpu).await?;
    let mut model = Decoder::new(shape, VOCABULARY, 1, &device);
    let lora = LoraConfig::default();
    if ["qlora", "dequantized"].contains(&method) {
        model = model.quantized(&device).await?;
    }
    if method == "dequantized" {
        model = model.dequantized();
    }
    let base_bytes = model.weight_bytes();
    if method != "full" {
        model = model.with_new_adapter(shape, &lora, 1, &device)?;
    }
    let examples: Vec<Example> = (0..8u32)
        .map(|row| {
            let token = |i: u32| (row * 31 + i * i) % VOCABULARY as u32;
            Example::new(
                (0..32).map(token).collect(),
                (32..64).map(token).collect(),
                0,
            )
        })
        .collect();
    let batch = ExampleBatch::rows(&examples.iter().collect::<Vec<_>>(), shape.context);
    let mut optimizer = AdamW::new(&TrainingConfig::default(), &model, &device);
    let trainable: usize = parameters::trainable_shapes(&model)
        .iter()
        .map(|(_, shape)| shape.iter().product::<usize>())
        .sum();
    let parameters = model.parameter_count();
    let mut milliseconds = Vec::new();
    let mut losses = Vec::new();
    for step in 0..WARM_UP + steps {
        let began = Instant::now();
        let sums = batch.sums(&model, &device, &mut Dropout::off());
        let loss = sums.nll / batch.tokens() as f32;
        let gradients = parameters::gradients(&model, &mut loss.backward());
        let (updated, norm) = optimizer.update(model, gradients, 1e-3);
        model = updated;
        losses.push(parameters::read(vec![loss, norm]).await?[0][0]);
        if step >= WARM_UP {
            milliseconds.push(began.elapsed().as_secs_f64() * 1000.0);
        }
    }
    milliseconds.sort_by(f64::total_cmp);
    Ok(json!({
        "step_ms": milliseconds[milliseconds.len() / 2],
        "minimum_ms": milliseconds[0],
        "parameters": parameters,
        "trainable_parameters": trainable,
        "base_bytes": base_bytes,
        "optimizer_bytes": optimizer.bytes(),
        "peak_bytes": peak_bytes(),
        "losses": losses,
    }))
}

/// Most memory that this process has held, where the system says so.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}
