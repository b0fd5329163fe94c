//! Parity with PEFT: an adapter in its layout, and PEFT's results for it (`reference.json`). The folder is
//! `LAB_GOLDEN_DIR` if it is set; every size comes from the files.

use lab_model::adapter::{Adapter, AdapterModule};
use lab_model::burn::tensor::Device;
use lab_model::corpus::{Batch, IGNORED};
use lab_model::decoder::Decoder;
use lab_model::dropout::Dropout;
use lab_model::evaluate::{nll_sum, upload};
use lab_model::formats::{adapter_folder, read_adapter, read_config, read_weights};
use lab_model::nf4;
use lab_model::parameters::{self, HostTensor};
use lab_protocol::{ModelConfig, ModelFile};
use pollster::block_on;
use serde_json::Value;
use std::path::PathBuf;

struct Golden {
    shape: ModelConfig,
    base: Decoder,
    adapter: Adapter,
    reference: Value,
    device: Device,
}

fn file(name: &str, file: &str) -> Vec<u8> {
    let root = std::env::var_os("LAB_GOLDEN_DIR").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden"),
        PathBuf::from,
    );
    std::fs::read(root.join(name).join(file)).unwrap_or_else(|e| panic!("{name}/{file}: {e}"))
}

fn json(name: &str, path: &str) -> Value {
    serde_json::from_slice(&file(name, path)).unwrap()
}

fn golden(name: &str) -> Golden {
    let reference = json(name, "reference.json");
    let base = reference["base"].as_str().unwrap();
    let (shape, vocabulary) = read_config(&json(base, "config.json")).unwrap();
    let weights = read_weights(&shape, &file(base, "model.safetensors")).unwrap();
    let device = block_on(lab_strategies::device::open(
        lab_protocol::BackendChoice::Cpu,
    ))
    .unwrap();
    let model = Decoder::new(&shape, vocabulary, 0, &device);
    let base = parameters::from_host(model, &weights, &device).unwrap();
    let files = ["adapter_config.json", "adapter_model.safetensors"].map(|path| ModelFile {
        path: path.into(),
        bytes: file(name, path),
    });
    let adapter = read_adapter(&shape, &files).unwrap();
    Golden {
        shape,
        base,
        adapter,
        reference,
        device,
    }
}

impl Golden {
    fn adapted(&self) -> Decoder {
        let base = self.base.clone();
        base.with_adapter(&self.shape, &self.adapter, &self.device)
            .unwrap()
    }

    /// Rows of ids, each predicting its next; the last of a row predicts nothing.
    fn batch(&self) -> Batch {
        let rows: Vec<Vec<i32>> =
            serde_json::from_value(self.reference["input_ids"].clone()).unwrap();
        let columns = rows[0].len();
        let targets: Vec<i32> = rows
            .iter()
            .flat_map(|row| row[1..].iter().copied().chain([IGNORED]))
            .collect();
        Batch {
            rows: rows.len(),
            columns,
            tokens: rows.len() * (columns - 1),
            inputs: rows.concat(),
            targets,
        }
    }

    fn logits(&self, model: &Decoder) -> Vec<f32> {
        let (ids, _) = upload(&self.batch(), &self.device);
        let logits = model.forward(ids, &mut Dropout::off());
        let elements = logits.dims().iter().product::<usize>();
        block_on(parameters::read(vec![logits.reshape([elements])]))
            .unwrap()
            .remove(0)
    }
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}

#[test]
fn golden_adapter_gives_the_logits_of_peft() {
    let golden = golden("lora-llama-tiny");
    let model = golden.adapted();
    let found = golden.logits(&model);
    let first: Vec<Vec<f32>> =
        serde_json::from_value(golden.reference["logits_first_row_with_adapter"].clone()).unwrap();
    let expected = first.concat();
    let difference = largest_difference(&found[..expected.len()], &expected);
    assert!(difference <= 2e-4, "{difference}");

    let batch = golden.batch();
    let loss = nll_sum(&model, &batch, &golden.device, &mut Dropout::off()) / batch.tokens as f32;
    let loss = block_on(parameters::read(vec![loss])).unwrap()[0][0];
    let expected = golden.reference["loss_with_adapter"].as_f64().unwrap();
    assert!((f64::from(loss) / expected - 1.0).abs() < 1e-5, "{loss}");

    let merged = golden.logits(&model.clone().merged());
    assert!(largest_difference(&merged, &found) <= 1e-4);
    // Without the adapter, the base is unchanged, to the bit.
    assert_eq!(
        golden.logits(&model.without_adapter()),
        golden.logits(&golden.base)
    );
}

