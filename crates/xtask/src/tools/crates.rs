//! Tools that are built from crates.io: wasm-bindgen's command line and trunk.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

use super::place;
use crate::command::{Cmd, which};
use crate::progress::{note, run_logged};

/// The last trunk that builds with Rust 1.95. Trunk.toml asks for the same.
pub const TRUNK_VERSION: &str = "0.21.14";

/// wasm-bindgen's command line, at exactly the version of the library.
pub fn wasm_bindgen(cache: &Path, version: &str) -> Result<PathBuf> {
    Tool {
        binary: "wasm-bindgen",
        package: "wasm-bindgen-cli",
        version,
        // These crates read and write tens of megabytes of wasm.
        optimised: &[
            "walrus",
            "wasmparser",
            "wasm-encoder",
            "wasm-bindgen-cli-support",
        ],
        locked: false,
        crates: 150,
    }
    .provide(cache)
}

/// Trunk without TLS and without its look for newer versions: it has nothing to download.
pub fn trunk(cache: &Path) -> Result<PathBuf> {
    Tool {
        binary: "trunk",
        package: "trunk",
        version: TRUNK_VERSION,
        optimised: &["sha2"],
        locked: true,
        crates: 330,
    }
    .provide(cache)
}

struct Tool<'a> {
    binary: &'a str,
    package: &'a str,
    version: &'a str,
    /// Crates compiled for speed. The others are compiled for a fast build.
    optimised: &'a [&'a str],
    /// Whether the package's own lock file is used.
    locked: bool,
    /// Number of crates that a build compiles, for the progress line.
    crates: usize,
}

impl Tool<'_> {
    fn provide(&self, cache: &Path) -> Result<PathBuf> {
        if let Some(found) = which(self.binary)
            && self.is_right(&found)
        {
            return Ok(found);
        }
        let place = cache.join(self.binary).join(self.version);
        let binary = place.join("bin").join(self.binary);
        if self.is_right(&binary) {
            return Ok(binary);
        }
        note("building from source, once");
        let workshop = place::workshop(cache, self.binary)?;
        self.build(cache, &workshop).with_context(|| {
            format!(
                "{} {} could not be built: install it by hand and start again",
                self.package, self.version
            )
        })?;
        place::put_in_place(&workshop.join("root"), &place)?;
        std::fs::remove_dir_all(&workshop)?;
        anyhow::ensure!(self.is_right(&binary), "{} does not run", binary.display());
        Ok(binary)
    }

    fn is_right(&self, binary: &Path) -> bool {
        binary.is_file()
            && Cmd::new(binary)
                .arg("--version")
                .read()
                .is_ok_and(|answer| answer.split_whitespace().nth(1) == Some(self.version))
    }

    /// The build is for this machine, now: the published profiles ask for link-time optimisation of
    /// everything, which takes several times longer and makes no difference that could be noticed here.
    fn build(&self, cache: &Path, workshop: &Path) -> Result<()> {
        let mut cmd = Cmd::cargo()
            .args([
                "install",
                self.package,
                "--version",
                &format!("={}", self.version),
            ])
            .args(["--no-default-features", "--bin", self.binary, "--no-track"])
            .arg("--root")
            .arg(workshop.join("root"));
        if self.locked {
            cmd = cmd.arg("--locked");
        }
        for name in self.optimised {
            cmd = cmd.args([
                "--config",
                &format!("profile.release.package.{name}.opt-level=2"),
            ]);
        }
        let cmd = cmd
            .env("CARGO_TARGET_DIR", workshop.join("target"))
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
            .env("CARGO_PROFILE_RELEASE_STRIP", "symbols")
            .dir(workshop);
        let cmd = [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_BUILD_TARGET",
            "RUSTC",
            "RUSTC_WRAPPER",
        ]
        .iter()
        .fold(cmd, |cmd, name| cmd.without_env(name));
        let log = cache.join(format!("{}.log", self.binary));
        run_logged(cmd, &log, Some(self.crates))
    }
}
