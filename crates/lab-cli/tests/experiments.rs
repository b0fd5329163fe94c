//! Experiments of several strategies in the terminal: their folders, comparison, exports; runs that are
//! killed and continued.

use lab_orchestrator::export::{from_csv, from_jsonl};
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

/// Metrics by step, without the ones that depend on time.
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

    // Finished runs are not repeated; another experiment is not mixed in.
    succeeds(&["run", &path("experiment.json"), "--out", &out, "--resume"]);
    std::fs::write(path("other.json"), experiment(12)).unwrap();
    let other = lab(&["run", &path("other.json"), "--out", &out, "--resume"]);
    assert_eq!(other.status.code(), Some(2));
}

#[test]
fn what_cannot_be_run_is_refused_at_its_field_before_anything_runs() {
    let strategy = |name: &str, from: Option<&str>| {
        let mut strategy = serde_json::json!({"name": name, "strategy": "pretraining"});
        if let Some(from) = from {
            strategy["from"] = from.into();
        }
        strategy
    };
    let known = serde_json::json!({"source": "built_in", "name": "first-names"});
    let none = serde_json::json!({"source": "user"});
    let cases = [
        (
            &known,
            vec![strategy("a", Some("b")), strategy("b", Some("a"))],
            "strategies[0].from",
        ),
        (
            &known,
            vec![strategy("a", None), strategy("b", Some("nobody"))],
            "strategies[1].from",
        ),
        (
            &known,
            vec![strategy("a", None), strategy("a", None)],
            "strategies[1].name",
        ),
        (&known, vec![], "strategies"),
        (&none, vec![strategy("a", None)], "data"),
    ];
    for (data, strategies, field) in cases {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        let experiment = serde_json::json!({"name": "x", "data": data, "strategies": strategies});
        std::fs::write(path("experiment.json"), experiment.to_string()).unwrap();
        let output = lab(&["run", &path("experiment.json"), "--out", &path("out")]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(
            error.contains(&format!(" ({field}) — ")),
            "{field}: {error}"
        );
        assert!(
            !Path::new(&path("out")).exists(),
            "{field}: it left something"
        );
    }
}

/// Several seeds: the mean, and the standard error of a mean, recomputed from the runs' own results.
#[test]
fn runs_of_several_seeds_are_told_with_their_noise() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    // Two strategies that are hardly different, and one that learns less.
    let mut experiment: serde_json::Value = serde_json::from_str(&experiment(20)).unwrap();
    let mut strategies = vec![experiment["strategies"][0].clone(); 3];
    for (strategy, name) in strategies.iter_mut().zip(["one", "same", "short"]) {
        strategy["name"] = name.into();
    }
    strategies[1]["config"]["training"]["weight_decay"] = 0.11.into();
    strategies[2]["config"]["training"]["steps"] = 1.into();
    experiment["strategies"] = strategies.into();
    std::fs::write(path("experiment.json"), experiment.to_string()).unwrap();
    let outs: Vec<String> = (1..=4).map(|seed| path(&format!("seed-{seed}"))).collect();
    for (seed, out) in (1..).zip(&outs) {
        let seed = format!("{seed}");
        succeeds(&[
            "run",
            &path("experiment.json"),
            "--out",
            out,
            "--seed",
            &seed,
        ]);
    }
    let mut arguments = vec!["compare"];
    arguments.extend(outs.iter().map(String::as_str));
    let table = succeeds(&arguments);
    arguments.push("--json");
    let comparison: serde_json::Value = serde_json::from_str(&succeeds(&arguments)).unwrap();
    let loss = |out: &str, strategy: &str| {
        let result = std::fs::read(Path::new(out).join(strategy).join("results.json")).unwrap();
        let result: serde_json::Value = serde_json::from_slice(&result).unwrap();
        result["metrics"]["validation_loss"].as_f64().unwrap()
    };
    for (row, strategy) in ["one", "same", "short"].iter().enumerate() {
        let losses: Vec<f64> = outs.iter().map(|out| loss(out, strategy)).collect();
        let mean = losses.iter().sum::<f64>() / 4.0;
        let deviation = (losses.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / 3.0).sqrt();
        let found = &comparison["rows"][row]["validation_loss"];
        assert!((found["mean"].as_f64().unwrap() - mean).abs() < 1e-12);
        let error = found["standard_error"].as_f64().unwrap();
        assert!(error > 0.0 && (error - deviation / 2.0).abs() < 1e-12);
    }
    let line = table
        .lines()
        .find(|line| line.starts_with("validation_loss"));
    let line = line.unwrap();
    assert!(line.contains('*') && line.contains('~'), "{line}");
    assert!(line.ends_with(' '), "what learned less is neither: {line}");
    assert!(table.contains("~ within two standard errors of the best"));
}

/// Exported records, read again, equal the recorded ones.
#[test]
fn exports_come_back_equal() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    std::fs::write(path("experiment.json"), experiment(7)).unwrap();
    let out = path("out");
    succeeds(&["run", &path("experiment.json"), "--out", &out]);
    let recorded: String = ["narrow", "wide"]
        .map(|run| std::fs::read_to_string(format!("{out}/{run}/metrics.jsonl")).unwrap())
        .concat();
    let recorded = from_jsonl(&recorded).unwrap();
    let csv = succeeds(&["export", &out, "--format", "csv"]);
    assert_eq!(from_csv(&csv).unwrap(), recorded);
    let jsonl = succeeds(&["export", &out, "--format", "jsonl"]);
    assert_eq!(from_jsonl(&jsonl).unwrap(), recorded);

    // A copy of the runs' own files is the runs.
    let copy = path("copy");
    for run in ["narrow", "wide"] {
        std::fs::create_dir_all(format!("{copy}/{run}")).unwrap();
        for file in ["run.json", "results.json", "metrics.jsonl"] {
            std::fs::copy(
                format!("{out}/{run}/{file}"),
                format!("{copy}/{run}/{file}"),
            )
            .unwrap();
        }
    }
    let compare = |folder: &str| succeeds(&["compare", folder, "--json"]);
    assert_eq!(compare(&copy), compare(&out));
}

/// The committed files that follow from the settings' fields equal the program's output.
#[test]
fn the_schema_and_the_reference_are_the_programs_own() {
    let schema = succeeds(&["schema"]);
    let schema = format!(
        "// Written by `lab schema`.\nexport default {};\n",
        schema.trim_end()
    );
    is_kept("crates/lab-js/npm/schema.js", &schema);
    is_kept("docs/settings.md", &succeeds(&["schema", "--reference"]));
    let one: serde_json::Value = serde_json::from_str(&succeeds(&["schema", "rag"])).unwrap();
    assert_eq!(one["$ref"], "#/$defs/RagConfig");
    assert_eq!(lab(&["schema", "alchemy"]).status.code(), Some(2));
}

/// The file of the repository has this text; with `LAB_WRITE` it is written.
fn is_kept(file: &str, wanted: &str) {
    let place = format!("{}/../../{file}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("LAB_WRITE").is_some() {
        return std::fs::write(place, wanted).unwrap();
    }
    let kept = std::fs::read_to_string(place).unwrap();
    assert!(
        kept == wanted,
        "{file} is out of date: see \"Adding a setting\" in CONTRIBUTING.md"
    );
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
