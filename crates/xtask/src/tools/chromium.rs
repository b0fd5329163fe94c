//! The browser of the tests and benchmarks.

use anyhow::{Result, bail};
use std::path::PathBuf;
use std::time::Duration;

use crate::command::{Cmd, which};
use crate::progress::note;

const NAMES: [&str; 5] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
];
const APPLICATIONS: [&str; 2] = [
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];
/// Each package manager with the arguments that install the browser.
const INSTALLERS: [(&str, &[&[&str]]); 4] = [
    (
        "apt-get",
        &[
            &["update", "-qq"],
            &[
                "install",
                "-y",
                "-qq",
                "--no-install-recommends",
                "chromium",
                "fonts-dejavu-core",
                "fonts-liberation",
            ],
        ],
    ),
    (
        "dnf",
        &[&[
            "install",
            "-y",
            "-q",
            "chromium",
            "dejavu-sans-fonts",
            "liberation-fonts",
        ]],
    ),
    (
        "pacman",
        &[&[
            "-S",
            "--noconfirm",
            "--needed",
            "chromium",
            "ttf-dejavu",
            "ttf-liberation",
        ]],
    ),
    (
        "apk",
        &[&[
            "add",
            "--quiet",
            "chromium",
            "font-dejavu",
            "font-liberation",
        ]],
    ),
];

/// `$CHROMIUM`, else a browser on the machine, else one from the system's package manager.
pub fn chromium() -> Result<PathBuf> {
    if let Some(given) = std::env::var_os("CHROMIUM").map(PathBuf::from) {
        if given.is_file() {
            return Ok(given);
        }
        bail!("CHROMIUM names {}, which is not there", given.display());
    }
    if let Some(found) = find() {
        return Ok(found);
    }
    for (manager, calls) in INSTALLERS {
        if which(manager).is_none() {
            continue;
        }
        note(&format!(
            "installing Chromium with {manager} (a few minutes)"
        ));
        // The list of packages may be old and still do: only the last call has to succeed.
        let installed = calls.iter().fold(false, |_, args| as_root(manager, args));
        if installed && let Some(found) = find() {
            return Ok(found);
        }
    }
    bail!(
        "no Chromium or Chrome here, and none could be installed: install one, or name it in CHROMIUM"
    )
}

fn find() -> Option<PathBuf> {
    NAMES.iter().find_map(|name| which(name)).or_else(|| {
        APPLICATIONS
            .iter()
            .map(PathBuf::from)
            .find(|path| path.is_file())
    })
}

/// Runs a program as root, through sudo if necessary. Returns false if that is not possible.
fn as_root(program: &str, args: &[&str]) -> bool {
    let root = Cmd::new("id").arg("-u").read().is_ok_and(|id| id == "0");
    let limit = Duration::from_secs(900);
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
