//! A Rust compiler with the library for wasm32-unknown-unknown.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::place;
use crate::command::{Cmd, which};
use crate::progress::{note, run_logged};
use crate::workspace::{Workspace, version_pair};

/// The target of the workers and the page.
pub const TARGET: &str = "wasm32-unknown-unknown";
/// Time limit for rustup's download of the target's library.
const FETCH_LIMIT: Duration = Duration::from_secs(60);
/// Builds a compiler of its own from Debian's packages; see there.
const FROM_DEBIAN: &str = include_str!("debian-wasm.sh");

/// The compiler that builds for wasm.
pub enum WasmRust {
    /// The one cargo uses anyway.
    Active,
    /// One in the cache, started by this script.
    Own(PathBuf),
}

impl WasmRust {
    /// The active compiler if it has the library, else the cache's if there is one, else one that can be installed.
    pub fn provide(workspace: &Workspace) -> Result<Self> {
        if Self::Active.works(&workspace.cache) {
            return Ok(Self::Active);
        }
        let place = workspace.cache.join("rust-wasm");
        let own = Self::Own(place.join("bin/rustc"));
        if own.is_new_enough(workspace) && own.works(&workspace.cache) {
            return Ok(own);
        }
        // It changes the installed toolchain, so it can be forbidden.
        let forbidden =
            std::env::var_os("LLM_LABS_NO_TARGET_ADD").is_some_and(|value| !value.is_empty());
        if !forbidden && which("rustup").is_some() {
            note(&format!(
                "rustup target add {TARGET} (at most {} s)",
                FETCH_LIMIT.as_secs()
            ));
            let added = Cmd::new("rustup")
                .args(["target", "add", TARGET])
                .dir(&workspace.root);
            if added.succeeds_within(FETCH_LIMIT) && Self::Active.works(&workspace.cache) {
                return Ok(Self::Active);
            }
        }
        if which("apt-get").is_none() || which("dpkg-deb").is_none() {
            bail!(
                "the Rust toolchain has no library for {TARGET}, and it could not be added: \
                 run `rustup target add {TARGET}`, or install your distribution's package for it"
            );
        }
        note(
            "rustup cannot add it: unpacking Debian's rustc-web, building its library for wasm (a minute)",
        );
        let workshop = place::workshop(&workspace.cache, "rust-wasm")?;
        let script = workshop.join("debian-wasm.sh");
        std::fs::write(&script, FROM_DEBIAN)?;
        let cmd = Cmd::new("bash")
            .arg(&script)
            .arg(&workshop)
            .arg(Cmd::cargo_path())
            .dir(&workshop);
        run_logged(cmd, &workspace.cache.join("rust-wasm.log"), Some(20))
            .with_context(|| format!("run `rustup target add {TARGET}` by hand, or see the log"))?;
        place::put_in_place(&workshop.join("toolchain"), &place)?;
        std::fs::remove_dir_all(&workshop)?;
        if !own.is_new_enough(workspace) || !own.works(&workspace.cache) {
            bail!(
                "Debian's compiler in {} is too old, or does not build for {TARGET}",
                place.display()
            );
        }
        Ok(own)
    }

    /// Lets a cargo command use this compiler.
    pub fn apply(&self, cmd: Cmd) -> Cmd {
        match self {
            Self::Active => cmd,
            Self::Own(rustc) => cmd.env("RUSTC", rustc),
        }
    }

    /// Its path and version.
    pub fn describe(&self) -> String {
        let rustc = self.rustc();
        let version = Cmd::new(&rustc).arg("--version").read().unwrap_or_default();
        format!("{} ({version})", rustc.display())
    }

    fn rustc(&self) -> PathBuf {
        match self {
            Self::Active => {
                std::env::var_os("RUSTC").map_or_else(|| PathBuf::from("rustc"), PathBuf::from)
            }
            Self::Own(rustc) => rustc.clone(),
        }
    }

    fn is_new_enough(&self, workspace: &Workspace) -> bool {
        let answer = Cmd::new(self.rustc())
            .arg("--version")
            .read()
            .unwrap_or_default();
        let version = answer.split_whitespace().nth(1).and_then(version_pair);
        workspace
            .rust_version()
            .is_ok_and(|oldest| version >= Some(oldest))
    }

    /// Compiles and links a few lines: it finds a missing library and a missing linker alike.
    fn works(&self, cache: &Path) -> bool {
        if let Self::Own(rustc) = self
            && !rustc.is_file()
        {
            return false;
        }
        let folder = cache.join("unfinished").join("try");
        let source = folder.join("try.rs");
        let code = "#[unsafe(no_mangle)] pub extern \"C\" fn f(x: usize) -> usize { vec![1u8; x].len() }\n";
        std::fs::create_dir_all(&folder).is_ok()
            && std::fs::write(&source, code).is_ok()
            && Cmd::new(self.rustc())
                .args([
                    "--edition",
                    "2024",
                    "--crate-type",
                    "cdylib",
                    "--target",
                    TARGET,
                    "-o",
                ])
                .arg(folder.join("try.wasm"))
                .arg(&source)
                .read()
                .is_ok()
    }
}
