//! `cargo xtask bench native`: training steps on this machine's CPU, on the shapes of the browser's
//! benchmark, with one thread and with all. Prints a table, or one JSON document with `--json`; `--steps N`
//! sets how many steps are timed after the first three.

use lab_bench::{BenchShape, StepBench};
use lab_protocol::BackendChoice;
use lab_strategies::device;
use serde_json::{Map, Value, json};
use std::error::Error;
use std::process::Command;
use std::time::Instant;

const SHAPES: [(&str, BenchShape); 2] = [("small", shape(64, 64)), ("larger", shape(128, 128))];
const WARM_UP: usize = 3;
/// Set in the child processes: the threads of the CPU backend are fixed when it starts.
const CHILD: &str = "LAB_BENCH_CHILD";

const fn shape(width: usize, context: usize) -> BenchShape {
    BenchShape {
        layers: 4,
        heads: 4,
        width,
        context,
        vocabulary: 65,
        batch: 8,
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given = arguments
        .iter()
        .position(|argument| argument == "--steps")
        .and_then(|at| arguments.get(at + 1));
    let steps: usize = given.map_or(Ok(30), |steps| steps.parse())?;
    if std::env::var_os(CHILD).is_some() {
        let table: Result<Map<String, Value>, Box<dyn Error>> = SHAPES
            .into_iter()
            .map(|(name, shape)| Ok((name.to_owned(), pollster::block_on(measure(shape, steps))?)))
            .collect();
        println!("{}", Value::Object(table?));
        return Ok(());
    }

    let all = std::thread::available_parallelism()?.get();
    let mut document = Map::new();
    for threads in if all > 1 { vec![1, all] } else { vec![1] } {
        let output = Command::new(std::env::current_exe()?)
            .args(&arguments)
            .env(CHILD, "1")
            .env("RAYON_NUM_THREADS", threads.to_string())
            .output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        document.insert(
            format!("{threads}_threads"),
            serde_json::from_slice(&output.stdout)?,
        );
    }
    let ratio = |name: &str| {
        let median =
            |threads: usize| document[&format!("{threads}_threads")][name]["median"].as_f64();
        median(1).zip(median(all)).map(|(one, all)| one / all)
    };
    let ratios = json!({"small": ratio("small"), "larger": ratio("larger")});
    if arguments.iter().any(|argument| argument == "--json") {
        println!(
            "{}",
            json!({"step_ms": document, "one_thread_to_all": ratios})
        );
        return Ok(());
    }
    println!(
        "{:<12}{:<10}{:>12}{:>12}{:>12}",
        "threads", "shape", "median ms", "minimum", "maximum"
    );
    for (threads, shapes) in &document {
        for (name, _) in SHAPES {
            let value = |key: &str| shapes[name][key].as_f64().unwrap_or(f64::NAN);
            println!(
                "{threads:<12}{name:<10}{:>12.1}{:>12.1}{:>12.1}",
                value("median"),
                value("minimum"),
                value("maximum")
            );
        }
    }
    println!("one thread to all: {ratios}");
    Ok(())
}

async fn measure(shape: BenchShape, steps: usize) -> Result<Value, Box<dyn Error>> {
    let mut bench = StepBench::new(shape, Vec::new(), device::open(BackendChoice::Cpu).await?)?;
    let count = shape.batch * shape.context;
    let text: Vec<i32> = (0..=count as i32)
        .map(|i| i * i % shape.vocabulary as i32)
        .collect();
    let mut milliseconds = Vec::new();
    let mut loss = f64::NAN;
    for step in 0..WARM_UP + steps {
        let began = Instant::now();
        loss = bench
            .step(text[..count].to_vec(), text[1..].to_vec())
            .await?;
        if step >= WARM_UP {
            milliseconds.push(began.elapsed().as_secs_f64() * 1000.0);
        }
    }
    milliseconds.sort_by(f64::total_cmp);
    let at = |share: f64| milliseconds[((milliseconds.len() - 1) as f64 * share) as usize];
    Ok(json!({"median": at(0.5), "minimum": at(0.0), "maximum": at(1.0), "last_loss": loss}))
}
