//! Builds the native tests of kernels and golden models for a browser: lab-js's example `browser_cases`, for the CPU
//! and for WebGPU, each in a folder with a page.

use anyhow::Result;
use std::path::PathBuf;

use crate::command::Cmd;
use crate::profile::Profile;
use crate::progress::{Steps, run_logged};
use crate::tools::{TARGET, Toolbox};
use crate::workers::Worker;
use crate::workspace::Workspace;

const NAME: &str = "browser_cases";
/// Number of steps that `build` announces.
pub const STEPS: usize = Worker::ALL.len();

/// Builds both and returns the folder that they are in.
pub fn build(workspace: &Workspace, tools: &Toolbox, steps: &mut Steps) -> Result<PathBuf> {
    let target = workspace.wasm_target();
    let profile = Profile::Standard;
    for worker in Worker::ALL {
        steps.next(&format!("the cases for the browser, {}", worker.name()));
        let cmd = Cmd::cargo()
            .args(["build", "--package", "lab-js", "--example", NAME])
            .args(["--target", TARGET, "--profile", profile.worker()])
            .args(worker.features())
            .arg("--target-dir")
            .arg(&target)
            .dir(&workspace.root);
        let log = target.join(format!("cases-{}.log", worker.name()));
        run_logged(tools.rust.apply(cmd), &log, None)?;
        let folder = target.join("cases").join(worker.name());
        let wasm = target.join(TARGET).join(profile.folder()).join("examples");
        Cmd::new(&tools.wasm_bindgen)
            .args(["--target", "web", "--no-typescript", "--out-dir"])
            .arg(&folder)
            .arg(wasm.join(format!("{NAME}.wasm")))
            .read()?;
        std::fs::write(
            folder.join("index.html"),
            "<!doctype html><title>cases</title>\n",
        )?;
    }
    Ok(target.join("cases"))
}
