//! Paths: the checkout, its target folder, and the cache outside of it.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

use crate::command::Cmd;

/// The checkout and the folders that belong to it.
pub struct Workspace {
    /// The root of the checkout.
    pub root: PathBuf,
    /// Cargo's target folder.
    pub target: PathBuf,
    /// The folder of the tools, which all checkouts share.
    pub cache: PathBuf,
}

impl Workspace {
    /// Finds the checkout this program was started in.
    pub fn find() -> Result<Self> {
        // Cargo sets the variable for `cargo xtask`; a hook that runs this program inherits it.
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest
            .ancestors()
            .find(|folder| folder.join("Cargo.lock").is_file())
            .with_context(|| format!("no Cargo.lock above {}", manifest.display()))?
            .to_path_buf();
        let target = match std::env::var_os("LLM_LABS_TARGET") {
            Some(target) => PathBuf::from(target),
            None => target(&root)?,
        };
        Ok(Self {
            root,
            target,
            cache: cache()?,
        })
    }

    /// The target folder for wasm, separate from the one for this machine: another compiler may build it.
    pub fn wasm_target(&self) -> PathBuf {
        self.target.join("wasm")
    }

    /// The version of a package in Cargo.lock.
    pub fn locked_version(&self, package: &str) -> Result<String> {
        let path = self.root.join("Cargo.lock");
        let lock = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        locked_version(&lock, package)
            .with_context(|| format!("Cargo.lock has no package {package}"))
    }

    /// The oldest Rust version the workspace builds with, as (major, minor).
    pub fn rust_version(&self) -> Result<(u32, u32)> {
        let manifest = std::fs::read_to_string(self.root.join("Cargo.toml"))?;
        manifest
            .lines()
            .find_map(|line| line.strip_prefix("rust-version = "))
            .and_then(|value| version_pair(value.trim_matches('"')))
            .context("Cargo.toml states no rust-version")
    }

    /// A path inside the checkout.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }
}

/// Cargo's target folder, which a variable or a setting may have moved.
fn target(root: &Path) -> Result<PathBuf> {
    let metadata = Cmd::cargo()
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .dir(root)
        .read()?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    metadata["target_directory"]
        .as_str()
        .map(PathBuf::from)
        .context("cargo metadata names no target folder")
}

/// `$LLM_LABS_CACHE`, else `$XDG_CACHE_HOME/llm-labs`, else `~/.cache/llm-labs`.
fn cache() -> Result<PathBuf> {
    let given = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let folder = if let Some(folder) = given("LLM_LABS_CACHE") {
        folder
    } else if let Some(folder) = given("XDG_CACHE_HOME") {
        folder.join("llm-labs")
    } else if let Some(home) = given("HOME") {
        home.join(".cache/llm-labs")
    } else {
        bail!("neither LLM_LABS_CACHE nor HOME is set: no place to keep tools in")
    };
    std::fs::create_dir_all(&folder).with_context(|| {
        format!(
            "cannot create {}: name a writable folder in LLM_LABS_CACHE",
            folder.display()
        )
    })?;
    folder
        .canonicalize()
        .context("the cache folder cannot be resolved")
}

fn locked_version(lock: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    lines.next()?;
    Some(
        lines
            .next()?
            .strip_prefix("version = \"")?
            .strip_suffix('"')?
            .to_string(),
    )
}

/// The first two numbers of a version: `1.96.0-x` is (1, 96).
pub fn version_pair(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_file_names_the_exact_version() {
        let lock = "[[package]]\nname = \"a\"\nversion = \"0.1.0\"\n\n[[package]]\nname = \"a-b\"\nversion = \"2.0.0\"\n";
        assert_eq!(locked_version(lock, "a-b").as_deref(), Some("2.0.0"));
        assert_eq!(locked_version(lock, "b"), None);
    }

    #[test]
    fn versions_are_compared_by_their_first_two_numbers() {
        assert_eq!(version_pair("1.96.0"), Some((1, 96)));
        assert!(version_pair("1.100.0") > version_pair("1.96.1"));
        assert_eq!(version_pair("nightly"), None);
    }
}
