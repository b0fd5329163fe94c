//! Binaryen's wasm-opt, from the npm package, run by node.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

use super::{node::node, place};
use crate::command::Cmd;
use crate::progress::note;

/// Trunk.toml names the same version.
pub const VERSION: &str = "132";

/// The script that trunk calls. Optimising takes minutes, so it happens only if a build asks for it; otherwise the
/// file is passed on unchanged.
const WRAPPER: &str = r#"#!/bin/sh
here=$(dirname "$0")
if [ "$1" = --version ]; then echo "wasm-opt version VERSION (version_VERSION)"; exit 0; fi
if [ -n "$LLM_LABS_OPTIMISE" ]; then exec node "$here/../node_modules/binaryen/bin/wasm-opt" "$@"; fi
for argument in "$@"; do
  case $argument in
    --output=*) output=${argument#--output=} ;;
    -*) ;;
    *) input=$argument ;;
  esac
done
exec cp "$input" "$output"
"#;

/// The wrapper script; the package beside it is fetched when it is missing.
pub fn provide(cache: &Path) -> Result<PathBuf> {
    let place = cache.join("wasm-opt").join(VERSION);
    let wrapper = place.join("bin/wasm-opt");
    if wrapper.is_file() {
        return Ok(wrapper);
    }
    let node = node()?;
    note("fetching the npm package binaryen");
    let workshop = place::workshop(cache, "wasm-opt")?;
    std::fs::write(workshop.join("package.json"), "{\"private\": true}\n")?;
    Cmd::new(node.with_file_name("npm"))
        .args([
            "install",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            &format!("binaryen@{VERSION}.0.0"),
        ])
        .dir(&workshop)
        .read()
        .context("the npm package binaryen, which carries wasm-opt, cannot be had")?;
    // The package carries nine tools of ten megabytes each; one is used.
    let package = workshop.join("node_modules/binaryen");
    for entry in std::fs::read_dir(package.join("bin"))? {
        let entry = entry?;
        if entry.file_name() != "wasm-opt" && entry.file_name() != "package.json" {
            std::fs::remove_file(entry.path())?;
        }
    }
    std::fs::create_dir_all(workshop.join("bin"))?;
    let script = workshop.join("bin/wasm-opt");
    std::fs::write(&script, WRAPPER.replace("VERSION", VERSION))?;
    make_executable(&script)?;
    place::put_in_place(&workshop, &place)?;
    Ok(wrapper)
}

fn make_executable(file: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755))?;
    Ok(())
}
