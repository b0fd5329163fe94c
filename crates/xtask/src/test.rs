//! Runs every test and adds up the runners' counts.

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use crate::build;
use crate::cases;
use crate::command::{Cmd, which};
use crate::counts::{Counts, Summary, run_counted};
use crate::npm;
use crate::profile::Profile;
use crate::progress::{Steps, note};
use crate::tools;
use crate::workspace::Workspace;

#[derive(Args)]
pub struct Options {
    /// Run one group of tests
    #[arg(long)]
    only: Option<Group>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Group {
    /// Formatting, lints, and the Rust tests on this machine
    Native,
    /// Modules in wasm compared with their native builds; the workers, the kernels and the golden models in headless
    /// Chromium
    Wasm,
    /// The page in headless Chromium, end to end
    E2e,
    /// The npm package, installed into fresh projects, beside the terminal program
    Package,
}

/// One line of the closing table.
struct Outcome {
    name: &'static str,
    summary: Summary,
    seconds: u64,
    error: Option<String>,
}

/// Everything that was run, in order.
#[derive(Default)]
struct Report {
    outcomes: Vec<Outcome>,
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    let wanted = |group: Group| options.only.is_none_or(|only| only == group);
    let mut report = Report::default();
    if wanted(Group::Native) {
        native(workspace, &mut report);
    }
    if wanted(Group::Wasm) {
        bare_wasm(workspace, &mut report);
    }
    if wanted(Group::Wasm) || wanted(Group::E2e) {
        in_browser(
            workspace,
            wanted(Group::Wasm),
            wanted(Group::E2e),
            &mut report,
        );
    }
    if wanted(Group::Wasm) {
        cases_in_browser(workspace, &mut report);
    }
    if wanted(Group::Package) {
        package(workspace, &mut report);
    }
    Ok(report.close())
}

fn native(workspace: &Workspace, report: &mut Report) {
    let encoder = encoder(workspace);
    let cargo = |args: &[&str]| {
        let cmd = Cmd::cargo().args(args).dir(&workspace.root);
        match &encoder {
            Some(folder) => cmd.env("LAB_ENCODER_DIR", folder),
            None => cmd,
        }
    };
    report.check("formatting", || cargo(&["fmt", "--all", "--check"]).run());
    report.check("lints", || {
        cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ])
        .run()
    });
    if which("cargo-nextest").is_some() {
        report.count(
            "Rust tests",
            cargo(&[
                "nextest",
                "run",
                "--workspace",
                "--no-fail-fast",
                "--no-tests=pass",
                "--status-level=skip",
            ]),
        );
    } else {
        report.count(
            "Rust tests",
            cargo(&[
                "test",
                "--workspace",
                "--no-fail-fast",
                "--lib",
                "--bins",
                "--tests",
            ]),
        );
    }
    report.count(
        "Rust examples in the documentation",
        cargo(&["test", "--workspace", "--no-fail-fast", "--doc"]),
    );
}

/// The sentence encoder's folder. Without one, the tests that need it are skipped by name.
fn encoder(workspace: &Workspace) -> Option<PathBuf> {
    let given = std::env::var_os("LAB_ENCODER_DIR").map(PathBuf::from);
    given.or_else(|| {
        tools::encoder(&workspace.cache)
            .inspect_err(|error| note(&format!("no sentence encoder: {error:#}")))
            .ok()
    })
}

/// Examples that are built as bare modules, the variable that names each to its test in the crate's
/// `tests/wasm.test.mjs`, and the content of the test.
const BARE: [[&str; 4]; 2] = [
    [
        "lab-village",
        "village_wasm",
        "LAB_VILLAGE_WASM",
        "the village in wasm",
    ],
    [
        "lab-retrieval",
        "same_graph",
        "LAB_RETRIEVAL_WASM",
        "the index in wasm",
    ],
];

fn bare_wasm(workspace: &Workspace, report: &mut Report) {
    for [package, example, variable, name] in BARE {
        let test = || {
            let rust = tools::WasmRust::provide(workspace)?;
            let module = build::bare(workspace, &rust, package, example)?;
            let folder = workspace.path(format!("crates/{package}/tests"));
            Ok(node_tests(&folder)?.dir(&folder).env(variable, module))
        };
        match test() {
            Ok(cmd) => report.count(name, cmd),
            Err(error) => report.check(name, || Err(error)),
        }
    }
}

fn in_browser(workspace: &Workspace, wasm: bool, e2e: bool, report: &mut Report) {
    let mut ready = None;
    report.check("the site and a browser", || {
        ready = Some(prepare(workspace)?);
        Ok(())
    });
    let Some(ready) = ready else { return };
    let mut suite = |name, folder: &str| {
        let folder = workspace.path(folder);
        match node_tests(&folder) {
            Ok(cmd) => report.count(name, ready.tell(cmd.dir(&folder))),
            Err(error) => report.check(name, || Err(error)),
        }
    };
    if wasm {
        suite("the workers in Chromium", "tests/browser");
    }
    if e2e {
        suite("the page in Chromium", "tests/e2e");
    }
}

/// The site and the browser of the tests.
struct Ready {
    site: PathBuf,
    chromium: PathBuf,
}

impl Ready {
    fn tell(&self, cmd: Cmd) -> Cmd {
        cmd.env("LAB_DIST", &self.site)
            .env("CHROMIUM", &self.chromium)
    }
}

