//! Builds the worker twice, for the CPU and for WebGPU, and puts both where the page finds them.
//!
//! Both builds share one target folder, and so the libraries they have in common. Cargo gives both the
//! same file name there and would compile the last crate anew at every change from one to the other;
//! this file therefore decides whether a worker is up to date, by its inputs (`inputs`).

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::command::Cmd;
use crate::inputs;
use crate::profile::{Profile, Variant};
use crate::progress::{Steps, note, run_logged};
use crate::tools::{self, TARGET, Toolbox};
use crate::workspace::Workspace;

/// The folder from which the page's build takes the workers; ignored by git.
pub const FOLDER: &str = "web/worker-dist";
/// Number of steps that `build` announces.
pub const STEPS: usize = Worker::ALL.len();

#[derive(Args)]
pub struct Options {
    /// Quickly built and slow, with names and checks kept
    #[arg(long)]
    dev: bool,
    /// Build one of the two
    #[arg(long)]
    only: Option<Worker>,
    /// Say nothing unless something is built (for trunk, at every change)
    #[arg(long)]
    quiet: bool,
}

/// The two builds of the crate lab-js.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Worker {
    /// On the CPU, with wasm's SIMD
    Cpu,
    /// On WebGPU
    Gpu,
}

impl Worker {
    pub const ALL: [Self; 2] = [Self::Cpu, Self::Gpu];

    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Gpu => "gpu",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Cpu => "the worker for the CPU",
            Self::Gpu => "the worker for WebGPU",
        }
    }

    pub fn features(self) -> &'static [&'static str] {
        match self {
            Self::Cpu => &["--no-default-features", "--features", "cpu"],
            Self::Gpu => &["--no-default-features", "--features", "webgpu"],
        }
    }

    /// The goal of the optimiser: speed if the wasm computes, size if the graphics card does.
    fn optimisation(self) -> &'static str {
        match self {
            Self::Cpu => "-O3",
            Self::Gpu => "-Oz",
        }
    }
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    let profile = if options.dev {
        Profile::Dev
    } else {
        Profile::Standard
    };
    let mut steps = if options.quiet {
        Steps::quiet()
    } else {
        Steps::new(tools::STEPS + STEPS)
    };
    let tools = Toolbox::provide(workspace, &mut steps)?;
    build(workspace, &tools, profile, options.only, &mut steps)?;
    Ok(ExitCode::SUCCESS)
}

/// Builds the outdated workers, in the checkout's `web/worker-dist/`.
pub fn build(
    workspace: &Workspace,
    tools: &Toolbox,
    variant: impl Into<Variant>,
    only: Option<Worker>,
    steps: &mut Steps,
) -> Result<()> {
    let variant = variant.into();
    for worker in Worker::ALL {
        if only.is_none_or(|only| only == worker) {
            steps.next(worker.title());
            build_one(workspace, tools, variant, worker)?;
        }
    }
    copy_scripts(
        &workspace.path("crates/lab-js/worker"),
        &workspace.path(FOLDER),
    )
}

fn build_one(
    workspace: &Workspace,
    tools: &Toolbox,
    variant: Variant,
    worker: Worker,
) -> Result<()> {
    let profile = variant.profile;
    let bench: &[&str] = if variant.bench {
        &["--features", "bench"]
    } else {
        &[]
    };
    let out = workspace.path(FOLDER).join(worker.name());
    let made = ["lab_js.js", "lab_js_bg.wasm"]
        .iter()
        .all(|name| out.join(name).is_file());
    let stamp = workspace
        .wasm_target()
        .join(format!("worker-{}.stamp", worker.name()));
    let state = format!(
        "{} {} {} {}",
        profile.folder(),
        bench.concat(),
        tools.rust.describe(),
        inputs::state(&workspace.root)?
    );
    if made && std::fs::read_to_string(&stamp).is_ok_and(|old| old == state) {
        return Ok(());
    }

    let wasm = workspace
        .wasm_target()
        .join(TARGET)
        .join(profile.folder())
        .join("lab_js.wasm");
    let package = ["--package", "lab-js"]
        .iter()
        .chain(worker.features())
        .chain(bench);
    let expected = count_crates(workspace, package.clone());
    let cmd = Cmd::cargo()
        .args([
            "build",
            "--lib",
            "--target",
            TARGET,
            "--profile",
            profile.worker(),
        ])
        .args(package)
        .arg("--target-dir")
        .arg(workspace.wasm_target())
        .dir(&workspace.root);
    let log = |name: &str| {
        workspace
            .wasm_target()
            .join(format!("{name}-{}.log", worker.name()))
    };
    run_logged(tools.rust.apply(cmd), &log("worker"), expected)?;
    if !wasm.is_file() {
        bail!("the build left no {}: is lab-js a cdylib?", wasm.display());
    }

    let folder = workspace
        .wasm_target()
        .join(format!("bindings-{}", worker.name()));
    let mut cmd = Cmd::new(&tools.wasm_bindgen).args([
        "--target",
        "web",
        "--no-typescript",
        "--out-name",
        "lab_js",
    ]);
    if profile != Profile::Dev {
        cmd = cmd.arg("--remove-name-section");
    }
    cmd.arg("--out-dir").arg(&folder).arg(&wasm).read()?;
    if profile == Profile::Small {
        optimise(
            tools,
            worker.optimisation(),
            &folder.join("lab_js_bg.wasm"),
            &log("wasm-opt"),
        )?;
    }
    copy_changed(&folder, &out)?;
    std::fs::write(stamp, state)?;
    Ok(())
}

/// Optimises a wasm file in place, for speed (`-O3`) or size (`-Oz`).
pub fn optimise(tools: &Toolbox, goal: &str, wasm: &Path, log: &Path) -> Result<()> {
    note(&format!("wasm-opt {goal} (minutes)"));
    let smaller = wasm.with_extension("optimised");
    let output = PathBuf::from(format!("--output={}", smaller.display()));
    let cmd = Cmd::new(&tools.wasm_opt)
        .arg(goal)
        .arg(output)
        .arg(wasm)
        .env("LLM_LABS_OPTIMISE", "1");
    run_logged(cmd, log, None)?;
    std::fs::rename(&smaller, wasm)?;
    Ok(())
}

/// The scripts beside the wasm: the worker's script, and its imports.
fn copy_scripts(from: &Path, to: &Path) -> Result<()> {
    if from.is_dir() {
        copy_changed(from, to)?;
    }
    Ok(())
}

/// Copies the files whose content differs, so an equal copy causes no rebuild.
fn copy_changed(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_file() {
            let content = std::fs::read(entry.path())?;
            if std::fs::read(&target).ok().as_ref() != Some(&content) {
                std::fs::write(&target, content)
                    .with_context(|| format!("cannot write {}", target.display()))?;
            }
        }
    }
    Ok(())
}

/// Number of crates that a build compiles, for the progress line.
pub fn count_crates<'a>(
    workspace: &Workspace,
    package: impl Iterator<Item = &'a &'a str>,
) -> Option<usize> {
    let tree = Cmd::cargo()
        .args([
            "tree",
            "--target",
            TARGET,
            "--edges",
            "normal,build",
            "--prefix",
            "none",
        ])
        .args(package)
        .dir(&workspace.root)
        .read()
        .ok()?;
    let crates: std::collections::HashSet<&str> = tree
        .lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .collect();
    Some(crates.len())
}
