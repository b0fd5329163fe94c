//! `cargo xtask bench lora`: runs of fine-tuning with all weights, with a LoRA adapter, and with an adapter on a
//! base in 4 bits, on this machine's CPU: time of a step, memory, bytes, and how far the losses over a base in 4
//! bits are from the losses over the same numbers as floats. Prints a table, or one JSON document with `--json`;
//! `--steps N` sets how many steps are timed after the first two.

use async_trait::async_trait;
use lab_model::decoder::Decoder;
use lab_model::formats::model_folder;
use lab_model::parameters;
use lab_model::tokenizer::Tokenizer;
use lab_protocol::{BackendChoice, Command, Event, ExperimentConfig, ModelConfig, ModelFile};
use lab_strategies::{Host, Platform, Registry, device, prepare};
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::error::Error;
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

/// `dequantized` is LoRA on the floats that QLoRA's base represents.
const METHODS: [&str; 4] = ["full", "lora", "qlora", "dequantized"];
const WARM_UP: usize = 2;
/// Set in the child processes, which measure each method's peak of memory separately: the base's folder, a space and
/// the method.
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
        let (method, folder) = which.split_once(' ').ok_or("no method")?;
        println!(
            "{}",
            pollster::block_on(run(Path::new(folder), method, steps))?
        );
        return Ok(());
    }
    let mut document = Map::new();
    for (size, shape) in shapes() {
        let bases = tempfile::tempdir()?;
        pollster::block_on(write_bases(&shape, bases.path()))?;
        let mut found = Map::new();
        for method in METHODS {
            let base = match method {
                "dequantized" => "dequantized",
                _ => "floats",
            };
            let folder = bases.path().join(base);
            let output = std::process::Command::new(std::env::current_exe()?)
                .args(&arguments)
                .env(CHILD, format!("{method} {}", folder.display()))
                .output()?;
            if !output.status.success() {
                return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
            }
            found.insert(method.to_owned(), serde_json::from_slice(&output.stdout)?);
        }
        let ratios = ratios(&found);
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

fn ratios(found: &Map<String, Value>) -> Value {
    let number = |method: &str, key: &str| found[method][key].as_f64().unwrap_or(f64::NAN);
    let losses = |method: &str| -> Vec<f64> {
        let losses = found[method]["losses"].as_array();
        let losses = losses.into_iter().flatten();
        losses.filter_map(Value::as_f64).collect()
    };
    let pairs = losses("qlora").into_iter().zip(losses("dequantized"));
    let distance = pairs.map(|(a, b): (f64, f64)| (a / b - 1.0).abs());
    json!({
        "lora_to_full_step": number("lora", "step_ms") / number("full", "step_ms"),
        "qlora_to_full_step": number("qlora", "step_ms") / number("full", "step_ms"),
        "lora_to_full_peak_bytes": number("lora", "peak_bytes") / number("full", "peak_bytes"),
        "qlora_to_lora_peak_bytes": number("qlora", "peak_bytes") / number("lora", "peak_bytes"),
        "qlora_to_dequantized_loss_distance": distance.fold(0.0, f64::max),
        "qlora_to_f32_weight_bytes": number("qlora", "base_bytes") / number("full", "base_bytes"),
    })
}

/// Writes a base with random weights, and one with the same weights rounded to 4 bits.
async fn write_bases(shape: &ModelConfig, folder: &Path) -> Result<(), Box<dyn Error>> {
    let device = device::open(BackendChoice::Cpu).await?.inner();
    let tokenizer = Tokenizer::Byte;
    let floats = Decoder::new(shape, tokenizer.vocabulary(), 1, &device);
    let dequantized = floats.clone().quantized(&device).await?.dequantized();
    for (name, model) in [("floats", floats), ("dequantized", dequantized)] {
        let weights = parameters::to_host(&model).await?;
        std::fs::create_dir(folder.join(name))?;
        for file in model_folder(shape, &tokenizer, &weights)? {
            std::fs::write(folder.join(name).join(&file.path), &file.bytes)?;
        }
    }
    Ok(())
}

/// Fine-tunes the base in a folder.
async fn run(folder: &Path, method: &str, steps: usize) -> Result<Value, Box<dyn Error>> {
    let mut base = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        base.push(ModelFile {
            path: format!("model/{}", entry.file_name().to_string_lossy()),
            bytes: std::fs::read(entry.path())?,
        });
    }
    let strategy = match method {
        "dequantized" => "lora",
        method => method,
    };
    let experiment: ExperimentConfig = serde_json::from_value(json!({
        "name": "bench", "data": {"source": "user", "name": "rows"},
        "strategies": [
            {"name": "tune", "strategy": "fine_tuning", "from": "base", "config": {
                "method": strategy,
                "training": {
                    "steps": WARM_UP + steps, "batch_size": 8, "learning_rate": 1e-3, "warmup_steps": 0,
                    "evaluation_interval": 0, "sample_interval": 0, "sample_tokens": 0, "checkpoint_interval": 0
                }
            }},
            {"name": "base", "strategy": "pretraining"}
        ]
    }))?;
    let prepared = prepare(&Registry::default(), &experiment, "tune", rows(), base)?;
    let host = Rc::new(BenchHost {
        began: Instant::now(),
        steps: RefCell::default(),
    });
    let device = device::open(BackendChoice::Cpu).await?;
    let platform = Platform::offline(device, host.clone());
    let result = prepared.execute("bench".into(), platform, None).await?;
    let made = host.steps.borrow();
    let mut milliseconds: Vec<f64> = made
        .windows(2)
        .skip(WARM_UP - 1)
        .map(|pair| pair[1].0.duration_since(pair[0].0).as_secs_f64() * 1000.0)
        .collect();
    milliseconds.sort_by(f64::total_cmp);
    let metric = |name: &str| result.metrics.get(name).copied().unwrap_or(f64::NAN);
    let adapter = match method {
        "full" => 0.0,
        _ => 4.0 * metric("trainable_parameters"),
    };
    let losses: Vec<f64> = made.iter().map(|(_, loss)| *loss).collect();
    Ok(json!({
        "step_ms": milliseconds[milliseconds.len() / 2],
        "minimum_ms": milliseconds[0],
        "parameters": metric("parameters"),
        "trainable_parameters": metric("trainable_parameters"),
        "base_bytes": metric("weight_bytes") - adapter,
        "optimizer_bytes": metric("optimizer_bytes"),
        "peak_bytes": metric("peak_bytes"),
        "losses": losses,
    }))
}

/// Questions and answers of 32 bytes each.
fn rows() -> String {
    let row = |number: usize| {
        let text = |first: usize| -> String {
            let letter = |place: usize| (b'a' + ((number * 31 + place * place) % 26) as u8) as char;
            (first..first + 31).map(letter).collect()
        };
        json!({"prompt": text(0), "response": text(31)}).to_string()
    };
    (0..64).map(row).collect::<Vec<_>>().join("\n")
}

/// Notes when each step was done, and its loss.
struct BenchHost {
    began: Instant,
    steps: RefCell<Vec<(Instant, f64)>>,
}

#[async_trait(?Send)]
impl Host for BenchHost {
    fn now(&self) -> f64 {
        self.began.elapsed().as_secs_f64() * 1000.0
    }

    fn emit(&self, event: Event) {
        if let Event::Metrics { records, .. } = event {
            let losses = records
                .iter()
                .filter_map(|record| record.values.get("loss"));
            let now = Instant::now();
            self.steps
                .borrow_mut()
                .extend(losses.map(|&loss| (now, loss)));
        }
    }

    async fn next_command(&self, _wait: bool) -> Option<Command> {
        None
    }

    fn peak_bytes(&self) -> Option<u64> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
        let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kilobytes * 1024)
    }
}