#[test]
fn golden_adapter_gradients_have_the_norms_of_peft_and_the_base_has_none() {
    let golden = golden("lora-llama-tiny");
    let model = golden.adapted();
    let batch = golden.batch();
    let loss = nll_sum(&model, &batch, &golden.device, &mut Dropout::off()) / batch.tokens as f32;
    let gradients = parameters::gradients(&model, &mut loss.backward());
    let shapes = parameters::trainable_shapes(&model);
    let trainable: usize = shapes
        .iter()
        .map(|(_, shape)| shape.iter().product::<usize>())
        .sum();
    assert_eq!(
        trainable,
        golden.reference["trainable_parameters"].as_u64().unwrap() as usize
    );
    assert_eq!(gradients.len(), shapes.len());
    let values = block_on(parameters::read(gradients)).unwrap();
    let mut found: Vec<f64> = values
        .iter()
        .map(|values| {
            values
                .iter()
                .map(|&x| f64::from(x).powi(2))
                .sum::<f64>()
                .sqrt()
        })
        .collect();
    let norms = golden.reference["grad_l2_norm_of_trainable"]
        .as_object()
        .unwrap();
    assert_eq!(norms.len(), found.len());
    // Our order is that of the layers, A before B; a name of PEFT's says which it is.
    let parts: Vec<String> = model
        .blocks
        .iter()
        .flat_map(|block| block.linears())
        .flat_map(|linear| &linear.adapters)
        .flat_map(|part| ["lora_A", "lora_B"].map(|which| format!("{}.{which}", part.path)))
        .collect();
    for (part, found) in parts.iter().zip(found.drain(..)) {
        let (name, expected) = norms
            .iter()
            .find(|(name, _)| name.contains(part.as_str()))
            .unwrap_or_else(|| panic!("{part} is not in the reference"));
        let expected = expected.as_f64().unwrap();
        assert!(
            (found / expected - 1.0).abs() <= 1e-3,
            "{name}: {found}, expected {expected}"
        );
    }
}

#[test]
fn golden_adapter_folders_written_here_read_back() {
    let golden = golden("lora-llama-tiny");
    let files = adapter_folder(&golden.shape, &golden.adapter).unwrap();
    let read = read_adapter(&golden.shape, &files).unwrap();
    assert_eq!(read.modules, golden.adapter.modules);
    let from_device = block_on(golden.adapted().adapter(&golden.adapter.config)).unwrap();
    assert_eq!(from_device.modules, golden.adapter.modules);

    // An adapter of another model is refused, and the error names the part that does not fit.
    let mut other = golden.adapter.clone();
    let module = AdapterModule {
        a: HostTensor {
            shape: vec![3, 1],
            values: vec![0.0; 3],
        },
        b: HostTensor {
            shape: vec![1, 3],
            values: vec![0.0; 3],
        },
        magnitude: None,
        scale: 1.0,
    };
    other
        .modules
        .insert("model.layers.0.mlp.down_proj".into(), module.clone());
    let attach = |adapter: &Adapter| {
        let base = golden.base.clone();
        base.with_adapter(&golden.shape, adapter, &golden.device)
            .unwrap_err()
    };
    assert!(attach(&other).message.contains("down_proj"));
    other.modules.clear();
    other.modules.insert("lm_head".into(), module);
    assert!(attach(&other).message.contains("lm_head"));
}

#[test]
fn golden_nf4_codes_and_values_are_those_of_bitsandbytes() {
    let golden = json("lora-llama-tiny", "nf4.json");
    let numbers = |key: &str| -> Vec<f32> { serde_json::from_value(golden[key].clone()).unwrap() };
    let rows = |key: &str| -> Vec<f32> {
        let rows: Vec<Vec<f32>> = serde_json::from_value(golden[key].clone()).unwrap();
        rows.concat()
    };
    assert_eq!(numbers("codebook"), nf4::CODEBOOK);
    assert_eq!(golden["block"], nf4::BLOCK);
    let coded = nf4::Nf4::new(&rows("weights"));
    assert_eq!(coded.scales, numbers("absmax"));
    let codes: Vec<usize> = serde_json::from_value(golden["codes"].clone()).unwrap();
    assert_eq!(coded.indices().collect::<Vec<_>>(), codes);
    let packed: Vec<u8> =
        serde_json::from_value(golden["packed_high_nibble_first"].clone()).unwrap();
    assert_eq!(coded.codes, packed);
    let found = coded.values(&coded.scales);
    assert!(largest_difference(&found, &rows("dequantised")) <= 1e-6);
}
