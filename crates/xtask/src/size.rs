//! Lists the files that the page loads, with their sizes.

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};
use std::process::ExitCode;

use crate::build;
use crate::command::Cmd;
use crate::profile::Profile;
use crate::progress::Steps;
use crate::tools;
use crate::workspace::Workspace;

/// Compresses every file with node's zlib, at the settings a static host would use.
const COMPRESS: &str = include_str!("size.mjs");

#[derive(Args)]
pub struct Options {
    /// Print one JSON document on standard output, and nothing else there
    #[arg(long)]
    json: bool,
    /// Measure the build that is served, rather than the smallest
    #[arg(long)]
    standard: bool,
}

/// The part of the site that a file belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Page,
    Cpu,
    Gpu,
    Data,
}

impl Part {
    const ALL: [Self; 4] = [Self::Page, Self::Cpu, Self::Gpu, Self::Data];

    fn of(path: &str) -> Self {
        match path {
            path if path.starts_with("worker/cpu/") => Self::Cpu,
            path if path.starts_with("worker/gpu/") => Self::Gpu,
            path if path.starts_with("data/") || path.starts_with("experiments/") => Self::Data,
            _ => Self::Page,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Cpu => "worker_cpu",
            Self::Gpu => "worker_gpu",
            Self::Data => "data",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Page => "the page, always",
            Self::Cpu => "the worker for the CPU",
            Self::Gpu => "the worker for WebGPU",
            Self::Data => "texts and experiments, when chosen",
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Size {
    raw: u64,
    gzip: u64,
    brotli: u64,
}

impl Size {
    fn read(value: &Value) -> Option<Self> {
        let number = |name: &str| value[name].as_u64();
        Some(Self {
            raw: number("raw")?,
            gzip: number("gzip")?,
            brotli: number("brotli")?,
        })
    }

    fn plus(self, other: Self) -> Self {
        Self {
            raw: self.raw + other.raw,
            gzip: self.gzip + other.gzip,
            brotli: self.brotli + other.brotli,
        }
    }

    fn json(self) -> Value {
        json!({"raw": self.raw, "gzip": self.gzip, "brotli": self.brotli})
    }

    fn row(self, name: &str) -> String {
        format!(
            "{name:<52} {:>11} {:>11} {:>11}",
            grouped(self.raw),
            grouped(self.gzip),
            grouped(self.brotli)
        )
    }
}

struct Entry {
    path: String,
    part: Part,
    size: Size,
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    let mut steps = Steps::new(build::STEPS + 1);
    let profile = if options.standard {
        Profile::Standard
    } else {
        Profile::Small
    };
    let site = build::site(workspace, profile, &mut steps)?;
    steps.next("compressing every file");
    let answer = Cmd::new(tools::node()?)
        .args(["--input-type=module", "--eval", COMPRESS])
        .arg(&site)
        .read()?;
    let entries = entries(&answer).context("node's answer cannot be read")?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&document(&entries))?);
    } else {
        print_table(&entries);
    }
    Ok(ExitCode::SUCCESS)
}

fn entries(answer: &str) -> Option<Vec<Entry>> {
    let files: Value = serde_json::from_str(answer).ok()?;
    files
        .as_array()?
        .iter()
        .map(|file| {
            let path = file["path"].as_str()?.to_string();
            Some(Entry {
                part: Part::of(&path),
                size: Size::read(file)?,
                path,
            })
        })
        .collect()
}

fn total(entries: &[Entry], parts: &[Part]) -> Size {
    entries
        .iter()
        .filter(|entry| parts.contains(&entry.part))
        .fold(Size::default(), |sum, entry| sum.plus(entry.size))
}

fn document(entries: &[Entry]) -> Value {
    let files: Vec<Value> = entries
        .iter()
        .map(|entry| {
            let mut file = entry.size.json();
            file["path"] = json!(entry.path);
            file["part"] = json!(entry.part.name());
            file
        })
        .collect();
    let mut parts = json!({});
    for part in Part::ALL {
        parts[part.name()] = total(entries, &[part]).json();
    }
    json!({
        "files": files,
        "parts": parts,
        "first_load": {
            "cpu": total(entries, &[Part::Page, Part::Cpu]).json(),
            "gpu": total(entries, &[Part::Page, Part::Gpu]).json(),
        },
    })
}

fn print_table(entries: &[Entry]) {
    println!(
        "{:<52} {:>11} {:>11} {:>11}",
        "bytes", "raw", "gzip", "brotli"
    );
    for part in Part::ALL {
        let own: Vec<&Entry> = entries.iter().filter(|entry| entry.part == part).collect();
        if own.is_empty() {
            continue;
        }
        println!("\n{}", total(entries, &[part]).row(part.title()));
        for entry in own {
            println!("{}", entry.size.row(&format!("  {}", entry.path)));
        }
    }
    println!(
        "\n{}",
        total(entries, &[Part::Page, Part::Cpu]).row("first load on the CPU")
    );
    println!(
        "{}",
        total(entries, &[Part::Page, Part::Gpu]).row("first load on WebGPU")
    );
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(
            [grouped(0), grouped(999), grouped(1000), grouped(1234567)],
            ["0", "999", "1,000", "1,234,567"]
        );
    }

    #[test]
    fn the_first_load_is_the_page_and_one_worker() {
        let answer = r#"[{"path":"index.html","raw":10,"gzip":5,"brotli":4},
            {"path":"worker/worker.js","raw":1,"gzip":1,"brotli":1},
            {"path":"worker/cpu/lab_js_bg.wasm","raw":100,"gzip":50,"brotli":40},
            {"path":"worker/gpu/lab_js_bg.wasm","raw":1000,"gzip":500,"brotli":400},
            {"path":"data/novel.txt","raw":7,"gzip":7,"brotli":7}]"#;
        let document = document(&entries(answer).unwrap_or_default());
        assert_eq!(
            document["first_load"]["cpu"],
            json!({"raw": 111, "gzip": 56, "brotli": 45})
        );
        assert_eq!(
            document["first_load"]["gpu"],
            json!({"raw": 1011, "gzip": 506, "brotli": 405})
        );
        assert_eq!(document["parts"]["data"]["raw"], 7);
    }
}
