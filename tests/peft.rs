//! Adapters that are written here, in PEFT: it loads them and computes the same logits.

use lab_model::adapter::Adapter;
use lab_model::burn::tensor::{Device, Int, Tensor, TensorData};
use lab_model::decoder::Decoder;
use lab_model::dropout::Dropout;
use lab_model::formats::{adapter_folder, model_folder};
use lab_model::parameters;
use lab_model::random::{Purpose, Random};
use lab_model::tokenizer::Tokenizer;
use lab_protocol::{Activation, BackendChoice, LoraConfig, ModelConfig, ModelFile, Norm, Position};
use lab_tests::python::Python;
use pollster::block_on;
use serde_json::json;
use std::path::Path;

const SCRIPT: &str = r#"
import json, sys, torch
from transformers import AutoModelForCausalLM
from peft import PeftModel
given = json.load(sys.stdin)
base = AutoModelForCausalLM.from_pretrained(given["model"], dtype=torch.float32)
model = PeftModel.from_pretrained(base, given["adapter"]).eval()
adapted = sum("lora_A" in name for name, _ in model.named_parameters())
with torch.no_grad():
    logits = model(torch.tensor([given["ids"]])).logits[0]
print(json.dumps({"logits": logits.flatten().tolist(), "adapted": adapted}))
"#;

fn write(folder: &Path, files: &[ModelFile]) {
    std::fs::create_dir_all(folder).unwrap();
    for file in files {
        std::fs::write(folder.join(&file.path), &file.bytes).unwrap();
    }
}

fn logits(model: &Decoder, ids: &[i32], device: &Device) -> Vec<f32> {
    let data = TensorData::new(ids.to_vec(), [1, ids.len()]);
    let ids = Tensor::<2, Int>::from_data(data, &device.clone().inner());
    let logits = model.forward(ids, &mut Dropout::off());
    let count = logits.dims().iter().product::<usize>();
    block_on(parameters::read(vec![logits.reshape([count])]))
        .unwrap()
        .remove(0)
}

#[test]
#[cfg_attr(
    not(all(python = "torch", python = "transformers", python = "peft")),
    ignore = "needs torch, transformers and peft in LAB_PYTHON"
)]
fn adapters_written_here_give_the_same_logits_in_peft() {
    let python = Python::default();
    let device = block_on(lab_strategies::device::open(BackendChoice::Cpu)).unwrap();
    let gpt2 = ModelConfig {
        layers: 2,
        heads: 2,
        width: 24,
        context: 16,
        activation: Activation::GeluNew,
        bias: true,
        ..Default::default()
    };
    let llama = ModelConfig {
        heads: 4,
        key_value_heads: 2,
        norm: Norm::RmsNorm,
        position: Position::Rope,
        activation: Activation::Swiglu,
        bias: false,
        ..gpt2.clone()
    };
    let lora = |targets: &[&str], rslora, dora| LoraConfig {
        rank: 3,
        alpha: 5.0,
        targets: targets.iter().map(|&target| target.to_owned()).collect(),
        rslora,
        dora,
        ..Default::default()
    };
    for (name, shape, config, adapted) in [
        ("gpt2", &gpt2, lora(&[], false, false), 8),
        ("gpt2-dora", &gpt2, lora(&["c_attn"], false, true), 2),
        (
            "llama",
            &llama,
            lora(&["q_proj", "v_proj", "mlp.*"], true, false),
            10,
        ),
        ("llama-dora", &llama, lora(&[], false, true), 14),
        (
            "llama-one",
            &llama,
            lora(&["model.layers.1.self_attn.k_proj"], false, false),
            1,
        ),
    ] {
        let base = Decoder::new(shape, 256, 3, &device);
        let weights = block_on(parameters::to_host(&base)).unwrap();
        let model = base
            .clone()
            .with_new_adapter(shape, &config, 3, &device)
            .unwrap();
        // Other numbers than the initial ones, which would have no effect.
        let mut adapter: Adapter = block_on(model.adapter(&config)).unwrap();
        let mut random = Random::new(5, Purpose::Weights, 0);
        for module in adapter.modules.values_mut() {
            module.b.values = random.normal(module.b.values.len(), 0.3);
            if let Some(magnitude) = &mut module.magnitude {
                magnitude.values.iter_mut().for_each(|x| *x *= 1.5);
            }
        }
        let folder = std::env::temp_dir().join(format!("lab-peft-{}-{name}", std::process::id()));
        write(
            &folder.join("model"),
            &model_folder(shape, &Tokenizer::Byte, &weights).unwrap(),
        );
        write(
            &folder.join("adapter"),
            &adapter_folder(shape, &adapter).unwrap(),
        );
        let ids: Vec<i32> = (0..12).map(|i| (i * i * 7 + 1) % 256).collect();
        let found = python.run(
            SCRIPT,
            &json!({"model": folder.join("model"), "adapter": folder.join("adapter"), "ids": ids}),
        );
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found["adapted"], adapted, "{name}");
        let theirs: Vec<f32> = serde_json::from_value(found["logits"].clone()).unwrap();
        let model = base.with_adapter(shape, &adapter, &device).unwrap();
        let ours = logits(&model, &ids, &device);
        assert_eq!(ours.len(), theirs.len());
        let plain = logits(&model.without_adapter(), &ids, &device);
        let far = |a: &[f32], b: &[f32]| {
            let pairs = a.iter().zip(b);
            pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
        };
        assert!(
            far(&ours, &theirs) <= 1e-4,
            "{name}: {}",
            far(&ours, &theirs)
        );
        // One key projection in a model of random weights moves little.
        assert!(far(&ours, &plain) > 1e-6, "{name}");
    }
}
