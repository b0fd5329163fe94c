//! `cargo xtask bench rlhf`: PPO, DPO and GRPO on a task whose best policy is known, three seeds each, from
//! the same transformer by the same strategies as any run. Prints a table, or one JSON document with
//! `--json`; `--method ppo` runs one of them, `--config JSON` replaces its configuration.

use async_trait::async_trait;
use lab_bench::{KnownOptimum, Worth};
use lab_protocol::{BackendChoice, Command, Event, LogLevel};
use lab_strategies::{Host, Platform, Registry, device, prepare};
use serde_json::{Map, Value, json};
use std::error::Error;
use std::rc::Rc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

const SEEDS: [u64; 3] = [1, 2, 3];

/// A host that gives no commands; warnings go to standard error.
struct Quiet {
    watch: bool,
}

#[async_trait(?Send)]
impl Host for Quiet {
    fn now(&self) -> f64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.map_or(0.0, |time| time.as_secs_f64() * 1000.0)
    }

    fn emit(&self, event: Event) {
        match event {
            Event::Log {
                level: LogLevel::Warning,
                message,
            } => eprintln!("{message}"),
            Event::Metrics { records, .. } if self.watch => {
                for record in records {
                    let value = |name: &str| record.values.get(name).copied().unwrap_or(f64::NAN);
                    eprintln!(
                        "{:>5} reward {:.3} kl {:.3} objective {:.4} loss {:.4} clip {:.3} entropy {:.3} explained {:.3} dpo {:.4}",
                        record.step,
                        value("average_reward"),
                        value("objective/kl"),
                        value("objective/rlhf_reward"),
                        value("ppo_loss"),
                        value("policy/clipfrac_avg"),
                        value("policy/entropy_avg"),
                        value("explained_variance"),
                        value("loss"),
                    );
                }
            }
            _ => {}
        }
    }

    async fn next_command(&self, _wait: bool) -> Option<Command> {
        None
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let after = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name)?;
        arguments.get(place + 1).cloned()
    };
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let task = KnownOptimum::STANDARD;
    let chosen = after("--method");
    let given: Option<Value> = after("--config")
        .map(|text| serde_json::from_str(&text))
        .transpose()?;
    let mut rows: Vec<(&str, u64, Worth, f64)> = Vec::new();
    // Without a penalty the score must be higher: the difference is the penalty's cost.
    for method in ["ppo", "dpo", "grpo", "ppo_without_kl"] {
        if chosen.as_deref().is_some_and(|chosen| chosen != method) {
            continue;
        }
        let seeds = if method == "ppo_without_kl" {
            &SEEDS[..1]
        } else {
            &SEEDS
        };
        for &seed in seeds {
            let config = given.clone().unwrap_or_else(|| config(method));
            let (worth, seconds) =
                pollster::block_on(run(&task, method, config, seed, has("--watch")))?;
            eprintln!(
                "{method} seed {seed}: objective {:.4}, score {:.4}, KL {:.4}, KL to the optimum {:.4}, {seconds:.1} s",
                worth.objective, worth.score, worth.kl, worth.kl_to_optimum
            );
            rows.push((method, seed, worth, seconds));
        }
    }
    let table = |value: fn(&(&str, u64, Worth, f64)) -> f64| {
        let mut table = Map::new();
        for row in &rows {
            let list = table.entry(row.0).or_insert_with(|| json!([]));
            if let Value::Array(list) = list {
                list.push(json!(value(row)));
            }
        }
        Value::Object(table)
    };
    if has("--json") {
        let mut objective = table(|row| row.2.objective);
        if let Value::Object(methods) = &mut objective {
            methods.remove("ppo_without_kl");
        }
        let document = json!({
            "objective": objective,
            "optimum": (task.optimum() * 1e5).round() / 1e5,
            "score": table(|row| row.2.score),
            "kl": table(|row| row.2.kl),
            "kl_to_optimum": table(|row| row.2.kl_to_optimum),
            "seconds": table(|row| row.3),
        });
        println!("{document}");
        return Ok(());
    }
    println!(
        "{:<16}{:>5}{:>12}{:>10}{:>10}{:>18}{:>10}",
        "method", "seed", "objective", "score", "KL", "KL to optimum", "seconds"
    );
    for (method, seed, worth, seconds) in &rows {
        println!(
            "{method:<16}{seed:>5}{:>12.4}{:>10.4}{:>10.4}{:>18.4}{seconds:>10.1}",
            worth.objective, worth.score, worth.kl, worth.kl_to_optimum
        );
    }
    println!("optimum {:.5}", task.optimum());
    Ok(())
}

fn config(method: &str) -> Value {
    let optimizer = json!({"learning_rate": 1e-2, "minimum_learning_rate": 1e-4});
    let rollout = json!({"response_tokens": 8});
    let report = json!({"sample_interval": 0, "checkpoint_interval": 0});
    let reward = json!({"kind": "pattern", "pattern": "b"});
    let ppo = |kl_coefficient: f64| {
        json!({
            "reward": reward, "rollout": rollout, "report": report,
            "ppo": {
                "steps": 100, "batch_size": 256, "minibatches": 4, "epochs": 4, "lambda": 1.0,
                "kl_coefficient": kl_coefficient, "maximum_kl": 0.0, "optimizer": optimizer
            }
        })
    };
    match method {
        "ppo" => ppo(KnownOptimum::STANDARD.kl_coefficient),
        "ppo_without_kl" => ppo(0.0),
        "grpo" => json!({
            "reward": reward, "rollout": rollout, "report": report,
            "steps": 100, "prompts": 1, "group": 256, "minibatches": 4, "epochs": 4,
            "kl_coefficient": KnownOptimum::STANDARD.kl_coefficient, "kl": "reward", "maximum_kl": 0.0,
            "loss_type": "bnpo", "optimizer": optimizer
        }),
        _ => json!({
            "rollout": rollout, "report": report,
            "steps": 400, "batch_size": 64, "beta": KnownOptimum::STANDARD.kl_coefficient,
            "optimizer": optimizer
        }),
    }
}

/// Worth of the policy at the end, and seconds of training.
async fn run(
    task: &KnownOptimum,
    method: &str,
    config: Value,
    seed: u64,
    watch: bool,
) -> Result<(Worth, f64), Box<dyn Error>> {
    let device = device::open(BackendChoice::Cpu).await?;
    let base = task.base(seed, &device).await?;
    let strategy = match method {
        "dpo" | "grpo" => method,
        _ => "rlhf",
    };
    let text = match method {
        "dpo" => task.preferences(25_600, seed),
        _ => task.prompts(),
    };
    let experiment = task.experiment(strategy, config, seed)?;
    let began = Instant::now();
    let prepared = prepare(&Registry::default(), &experiment, "improve", text, base)?;
    let platform = Platform::offline(device.clone(), Rc::new(Quiet { watch }));
    let result = prepared.execute("bench".into(), platform, None).await?;
    let seconds = began.elapsed().as_secs_f64();
    Ok((task.worth(&result.files, &device).await?, seconds))
}
