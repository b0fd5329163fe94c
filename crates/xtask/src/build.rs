//! Builds the site: the workers, then the page around them.

use anyhow::{Context, Result};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::command::Cmd;
use crate::profile::{Profile, Variant};
use crate::progress::{Steps, note, run_logged};
use crate::tools::{self, TARGET, Toolbox};
use crate::workers;
use crate::workspace::Workspace;

/// Number of steps that `site` announces, the tools' included.
pub const STEPS: usize = tools::STEPS + workers::STEPS + 2;

#[derive(Args)]
pub struct Options {
    /// As small as possible; takes many minutes
    #[arg(long)]
    small: bool,
    /// With the class that `bench browser` measures; not for publishing
    #[arg(long)]
    bench: bool,
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    let variant = Variant {
        profile: if options.small {
            Profile::Small
        } else {
            Profile::Standard
        },
        bench: options.bench,
    };
    let mut steps = Steps::new(STEPS);
    let site = site(workspace, variant, &mut steps)?;
    println!("{}", site.display());
    Ok(ExitCode::SUCCESS)
}

/// Builds the whole site and returns its folder.
pub fn site(
    workspace: &Workspace,
    variant: impl Into<Variant>,
    steps: &mut Steps,
) -> Result<PathBuf> {
    let variant = variant.into();
    let tools = Toolbox::provide(workspace, steps)?;
    workers::build(workspace, &tools, variant, None, steps)?;
    page(workspace, &tools, variant.profile, steps)?;
    steps.next("the site");
    let log = workspace.wasm_target().join("trunk.log");
    run_logged(trunk(workspace, &tools, variant)?.arg("build"), &log, None)?;
    let site = workspace.path("dist");
    note(&format!("{}", site.display()));
    Ok(site)
}

/// An example of a package as a module that asks for nothing of a browser, built in release.
pub fn bare(
    workspace: &Workspace,
    rust: &tools::WasmRust,
    package: &str,
    example: &str,
) -> Result<PathBuf> {
    note(&format!("building {example} of {package} for wasm"));
    let target = workspace.wasm_target();
    let cmd = Cmd::cargo()
        .args(["build", "--quiet", "--release", "--target", TARGET])
        .args(["--package", package, "--example", example])
        .arg("--target-dir")
        .arg(&target)
        .dir(&workspace.root)
        .stdout_to_stderr()?;
    rust.apply(cmd).run()?;
    let examples = target.join(TARGET).join("release/examples");
    Ok(examples.join(format!("{example}.wasm")))
}

/// Compiles the page before trunk does, because trunk shows no progress.
pub fn page(
    workspace: &Workspace,
    tools: &Toolbox,
    profile: Profile,
    steps: &mut Steps,
) -> Result<()> {
    steps.next("the page");
    let target = workspace.wasm_target();
    let package = ["--package", "lab-web"];
    let wasm = target
        .join(TARGET)
        .join(profile.page())
        .join("lab-web.wasm");
    let expected = if wasm.exists() {
        None
    } else {
        workers::count_crates(workspace, package.iter())
    };
    let cmd = Cmd::cargo()
        .args(["build", "--target", TARGET, "--profile", profile.page()])
        .args(package)
        .arg("--target-dir")
        .arg(&target)
        .dir(&workspace.root);
    run_logged(tools.rust.apply(cmd), &target.join("page.log"), expected)
}

/// Trunk, which finds its tools and the hook's program on the way and must not look for them elsewhere.
pub fn trunk(workspace: &Workspace, tools: &Toolbox, variant: impl Into<Variant>) -> Result<Cmd> {
    let variant = variant.into();
    let xtask = std::env::current_exe().context("this program cannot tell where it is")?;
    let mut cmd = Cmd::new(&tools.trunk)
        .env("PATH", tools.search_path()?)
        .env("TRUNK_OFFLINE", "true")
        .env("TRUNK_SKIP_VERSION_CHECK", "true")
        .env("TRUNK_BUILD_CARGO_PROFILE", variant.profile.page())
        .env(
            "TRUNK_TOOLS_WASM_BINDGEN",
            workspace.locked_version("wasm-bindgen")?,
        )
        .env("CARGO_TARGET_DIR", workspace.wasm_target())
        // For the hook: this program, and the target folder before the change in the line above.
        .env("LLM_LABS_XTASK", xtask)
        .env("LLM_LABS_TARGET", &workspace.target)
        // Trunk reads it as a yes or no and fails on the usual 1.
        .without_env("NO_COLOR")
        .dir(&workspace.root);
    if variant != Profile::Standard.into() {
        // The workers are there already, and the hook would put the usual ones in their place.
        cmd = cmd.env("LLM_LABS_XTASK", "true");
    }
    if variant.profile == Profile::Small {
        cmd = cmd.env("LLM_LABS_OPTIMISE", "1");
    }
    Ok(tools.rust.apply(cmd))
}
