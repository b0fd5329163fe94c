//! Runs the benchmarks: `browser` is tests/bench/, every other one an example of lab-bench.

use anyhow::{Result, bail};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::build;
use crate::command::Cmd;
use crate::profile::{Profile, Variant};
use crate::progress::{Steps, note};
use crate::tools;
use crate::workspace::Workspace;

#[derive(Args)]
pub struct Options {
    /// `browser`: beside jax-js and TensorFlow.js in one Chromium; `native`: steps of this machine;
    /// `retrieval`: vector search beside hnsw_rs and usearch
    name: String,
    /// Print one JSON document on standard output, and nothing else there
    #[arg(long)]
    json: bool,
    /// Measure the build that is published rather than the one that is served
    #[arg(long)]
    small: bool,
    /// With `retrieval`: in headless Chromium, beside hnswlib-wasm; with `lora` and `parallel`: in the page, in headless
    /// Chromium on the CPU
    #[arg(long)]
    wasm: bool,
    /// Further arguments, after `--`, for the benchmark itself
    #[arg(last = true)]
    args: Vec<String>,
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    let cmd = match options.name.as_str() {
        "browser" => browser(workspace, options)?,
        "retrieval" => retrieval(workspace, options.wasm)?,
        name @ ("lora" | "parallel") if options.wasm => in_page(workspace, name)?,
        _ => native(workspace, options)?,
    };
    let cmd = if options.json { cmd.arg("--json") } else { cmd };
    let status = cmd.args(&options.args).dir(&workspace.root).status()?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn browser(workspace: &Workspace, options: &Options) -> Result<Cmd> {
    let mut steps = Steps::new(build::STEPS + 2);
    let variant = Variant {
        profile: if options.small {
            Profile::Small
        } else {
            Profile::Standard
        },
        bench: true,
    };
    let site = build::site(workspace, variant, &mut steps)?;
    steps.next("Chromium and the peers");
    let folder = workspace.path("tests/bench");
    tools::packages(&folder)?;
    let chromium = tools::chromium()?;
    steps.next("measuring");
    Ok(Cmd::new(tools::node()?)
        .arg(folder.join("run.mjs"))
        .env("LAB_DIST", site)
        .env("CHROMIUM", chromium))
}

fn in_page(workspace: &Workspace, name: &str) -> Result<Cmd> {
    let mut steps = Steps::new(build::STEPS + 1);
    let site = build::site(workspace, Profile::Standard, &mut steps)?;
    steps.next("Chromium");
    tools::packages(&workspace.path("tests/e2e"))?;
    Ok(Cmd::new(tools::node()?)
        .arg(workspace.path(format!("tests/bench/{name}.mjs")))
        .env("LAB_DIST", site)
        .env("CHROMIUM", tools::chromium()?))
}

/// Vectors that are searched, and the queries after them.
const SENTENCE_VECTORS: usize = 30_500;

/// The vectors are generated once and kept in the cache. The peers are a package of their own, because nothing else
/// builds their dependencies.
fn retrieval(workspace: &Workspace, wasm: bool) -> Result<Cmd> {
    let vectors = sentence_vectors(workspace)?;
    let folder = workspace.path("tests/bench-retrieval");
    if wasm {
        let rust = tools::WasmRust::provide(workspace)?;
        let module = build::bare(workspace, &rust, "lab-retrieval", "bench_wasm")?;
        tools::packages(&folder)?;
        return Ok(Cmd::new(tools::node()?)
            .arg(folder.join("wasm.mjs"))
            .arg(module)
            .arg(vectors)
            .env("CHROMIUM", tools::chromium()?));
    }
    let target = workspace.target.join("bench-retrieval");
    note("building in release, with hnsw_rs and usearch");
    Cmd::cargo()
        .args(["build", "--quiet", "--release"])
        .env("CARGO_TARGET_DIR", &target)
        .dir(&folder)
        .stdout_to_stderr()?
        .run()?;
    Ok(Cmd::new(target.join("release/bench-retrieval")).arg(vectors))
}

/// Vectors of the built-in text by the sentence encoder, made at the first call.
fn sentence_vectors(workspace: &Workspace) -> Result<PathBuf> {
    let file = format!("sentence-vectors-{SENTENCE_VECTORS}.f32");
    let vectors = workspace.cache.join(file);
    if !vectors.is_file() {
        let encoder = tools::encoder(&workspace.cache)?;
        note("making sentence vectors of the built-in text: once, and some minutes long");
        let example = [
            "--package",
            "lab-bench",
            "--example",
            "sentence_vectors",
            "--",
        ];
        Cmd::cargo()
            .args(["run", "--quiet", "--release"])
            .args(example)
            .arg(encoder)
            .arg(&vectors)
            .arg(SENTENCE_VECTORS.to_string())
            .dir(&workspace.root)
            .stdout_to_stderr()?
            .run()?;
    }
    Ok(vectors)
}

fn native(workspace: &Workspace, options: &Options) -> Result<Cmd> {
    let name = format!("bench_{}", options.name.replace('-', "_"));
    let known = examples(workspace);
    if !known.contains(&name) {
        let names: Vec<&str> = known
            .iter()
            .filter_map(|name| name.strip_prefix("bench_"))
            .collect();
        bail!(
            "no benchmark is called {}: there are browser retrieval {}",
            options.name,
            names.join(" ")
        );
    }
    note("building in release");
    // Built separately from the run, so standard output has only the benchmark's result.
    let cargo = |action: &str| {
        Cmd::cargo().args([
            action,
            "--quiet",
            "--release",
            "--package",
            "lab-bench",
            "--example",
            &name,
        ])
    };
    // Also builds the program, which `parallel` runs.
    cargo("build")
        .args(["--package", "lab-cli", "--bin", "lab"])
        .dir(&workspace.root)
        .stdout_to_stderr()?
        .run()?;
    Ok(cargo("run").arg("--"))
}

fn examples(workspace: &Workspace) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(workspace.path("crates/lab-bench/examples")) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| {
            entry
                .path()
                .file_stem()
                .and_then(|stem| stem.to_str())
                .map(String::from)
        })
        .filter(|name| name.starts_with("bench_"))
        .collect();
    names.sort();
    names
}
