//! `cargo xtask bench parallel`: two strategies that do not depend on each other, each alone and both side by
//! side, as `lab run` makes them on this machine's CPU. Prints seconds and how much longer both take than the
//! longer one alone, or one JSON document with `--json`; `--steps N` sets how long the strategies are.

use lab_protocol::{DataConfig, ExperimentConfig, PretrainingConfig, StrategyConfig};
use serde_json::json;
use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// GPT-2's and Llama's ways, on the village's text.
const STRATEGIES: [&str; 2] = ["gpt2", "llama"];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given = arguments.iter().position(|argument| argument == "--steps");
    let given = given.and_then(|at| arguments.get(at + 1));
    let steps: usize = given.map_or(Ok(300), |steps| steps.parse())?;
    // The program is built beside its examples.
    let example = std::env::current_exe()?;
    let folder = example.parent().and_then(Path::parent);
    let lab = folder.ok_or("no folder")?.join("lab");

    let first = measure(&lab, &STRATEGIES[..1], steps)?;
    let second = measure(&lab, &STRATEGIES[1..], steps)?;
    let both = measure(&lab, &STRATEGIES, steps)?;
    let ratio = both / first.max(second);
    if arguments.iter().any(|argument| argument == "--json") {
        let alone = json!({STRATEGIES[0]: first, STRATEGIES[1]: second});
        println!(
            "{}",
            json!({"alone_s": alone, "both_s": both, "both_to_longer": ratio})
        );
    } else {
        println!("{:<8}{first:>8.2} s", STRATEGIES[0]);
        println!("{:<8}{second:>8.2} s", STRATEGIES[1]);
        println!("{:<8}{both:>8.2} s, {ratio:.2} of the longer one", "both");
    }
    Ok(())
}

/// Seconds that `lab run` takes for these strategies.
fn measure(lab: &Path, strategies: &[&str], steps: usize) -> Result<f64, Box<dyn Error>> {
    let mut experiment = ExperimentConfig::new("parallel", DataConfig::village("hamlet"));
    for name in strategies {
        let mut config = PretrainingConfig::default();
        if *name == "llama" {
            config.model.norm = lab_protocol::Norm::RmsNorm;
            config.model.position = lab_protocol::Position::Rope;
            config.model.activation = lab_protocol::Activation::Swiglu;
        }
        config.training.steps = steps;
        experiment = experiment.with(StrategyConfig::new(name, "pretraining", &config)?);
    }
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("experiment.json");
    std::fs::write(&file, serde_json::to_vec(&experiment)?)?;
    let began = Instant::now();
    let output = Command::new(lab)
        .arg("run")
        .arg(&file)
        .arg("--out")
        .arg(folder.path().join("out"))
        .stdout(Stdio::null())
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(began.elapsed().as_secs_f64())
}
