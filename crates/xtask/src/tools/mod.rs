//! What the commands need beyond cargo. Each file provides one thing: it takes what the machine has
//! when that is the right version, and else fetches or builds it into the cache. A thing is put
//! together in a folder of its own and renamed into place, so an interrupted run leaves nothing half-made.

mod chromium;
mod crates;
mod encoder;
mod node;
mod wasm_opt;
mod wasm_target;

use anyhow::{Context, Result};
use clap::Args;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub use chromium::chromium;
pub use encoder::encoder;
pub use node::{node, packages};
pub use wasm_target::{TARGET, WasmRust};

use crate::command::Cmd;
use crate::progress::{Steps, note};
use crate::workspace::Workspace;

/// How many steps `Toolbox::provide` announces.
pub const STEPS: usize = 4;

#[derive(Args)]
pub struct Options {}

/// Provides everything and says where it is.
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
    /// Provides what is missing; a second call finds everything in place.
    pub fn provide(workspace: &Workspace, steps: &mut Steps) -> Result<Self> {
        let _lock = lock(&workspace.cache)?;
        remove_leftovers(&workspace.cache);
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

    /// The search path with these tools in front, so that trunk finds them and fetches none.
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

/// Waits until no other run provides tools. The lock ends with the file's value.
fn lock(cache: &Path) -> Result<File> {
    let path = cache.join("lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    if file.try_lock().is_err() {
        note("another run is providing tools: waiting for it");
        file.lock()
            .with_context(|| format!("cannot lock {}", path.display()))?;
    }
    Ok(file)
}

/// The folder in which things are put together. Only the holder of the lock uses it.
fn workshop(cache: &Path, name: &str) -> Result<PathBuf> {
    let folder = cache.join("unfinished").join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}

fn remove_leftovers(cache: &Path) {
    // What an interrupted run left; if it cannot be removed it is only in the way of disk space.
    let _ = std::fs::remove_dir_all(cache.join("unfinished"));
}

/// Renames a finished folder into its place.
fn put_in_place(finished: &Path, place: &Path) -> Result<()> {
    if let Some(parent) = place.parent() {
        std::fs::create_dir_all(parent)?;
    }
    if place.exists() {
        std::fs::remove_dir_all(place)?;
    }
    std::fs::rename(finished, place)
        .with_context(|| format!("cannot move {} to {}", finished.display(), place.display()))
}

/// Runs a program as root, through sudo where needed. False if that is not possible.
fn as_root(program: &str, args: &[&str]) -> bool {
    let root = Cmd::new("id").arg("-u").read().is_ok_and(|id| id == "0");
    let limit = std::time::Duration::from_secs(900);
    let cmd = if root {
        Cmd::new(program).args(args)
    } else {
        Cmd::new("sudo")
            .args(["-n", "env", "DEBIAN_FRONTEND=noninteractive", program])
            .args(args)
    };
    cmd.env("DEBIAN_FRONTEND", "noninteractive")
        .succeeds_within(limit)
}
