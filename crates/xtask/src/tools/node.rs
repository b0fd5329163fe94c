//! Node and the npm packages of the tests and benchmarks.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

use crate::command::{Cmd, which};
use crate::progress::note;

/// The oldest node whose test runner and fetch the tests use.
const OLDEST: u32 = 20;

/// The node program; npm is beside it.
pub fn node() -> Result<PathBuf> {
    let node = which("node")
        .context("node is not on the search path: install Node.js 20 or newer, with npm")?;
    let version = Cmd::new(&node).arg("--version").read()?;
    let major = version
        .trim_start_matches('v')
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < OLDEST) {
        bail!("node {version} is too old: install Node.js {OLDEST} or newer");
    }
    Ok(node)
}

/// Installs the packages of a folder's package.json unless they are there already.
pub fn packages(folder: &Path) -> Result<()> {
    let manifest = folder.join("package.json");
    if !manifest.is_file() || is_installed(folder) {
        return Ok(());
    }
    note(&format!("npm packages of {}", folder.display()));
    let node = node()?;
    let action = if folder.join("package-lock.json").is_file() {
        "ci"
    } else {
        "install"
    };
    Cmd::new(node.with_file_name("npm"))
        .args([action, "--no-audit", "--no-fund"])
        .dir(folder)
        .read()
        .with_context(|| format!("the npm packages of {} cannot be had", folder.display()))?;
    Ok(())
}

/// npm writes its own lock file last: it is newer than the files it was made from.
fn is_installed(folder: &Path) -> bool {
    let modified = |name: &str| {
        folder
            .join(name)
            .metadata()
            .and_then(|meta| meta.modified())
            .ok()
    };
    let Some(installed) = modified("node_modules/.package-lock.json") else {
        return false;
    };
    ["package.json", "package-lock.json"]
        .iter()
        .filter_map(|name| modified(name))
        .all(|asked| asked <= installed)
}
