//! Building and placing of files. A result is built in a folder of its own and renamed into place, so an interrupted
//! run leaves nothing half-made.

use anyhow::{Context, Result};
use std::fs::File;
use std::path::{Path, PathBuf};

use crate::progress::note;

/// Waits until no other run provides tools. The lock ends with the file's value.
pub fn lock(cache: &Path) -> Result<File> {
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
pub fn workshop(cache: &Path, name: &str) -> Result<PathBuf> {
    let folder = cache.join("unfinished").join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}

pub fn remove_leftovers(cache: &Path) {
    // Leftovers of an interrupted run; a failure to remove them costs only disk space.
    let _ = std::fs::remove_dir_all(cache.join("unfinished"));
}

/// Renames a finished folder into its place.
pub fn put_in_place(finished: &Path, place: &Path) -> Result<()> {
    if let Some(parent) = place.parent() {
        std::fs::create_dir_all(parent)?;
    }
    if place.exists() {
        std::fs::remove_dir_all(place)?;
    }
    std::fs::rename(finished, place)
        .with_context(|| format!("cannot move {} to {}", finished.display(), place.display()))
}
