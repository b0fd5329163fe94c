//! Builds the npm package into `target/npm/`, which `npm pack` packs.

use anyhow::Result;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::command::Cmd;
use crate::profile::Profile;
use crate::progress::{Steps, run_logged};
use crate::tools::{self, TARGET, Toolbox};
use crate::workers;
use crate::workspace::Workspace;

/// The package's sources in TypeScript.
pub const SOURCES: &str = "crates/lab-js/npm";
/// How many steps `package` announces, the tools' included.
pub const STEPS: usize = tools::STEPS + workers::STEPS + 2;

#[derive(Args)]
pub struct Options {
    /// As small as it gets, as it is published; takes many minutes
    #[arg(long)]
    small: bool,
    /// Also build the reference of its API, into target/npm-docs/
    #[arg(long)]
    docs: bool,
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    let profile = match options.small {
        true => Profile::Small,
        false => Profile::Standard,
    };
    let mut steps = Steps::new(STEPS + usize::from(options.docs));
    let package = package(workspace, profile, &mut steps)?;
    if options.docs {
        steps.next("the reference");
        Cmd::new(tools::node()?)
            .args(["node_modules/typedoc/bin/typedoc", "--out"])
            .arg(workspace.path("target/npm-docs"))
            .dir(workspace.path(SOURCES))
            .stdout_to_stderr()?
            .run()?;
    }
    Cmd::new(tools::node()?.with_file_name("npm"))
        .args(["pack", "--dry-run", "--loglevel=notice"])
        .dir(&package)
        .stdout_to_stderr()?
        .run()?;
    println!("{}", package.display());
    Ok(ExitCode::SUCCESS)
}

/// Builds the package and returns its folder.
pub fn package(workspace: &Workspace, profile: Profile, steps: &mut Steps) -> Result<PathBuf> {
    let tools = Toolbox::provide(workspace, steps)?;
    workers::build(workspace, &tools, profile, None, steps)?;
    steps.next("the engine");
    let engine = engine(workspace, &tools, profile)?;
    steps.next("the package");
    let sources = workspace.path(SOURCES);
    tools::packages(&sources)?;
    // In the checkout, wherever cargo's own target folder is.
    let out = workspace.path("target/npm");
    Cmd::new(tools::node()?)
        .arg("build.mjs")
        .arg(workspace.path(workers::FOLDER))
        .arg(engine)
        .arg(&out)
        .dir(&sources)
        .stdout_to_stderr()?
        .run()?;
    Ok(out)
}

/// Builds lab-package; returns the folder of its bindings.
fn engine(workspace: &Workspace, tools: &Toolbox, profile: Profile) -> Result<PathBuf> {
    let target = workspace.wasm_target();
    let package = ["--package", "lab-package"];
    let wasm = target
        .join(TARGET)
        .join(profile.page())
        .join("lab_package.wasm");
    let expected = match wasm.exists() {
        true => None,
        false => workers::count_crates(workspace, package.iter()),
    };
    let cmd = Cmd::cargo()
        .args(["build", "--target", TARGET, "--profile", profile.page()])
        .args(package)
        .arg("--target-dir")
        .arg(&target)
        .dir(&workspace.root);
    run_logged(tools.rust.apply(cmd), &target.join("engine.log"), expected)?;
    let folder = target.join("bindings-engine");
    Cmd::new(&tools.wasm_bindgen)
        .args(["--target", "web", "--omit-default-module-path"])
        .args(["--remove-name-section", "--out-name", "lab_package"])
        .arg("--out-dir")
        .arg(&folder)
        .arg(&wasm)
        .read()?;
    if profile == Profile::Small {
        let log = target.join("wasm-opt-engine.log");
        workers::optimise(tools, "-Oz", &folder.join("lab_package_bg.wasm"), &log)?;
    }
    Ok(folder)
}
