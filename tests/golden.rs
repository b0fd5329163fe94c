//! Parity with PyTorch: models in the layout of Hugging Face, and transformers' results for them (`reference.json`).
//! The folder is `LAB_GOLDEN_DIR` if it is set; every size comes from the files, so the same code tests other cases
//! of the same layout.

#[path = "golden_cases.rs"]
mod cases;

use cases::Golden;
use lab_model::burn::tensor::Device;
use lab_model::formats::{read_config, read_weights};
use lab_protocol::{BackendChoice, LabError};
use std::path::PathBuf;

fn open(backend: BackendChoice) -> Result<Device, LabError> {
    pollster::block_on(lab_strategies::device::open(backend))
}

fn golden(name: &str, device: &Device) -> Golden {
    let root = std::env::var_os("LAB_GOLDEN_DIR").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden"),
        PathBuf::from,
    );
    let file = |file: &str| {
        std::fs::read(root.join(name).join(file)).unwrap_or_else(|e| panic!("{name}/{file}: {e}"))
    };
    Golden::read(file, device)
}

fn check(name: &str, backend: BackendChoice) {
    let device = open(backend).unwrap_or_else(|error| panic!("{error}"));
    pollster::block_on(cases::check(name, &golden(name, &device)));
}

#[test]
fn golden_gpt2() {
    check("gpt2-tiny", BackendChoice::Cpu);
}

#[test]
fn golden_llama() {
    check("llama-tiny", BackendChoice::Cpu);
}

#[test]
#[cfg_attr(
    not(feature = "wgpu"),
    ignore = "needs the feature wgpu and a driver, e.g. Mesa's lavapipe"
)]
fn golden_gpt2_on_wgpu() {
    check("gpt2-tiny", BackendChoice::Wgpu);
}

#[test]
#[cfg_attr(
    not(feature = "wgpu"),
    ignore = "needs the feature wgpu and a driver, e.g. Mesa's lavapipe"
)]
fn golden_llama_on_wgpu() {
    check("llama-tiny", BackendChoice::Wgpu);
}

#[test]
fn golden_folders_written_here_read_back() {
    for name in ["gpt2-tiny", "llama-tiny"] {
        let golden = golden(name, &open(BackendChoice::Cpu).unwrap());
        let tokenizer = lab_model::tokenizer::Tokenizer::Byte;
        let files =
            lab_model::formats::model_folder(&golden.config, &tokenizer, &golden.weights).unwrap();
        let file = |path: &str| {
            files
                .iter()
                .find(|file| file.path == path)
                .unwrap()
                .bytes
                .clone()
        };
        let (config, _) =
            read_config(&serde_json::from_slice(&file("config.json")).unwrap()).unwrap();
        let weights = read_weights(&config, &file("model.safetensors")).unwrap();
        assert_eq!(weights, golden.weights);
    }
}
