//! The state of all files that a worker is built from, as one number.

use anyhow::{Context, Result};
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::time::UNIX_EPOCH;

/// Crates that no worker contains.
const NOT_IN_WORKERS: [&str; 4] = ["lab-cli", "lab-client", "lab-package", "xtask"];
/// Folders of a crate that are not part of its library.
const NOT_IN_LIBRARIES: [&str; 5] = ["tests", "examples", "benches", "worker", "npm"];

/// The state of everything a worker is compiled from: names, sizes and times of writing.
pub fn state(root: &Path) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for file in ["Cargo.toml", "Cargo.lock", ".cargo/config.toml"] {
        add_file(&root.join(file), &mut hasher)?;
    }
    add_folder(&root.join("crates"), &NOT_IN_WORKERS, 0, &mut hasher)?;
    Ok(format!("{:016x}", hasher.finish()))
}

fn add_folder(
    folder: &Path,
    without: &[&str],
    depth: usize,
    hasher: &mut impl Hasher,
) -> Result<()> {
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .with_context(|| format!("cannot list {}", folder.display()))?
        .collect::<std::io::Result<Vec<_>>>()?
        .into_iter()
        .filter(|entry| !without.iter().any(|name| entry.file_name() == *name))
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            // Only directly in a crate is `tests` a folder of tests.
            add_folder(
                &path,
                if depth == 0 { &NOT_IN_LIBRARIES } else { &[] },
                depth + 1,
                hasher,
            )?;
        } else {
            add_file(&path, hasher)?;
        }
    }
    Ok(())
}

fn add_file(path: &Path, hasher: &mut impl Hasher) -> Result<()> {
    let meta = path
        .metadata()
        .with_context(|| format!("cannot read {}", path.display()))?;
    let written = meta
        .modified()?
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    (path, meta.len(), written).hash(hasher);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir_all, write};

    #[test]
    fn a_change_in_a_library_is_seen_and_one_beside_it_is_not() -> Result<()> {
        let root = std::env::temp_dir().join(format!("xtask-inputs-{}", std::process::id()));
        for folder in [
            ".cargo",
            "crates/lab-a/src/tests",
            "crates/lab-a/worker",
            "crates/lab-cli",
        ] {
            create_dir_all(root.join(folder))?;
        }
        for file in [
            "Cargo.toml",
            "Cargo.lock",
            ".cargo/config.toml",
            "crates/lab-a/src/tests/x.rs",
        ] {
            write(root.join(file), "")?;
        }
        let first = state(&root)?;
        write(root.join("crates/lab-a/worker/worker.js"), "1")?;
        write(root.join("crates/lab-cli/main.rs"), "1")?;
        assert_eq!(state(&root)?, first);
        write(root.join("crates/lab-a/src/tests/x.rs"), "1")?;
        assert_ne!(state(&root)?, first);
        std::fs::remove_dir_all(&root)?;
        Ok(())
    }
}
