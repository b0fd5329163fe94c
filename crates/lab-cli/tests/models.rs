//! `lab convert` and `lab tokenizer train`, as their user sees them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn lab(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lab"))
        .args(arguments)
        .output()
        .unwrap()
}

fn golden(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
    path.join(name).to_string_lossy().into_owned()
}

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_gguf_file_and_a_sharded_folder_become_ordinary_folders() {
    let folder = tempfile::tempdir().unwrap();
    for (name, dtype) in [
        ("gguf/tiny-llama.gguf", "float16"),
        ("llama-variant", "bfloat16"),
    ] {
        let out = folder.path().join(dtype);
        let out = out.to_str().unwrap();
        let kind = if dtype == "float16" { "f16" } else { "bf16" };
        let output = lab(&["convert", &golden(name), out, "--dtype", kind]);
        assert!(output.status.success(), "{}", error(&output));
        let config = json(&Path::new(out).join("config.json"));
        assert_eq!(config["model_type"], "llama");
        assert_eq!(config["dtype"], dtype);
        assert!(Path::new(out).join("model.safetensors").exists());
        // A folder with a model is not written over.
        let again = lab(&["convert", &golden(name), out]);
        assert_eq!(again.status.code(), Some(2));
        // Written files can be read again.
        let next = format!("{out}-again");
        let output = lab(&["convert", out, &next]);
        assert!(output.status.success(), "{}", error(&output));
    }
    assert!(folder.path().join("float16/tokenizer.json").exists());
}

#[test]
fn a_folder_without_a_model_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let output = lab(&["convert", path, "out"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(error(&output).contains("config.json"), "{}", error(&output));
    let output = lab(&["convert", "/nowhere/at/all", "out"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_tokenizer_is_trained_on_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.txt");
    std::fs::write(
        &text,
        "the cat sat on the mat and the cat sat again\n".repeat(20),
    )
    .unwrap();
    let out = folder.path().join("tokenizer");
    let arguments = |vocab| {
        [
            "tokenizer",
            "train",
            text.to_str().unwrap(),
            "--vocab",
            vocab,
            "--out",
            out.to_str().unwrap(),
        ]
    };
    let refused = lab(&arguments("100"));
    assert_eq!(refused.status.code(), Some(2));
    assert!(error(&refused).contains("vocab"), "{}", error(&refused));
    let output = lab(&arguments("270"));
    assert!(output.status.success(), "{}", error(&output));
    let written = json(&out.join("tokenizer.json"));
    assert_eq!(written["model"]["vocab"].as_object().unwrap().len(), 270);
    assert_eq!(written["model"]["merges"].as_array().unwrap().len(), 13);
}

#[test]
fn logits_are_those_of_the_reference() {
    for name in ["gpt2-tiny", "llama-tiny"] {
        let model = golden(name);
        let reference = json(&Path::new(&model).join("reference.json"));
        let ids: Vec<u32> = serde_json::from_value(reference["input_ids"][0].clone()).unwrap();
        let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
        let output = lab(&[
            "logits",
            "--model",
            &model,
            "--ids",
            &ids.join(","),
            "--json",
        ]);
        assert!(output.status.success(), "{}", error(&output));
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let numbers = |value: &serde_json::Value| -> Vec<Vec<f64>> {
            serde_json::from_value(value.clone()).unwrap()
        };
        let expected = numbers(&reference["logits_first_row"]).concat();
        let found = numbers(&found["logits"]).concat();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() <= 2e-4, "{found}, not {expected}");
        }
    }
}
