//! The developer's commands. `cargo xtask --help` lists them.
//!
//! A command first fetches or builds the tools that it needs and the machine lacks, and keeps them outside the
//! checkout (`workspace::cache`). Messages go to standard error; standard output carries results only.

mod bench;
mod build;
mod cases;
mod command;
mod counts;
mod inputs;
mod npm;
mod profile;
mod progress;
mod serve;
mod size;
mod test;
mod tools;
mod workers;
mod workspace;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;
use workspace::Workspace;

const ENVIRONMENT: &str = "Environment:
  LLM_LABS_CACHE          where tools are kept (default: $XDG_CACHE_HOME/llm-labs, ~/.cache/llm-labs)
  LLM_LABS_NO_TARGET_ADD  when set, `rustup target add` is not tried: the toolchain stays as it is
  CHROMIUM                the browser of tests and benchmarks";

#[derive(Parser)]
#[command(after_help = ENVIRONMENT)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "The developer's commands of LLM Labs"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds the playground and serves it on this machine; rebuilds it after changes
    Serve(serve::Options),
    /// Runs every test: formatting, lints, Rust, wasm in a browser, the page end to end
    Test(test::Options),
    /// Measures: `browser`, `native`, and the other programs in the lab's examples
    Bench(bench::Options),
    /// Builds the smallest site and lists the files that the page loads: raw, gzip, brotli
    Size(size::Options),
    /// Builds the npm package into target/npm/
    Npm(npm::Options),
    /// Builds the site into dist/
    Build(build::Options),
    /// Builds the workers (CPU and WebGPU) into web/worker-dist/
    Workers(workers::Options),
    /// Provides the tools that the other commands use, and prints their paths
    Tools(tools::Options),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    match command {
        Command::Serve(options) => serve::run(&workspace, &options),
        Command::Test(options) => test::run(&workspace, &options),
        Command::Bench(options) => bench::run(&workspace, &options),
        Command::Size(options) => size::run(&workspace, &options),
        Command::Npm(options) => npm::run(&workspace, &options),
        Command::Build(options) => build::run(&workspace, &options),
        Command::Workers(options) => workers::run(&workspace, &options),
        Command::Tools(options) => tools::run(&workspace, &options),
    }
}
