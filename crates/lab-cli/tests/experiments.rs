//! Experiments of several strategies in the terminal: their folders, comparison, exports; runs that are
//! killed and continued.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

fn lab(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lab"))
        .args(arguments)
        .output()
        .unwrap()
}

fn succeeds(arguments: &[&str]) -> String {
    let output = lab(arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

fn experiment(steps: usize) -> String {
    let strategy = |name: &str, width: usize| {
        serde_json::json!({"name": name, "strategy": "pretraining", "config": {
            "model": {"layers": 1, "heads": 2, "width": width, "context": 8},
            "training": {"steps": steps, "batch_size": 2, "evaluation_interval": 5, "evaluation_windows": 4,
                "final_evaluation_windows": 8, "sample_tokens": 0, "checkpoint_interval": 3}}})
    };
    serde_json::json!({
        "name": "two widths", "data": {"source": "built_in", "name": "first-names"},
        "strategies": [strategy("narrow", 8), strategy("wide", 16)]
    })
    .to_string()
}

/// Metrics by step without what depends on time.
fn metrics(folder: &Path) -> Vec<String> {
    std::fs::read_to_string(folder.join("metrics.jsonl"))
        .unwrap()
        .lines()
        .map(|line| {
            let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
            let values = line["values"].as_object_mut().unwrap();
            values.remove("tokens_per_second");
            format!("{} {}", line["step"], line["values"])
        })
        .collect()
}

#[test]
fn strategies_are_run_side_by_side_compared_and_exported() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    std::fs::write(path("experiment.json"), experiment(10)).unwrap();
    let out = path("out");
    let said = succeeds(&["run", &path("experiment.json"), "--out", &out]);
    assert!(said.contains("* best"), "{said}");
    let one_by_one = path("one-by-one");
    succeeds(&[
        "run",
        &path("experiment.json"),
        "--out",
        &one_by_one,
        "--parallel",
        "1",
    ]);
    for strategy in ["narrow", "wide"] {
        let place = |out: &str| Path::new(out).join(strategy);
        assert!(place(&out).join("model/model.safetensors").exists());
        assert_eq!(metrics(&place(&out)), metrics(&place(&one_by_one)));
    }

    // The same seed twice: no difference at all.
    let json = succeeds(&["compare", &out, &one_by_one, "--json"]);
    let comparison: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(comparison["rows"][0]["strategy"], "narrow");
    let loss = &comparison["rows"][1]["validation_loss"];
    assert!(loss["mean"].as_f64().unwrap() > 1.0);
    assert_eq!(loss["standard_error"], 0.0);
    assert_eq!(lab(&["compare", &path("nothing")]).status.code(), Some(2));

    let csv = succeeds(&["export", &out, "--format", "csv"]);
    let header = csv.lines().next().unwrap();
    assert!(header.split(',').any(|name| name == "step"));
    let jsonl = succeeds(&["export", &out, "--format", "jsonl"]);
    assert_eq!(jsonl.lines().count() + 1, csv.lines().count());
    let report = succeeds(&["export", &out, "--format", "report"]);
    assert!(report.contains("## Comparison") && report.contains("<svg"));
    let files = succeeds(&["export", &out, "--format", "tensorboard"]);
    assert_eq!(files.lines().count(), 2);
    for file in files.lines() {
        assert!(std::fs::read(file).unwrap().len() > 100);
    }
    tensorboard_reads(&path("out/tensorboard/narrow"));

    // What is done is not done again; another experiment is not mixed with it.
    succeeds(&["run", &path("experiment.json"), "--out", &out, "--resume"]);
    std::fs::write(path("other.json"), experiment(12)).unwrap();
    let other = lab(&["run", &path("other.json"), "--out", &out, "--resume"]);
    assert_eq!(other.status.code(), Some(2));
}

/// TensorBoard's own reader, where it is installed.
fn tensorboard_reads(folder: &str) {
    let program = "
import sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1]); events.Reload()
print(len(events.Scalars('loss')), events.Scalars('loss')[-1].step)";
    let installed = Command::new("python3")
        .args(["-c", "import tensorboard"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !installed {
        eprintln!("skipped: Python's tensorboard is not installed");
        return;
    }
    let output = Command::new("python3")
        .args(["-c", program, folder])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "10 10");
}

#[test]
fn a_killed_experiment_goes_on_and_gives_the_same_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    std::fs::write(path("experiment.json"), experiment(300)).unwrap();
    succeeds(&["run", &path("experiment.json"), "--out", &path("whole")]);

    let out = path("killed");
    for milliseconds in [60, 150, 260, 330, 410] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lab"))
            .args(["run", &path("experiment.json"), "--out", &out, "--resume"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    succeeds(&["run", &path("experiment.json"), "--out", &out, "--resume"]);
    for strategy in ["narrow", "wide"] {
        let place = |out: &str| folder.path().join(out).join(strategy);
        assert_eq!(metrics(&place("killed")), metrics(&place("whole")));
        assert_eq!(
            std::fs::read(place("killed").join("model/model.safetensors")).unwrap(),
            std::fs::read(place("whole").join("model/model.safetensors")).unwrap()
        );
    }
}