fn cases_in_browser(workspace: &Workspace, report: &mut Report) {
    let name = "kernels and golden models in Chromium";
    let test = || {
        let mut steps = Steps::new(tools::STEPS + cases::STEPS + 1);
        let tools = tools::Toolbox::provide(workspace, &mut steps)?;
        let cases = cases::build(workspace, &tools, &mut steps)?;
        steps.next("Chromium");
        let chromium = tools::chromium()?;
        tools::packages(&workspace.path("tests/e2e"))?;
        let folder = workspace.path("tests/cases");
        let cmd = node_tests(&folder)?.dir(&folder);
        Ok(cmd.env("LAB_CASES", cases).env("CHROMIUM", chromium))
    };
    match test() {
        Ok(cmd) => report.count(name, cmd),
        Err(error) => report.check(name, || Err(error)),
    }
}

/// The package is built, the terminal program to compare it with too.
fn package(workspace: &Workspace, report: &mut Report) {
    let name = "the npm package";
    let test = || {
        let mut steps = Steps::new(npm::STEPS + 2);
        let package = npm::package(workspace, Profile::Standard, &mut steps)?;
        steps.next("the terminal program");
        let terminal = terminal(workspace)?;
        steps.next("Chromium");
        let chromium = tools::chromium()?;
        tools::packages(&workspace.path("tests/e2e"))?;
        let folder = workspace.path("tests/package");
        let cmd = node_tests(&folder)?.dir(&folder).env("CHROMIUM", chromium);
        Ok(cmd
            .env("LAB_PACKAGE", package)
            .env("LAB_TERMINAL", terminal))
    };
    match test() {
        Ok(cmd) => report.count(name, cmd),
        Err(error) => report.check(name, || Err(error)),
    }
}

/// The program `lab` to compare with: that of the variable, else it is built.
fn terminal(workspace: &Workspace) -> Result<PathBuf> {
    if let Some(given) = std::env::var_os("LAB_TERMINAL") {
        return Ok(PathBuf::from(given));
    }
    // Of the whole workspace, as the Rust tests are: of one package burn would have other features and be built again.
    let cargo = Cmd::cargo().args(["build", "--quiet", "--workspace", "--bin", "lab"]);
    cargo.dir(&workspace.root).run()?;
    Ok(workspace.target.join("debug/lab"))
}

fn prepare(workspace: &Workspace) -> Result<Ready> {
    let mut steps = Steps::new(build::STEPS + 2);
    let site = build::site(workspace, Profile::Standard, &mut steps)?;
    steps.next("Chromium");
    let chromium = tools::chromium()?;
    steps.next("the tests' npm packages");
    for folder in ["tests", "tests/browser", "tests/e2e", "crates/lab-js/npm"] {
        tools::packages(&workspace.path(folder))?;
    }
    Ok(Ready { site, chromium })
}

/// Node's test runner on the `*.test.mjs` files of a folder, one file at a time: each starts a browser.
fn node_tests(folder: &Path) -> Result<Cmd> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    files.retain(|file| file.to_string_lossy().ends_with(".test.mjs"));
    files.sort();
    if files.is_empty() {
        bail!("there is no *.test.mjs in {}", folder.display());
    }
    let node = tools::node()?;
    Ok(Cmd::new(node)
        .args(["--test", "--test-concurrency=1", "--test-reporter=spec"])
        .args(files))
}

impl Report {
    /// Something that holds or does not, and counts nothing.
    fn check(&mut self, name: &'static str, action: impl FnOnce() -> Result<()>) {
        eprintln!("\n== {name}");
        let start = Instant::now();
        let error = action().err().map(|error| format!("{error:#}"));
        self.add(Outcome {
            name,
            summary: Summary::default(),
            seconds: start.elapsed().as_secs(),
            error,
        });
    }

    /// A test runner whose own count is read.
    fn count(&mut self, name: &'static str, cmd: Cmd) {
        eprintln!("\n== {name}");
        let start = Instant::now();
        let (summary, error) = run_counted(cmd)
            .unwrap_or_else(|error| (Summary::default(), Some(format!("{error:#}"))));
        self.add(Outcome {
            name,
            summary,
            seconds: start.elapsed().as_secs(),
            error,
        });
    }

    fn add(&mut self, mut outcome: Outcome) {
        if let Some(error) = &outcome.error {
            eprintln!("error: {}: {error}", outcome.name);
            // A failure that names no failing test, such as a failed build, counts as one.
            let failed = &mut outcome.summary.counts.failed;
            *failed = (*failed).max(1);
        }
        self.outcomes.push(outcome);
    }

    /// Prints the table, the skipped tests, and the sum, which is the last line.
    fn close(&self) -> ExitCode {
        println!(
            "\n{:<40} {:>7} {:>7} {:>8} {:>8}",
            "", "passed", "failed", "skipped", "seconds"
        );
        let mut sum = Counts::default();
        for outcome in &self.outcomes {
            let Counts {
                passed,
                failed,
                skipped,
            } = outcome.summary.counts;
            let verdict = if outcome.error.is_some() {
                "FAILED "
            } else {
                ""
            };
            let name = format!("{verdict}{}", outcome.name);
            println!(
                "{name:<40} {passed:>7} {failed:>7} {skipped:>8} {:>8}",
                outcome.seconds
            );
            sum = sum.plus(outcome.summary.counts);
        }
        let skipped = self
            .outcomes
            .iter()
            .flat_map(|outcome| &outcome.summary.skipped);
        for (index, test) in skipped.enumerate() {
            println!("{}  {test}", if index == 0 { "\nskipped:\n" } else { "" });
        }
        let skipped = if sum.skipped > 0 {
            format!(", {} skipped", sum.skipped)
        } else {
            String::new()
        };
        println!("\n{} passed, {} failed{skipped}", sum.passed, sum.failed);
        if sum.failed == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}
