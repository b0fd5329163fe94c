//! The tools that build the site, and the command that provides them.

use anyhow::{Context, Result};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::chromium::chromium;
use super::wasm_target::WasmRust;
use super::{crates, place, wasm_opt};
use crate::progress::{Steps, note};
use crate::workspace::Workspace;

/// Number of steps that `Toolbox::provide` announces.
pub const STEPS: usize = 4;

#[derive(Args)]
pub struct Options {}

/// Provides everything and prints the paths.
pub fn run(workspace: &Workspace, _: &Options) -> Result<ExitCode> {
    let mut steps = Steps::new(STEPS + 1);
    let tools = Toolbox::provide(workspace, &mut steps)?;
    steps.next("Chromium for the tests");
    let browser = chromium()?;
    note(&format!("{}", browser.display()));
    println!("wasm compiler  {}", tools.rust.describe());
    println!("wasm-bindgen   {}", tools.wasm_bindgen.display());
    println!("trunk          {}", tools.trunk.display());
    println!("wasm-opt       {}", tools.wasm_opt.display());
    println!("chromium       {}", browser.display());
    Ok(ExitCode::SUCCESS)
}

/// The tools that build the site.
pub struct Toolbox {
    pub rust: WasmRust,
    pub wasm_bindgen: PathBuf,
    pub trunk: PathBuf,
    pub wasm_opt: PathBuf,
}

impl Toolbox {
    /// Provides missing tools; a second call finds everything in place.
    pub fn provide(workspace: &Workspace, steps: &mut Steps) -> Result<Self> {
        let _lock = place::lock(&workspace.cache)?;
        place::remove_leftovers(&workspace.cache);
        steps.next("Rust for wasm32-unknown-unknown");
        let rust = WasmRust::provide(workspace)?;
        let version = workspace.locked_version("wasm-bindgen")?;
        steps.next(&format!("wasm-bindgen {version}"));
        let wasm_bindgen = crates::wasm_bindgen(&workspace.cache, &version)?;
        steps.next(&format!("trunk {}", crates::TRUNK_VERSION));
        let trunk = crates::trunk(&workspace.cache)?;
        steps.next(&format!("wasm-opt {}", wasm_opt::VERSION));
        let wasm_opt = wasm_opt::provide(&workspace.cache)?;
        Ok(Self {
            rust,
            wasm_bindgen,
            trunk,
            wasm_opt,
        })
    }

    /// The search path with these tools in front, so trunk finds them and downloads none.
    pub fn search_path(&self) -> Result<std::ffi::OsString> {
        let own = [&self.wasm_bindgen, &self.wasm_opt]
            .into_iter()
            .filter_map(|tool| tool.parent());
        let given = std::env::var_os("PATH").unwrap_or_default();
        let all = own
            .map(Path::to_path_buf)
            .chain(std::env::split_paths(&given));
        std::env::join_paths(all).context("a folder of the search path has a separator in its name")
    }
}
