//! The terminal program `lab`, as its user sees it: files, exit status, standard error.

use std::path::Path;
use std::process::{Command, Output};

fn lab() -> Command {
    Command::new(env!("CARGO_BIN_EXE_lab"))
}

fn run(folder: &Path, experiment: &str, more: &[&str]) -> Output {
    let file = folder.join("experiment.json");
    std::fs::write(&file, experiment).unwrap();
    lab()
        .arg("run")
        .arg(file)
        .arg("--out")
        .arg(folder.join("out"))
        .args(more)
        .output()
        .unwrap()
}

const TINY: &str = r#"{"name": "tiny", "data": {"source": "built_in", "name": "first-names"}, "strategies": [{"name": "pretrain",
    "strategy": "pretraining", "config": {"model": {"layers": 1, "heads": 2, "width": 8, "context": 8}, "training": {"steps": 6,
    "batch_size": 2, "evaluation_interval": 3, "final_evaluation_windows": 8, "sample_tokens": 5, "checkpoint_interval": 2}}}]}"#;

#[test]
fn a_run_leaves_its_files_and_can_be_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), TINY, &["--seed", "3"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let out = folder.path().join("out");
    let json = |name: &str| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(out.join(name)).unwrap()).unwrap()
    };
    assert_eq!(json("run.json")["seed"], 3);
    assert_eq!(json("run.json")["backend"], "cpu");
    assert_eq!(json("run.json")["config"]["training"]["beta2"], 0.99);
    assert_eq!(json("run.json")["data_hash"].as_str().unwrap().len(), 64);
    assert!(json("results.json")["metrics"]["validation_loss"].is_f64());
    assert_eq!(json("model/config.json")["model_type"], "gpt2");
    let metrics = std::fs::read_to_string(out.join("metrics.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = metrics
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        lines
            .iter()
            .filter(|line| line["values"]["loss"].is_f64())
            .count(),
        6
    );
    assert!(lines.iter().all(|line| line["run"] == "out"
        && line["strategy"] == "pretrain"
        && line["timestamp"].is_u64()));

    let again = run(folder.path(), TINY, &["--seed", "3"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&again.stderr).contains("--resume"));

    // Killed after step 5: the checkpoint of step 4 and a line that was cut.
    std::fs::remove_file(out.join("results.json")).unwrap();
    std::fs::write(out.join("metrics.jsonl"), &metrics[..metrics.len() - 30]).unwrap();
    let resumed = run(folder.path(), TINY, &["--seed", "3", "--resume"]);
    assert!(
        resumed.status.success(),
        "{}",
        String::from_utf8_lossy(&resumed.stderr)
    );
    let strip = |text: &str| -> Vec<(u64, String)> {
        text.lines()
            .map(|line| {
                let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
                line["values"]
                    .as_object_mut()
                    .unwrap()
                    .remove("tokens_per_second");
                (line["step"].as_u64().unwrap(), line["values"].to_string())
            })
            .collect()
    };
    assert_eq!(
        strip(&std::fs::read_to_string(out.join("metrics.jsonl")).unwrap()),
        strip(&metrics)
    );
    let left: Vec<_> = std::fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        left.iter()
            .all(|name| !name.to_string_lossy().ends_with(".part")),
        "{left:?}"
    );
}

#[test]
fn bad_input_ends_with_status_2_and_leaves_nothing() {
    let long = "some text to train on, long enough. ".repeat(40);
    let cases: Vec<(&str, String, Option<Vec<u8>>, &str)> = vec![
        ("empty file", TINY.into(), Some(vec![]), "invalid_data"),
        (
            "shorter than the window",
            TINY.into(),
            Some(b"abc".to_vec()),
            "invalid_data",
        ),
        (
            "invalid UTF-8",
            TINY.into(),
            Some(vec![0xFF; 500]),
            "invalid_utf8",
        ),
        (
            "window of 0",
            TINY.replace("\"context\": 8", "\"context\": 0"),
            None,
            "invalid_config",
        ),
        (
            "heads that do not divide",
            TINY.replace("\"heads\": 2", "\"heads\": 3"),
            None,
            "invalid_config",
        ),
        (
            "negative rate",
            TINY.replace("\"steps\": 6", "\"steps\": 6, \"learning_rate\": -1"),
            None,
            "invalid_config",
        ),
        (
            "unknown key",
            TINY.replace("\"steps\": 6", "\"stepps\": 6"),
            None,
            "unknown_key",
        ),
        ("no JSON", "{".into(), None, "invalid_json"),
        (
            "unknown text",
            TINY.replace("first-names", "last-names"),
            None,
            "invalid_config",
        ),
        (
            "no text",
            TINY.replace("built_in", "user"),
            None,
            "invalid_data",
        ),
        (
            "prompt outside the text",
            TINY.replace("\"steps\": 6", "\"steps\": 6, \"sample_prompt\": \"Ω\""),
            Some(long.into_bytes()),
            "invalid_data",
        ),
    ];
    for (what, experiment, data, code) in cases {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("text.txt");
        let more = data.map(|bytes| {
            std::fs::write(&file, bytes).unwrap();
            ["--data", file.to_str().unwrap()]
        });
        let output = run(
            folder.path(),
            &experiment,
            more.as_ref().map_or(&[][..], |more| &more[..]),
        );
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{what}: {error}");
        assert!(
            error.starts_with(&format!("{code}: ")) && error.contains(" — ") && error.contains('('),
            "{what}: {error}"
        );
        assert!(
            !folder.path().join("out").exists(),
            "{what} left something behind"
        );
    }
    let missing = lab()
        .args(["run", "no-such-file.json", "--out", "no-such-folder"])
        .output()
        .unwrap();
    assert_eq!(missing.status.code(), Some(2));
    assert!(!Path::new("no-such-folder").exists());
}
