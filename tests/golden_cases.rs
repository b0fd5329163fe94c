//! The golden models' cases, on whichever device they are given: natively by `golden.rs`, in a browser by
//! lab-js's example `browser_cases`.

use lab_model::burn::tensor::Device;
use lab_model::corpus::{Batch, IGNORED};
use lab_model::decoder::Decoder;
use lab_model::dropout::Dropout;
use lab_model::evaluate::{nll_sum, upload};
use lab_model::formats::{read_config, read_weights, rename_weights};
use lab_model::generate::{GenerationSettings, Sampling, generate_batch};
use lab_model::optimizer::AdamW;
use lab_model::parameters::{self, HostTensor, HostTensors};
use lab_protocol::{ModelConfig, TrainingConfig};
use serde_json::Value;

/// One case: a model and transformers' results for it.
pub struct Golden {
    pub config: ModelConfig,
    vocabulary: usize,
    pub weights: HostTensors,
    reference: Value,
    device: Device,
}

// Tolerances on every device: sums of 32-bit floats depend on the order in which a device adds them.

/// For a logit, absolute.
const LOGIT: f64 = 2e-4;
/// For the loss and for the sum of |logits|, relative.
const LOSS: f64 = 1e-5;
/// For each gradient's norm, relative.
const GRADIENT: f64 = 1e-3;
/// For the losses of ten updates, absolute.
const UPDATE: f64 = 1e-4;

impl Golden {
    /// Reads the case from its files, by name.
    pub fn read(file: impl Fn(&str) -> Vec<u8>, device: &Device) -> Self {
        let json = |name: &str| -> Value { serde_json::from_slice(&file(name)).unwrap() };
        let (config, vocabulary) = read_config(&json("config.json")).unwrap();
        let weights = read_weights(&config, &file("model.safetensors")).unwrap();
        Self {
            config,
            vocabulary,
            weights,
            reference: json("reference.json"),
            device: device.clone(),
        }
    }

    fn model(&self) -> Decoder {
        let model = Decoder::new(&self.config, self.vocabulary, 0, &self.device);
        parameters::from_host(model, &self.weights, &self.device).unwrap()
    }

    /// Rows of ids, each predicting its next; the last of a row predicts nothing.
    fn batch(&self, rows: &Value) -> Batch {
        let rows: Vec<Vec<i32>> = serde_json::from_value(rows.clone()).unwrap();
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

    async fn loss(&self, model: &Decoder, batch: &Batch) -> f64 {
        let sum = nll_sum(model, batch, &self.device, &mut Dropout::off());
        f64::from(parameters::read(vec![sum]).await.unwrap()[0][0]) / batch.tokens as f64
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    serde_json::from_value(value.clone()).unwrap()
}

#[track_caller]
fn assert_close(found: f64, expected: f64, relative: f64, what: &str) {
    assert!(
        (found - expected).abs() <= relative * expected.abs(),
        "{what}: {found}, expected {expected}"
    );
}

/// Logits, loss, gradients, ten updates of AdamW and the likeliest continuation; panics if one differs.
pub async fn check(name: &str, golden: &Golden) {
    let reference = &golden.reference;
    let model = golden.model();
    let batch = golden.batch(&reference["input_ids"]);

    // Logits: the first row in full, of all the sum of magnitudes.
    let (ids, _) = upload(&batch, &golden.device);
    let logits = model.forward(ids, &mut Dropout::off());
    let width = golden.vocabulary;
    let elements = logits.dims().iter().product::<usize>();
    let logits = parameters::read(vec![logits.reshape([elements])])
        .await
        .unwrap()
        .remove(0);
    let first: Vec<Vec<f64>> =
        serde_json::from_value(reference["logits_first_row"].clone()).unwrap();
    for (position, expected) in first.iter().enumerate() {
        for (found, expected) in logits[position * width..].iter().zip(expected) {
            assert!(
                (f64::from(*found) - expected).abs() <= LOGIT,
                "{name}: logit at {position}: {found}, expected {expected}"
            );
        }
    }
    let sum: f64 = logits.iter().map(|x| f64::from(x.abs())).sum();
    assert_close(
        sum,
        reference["logits_sum_abs"].as_f64().unwrap(),
        LOSS,
        "sum of |logits|",
    );

    // The loss and its gradient, tensor by tensor under the file's names.
    let expected = reference["loss_mean_next_token_nll"].as_f64().unwrap();
    assert_close(golden.loss(&model, &batch).await, expected, LOSS, "loss");
    let loss = nll_sum(&model, &batch, &golden.device, &mut Dropout::off()) / batch.tokens as f32;
    let gradients = parameters::gradients(&model, &mut loss.backward());
    let values = parameters::read(gradients).await.unwrap();
    let ours: HostTensors = parameters::shapes(&model)
        .into_iter()
        .zip(values)
        .map(|((name, shape), values)| (name, HostTensor { shape, values }))
        .collect();
    let theirs = rename_weights(&golden.config, &ours).unwrap();
    let norm = |values: &[f32]| {
        values
            .iter()
            .map(|&x| f64::from(x).powi(2))
            .sum::<f64>()
            .sqrt()
    };
    let norms = reference["grad_l2_norm_per_parameter"].as_object().unwrap();
    for (parameter, expected) in norms {
        let found = theirs
            .get(parameter)
            .unwrap_or_else(|| panic!("{name} has no {parameter}"));
        assert_close(
            norm(&found.values),
            expected.as_f64().unwrap(),
            GRADIENT,
            parameter,
        );
    }
    assert_eq!(norms.len(), theirs.len());

    // Ten updates.
    let adamw = &reference["adamw"];
    let betas = numbers(&adamw["betas"]);
    let training = TrainingConfig {
        beta1: betas[0],
        beta2: betas[1],
        epsilon: adamw["eps"].as_f64().unwrap(),
        weight_decay: adamw["weight_decay_on_matrices"].as_f64().unwrap(),
        gradient_clip: adamw["clip_global_norm"].as_f64().unwrap(),
        ..Default::default()
    };
    let mut optimizer = AdamW::new(&training, &model, &golden.device);
    let mut trained = model.clone();
    let losses = numbers(&adamw["loss_before_each_update"]);
    let norms = numbers(&adamw["grad_norm_before_clip"]);
    for (step, rows) in reference["adamw_batches"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
    {
        let batch = golden.batch(rows);
        let loss =
            nll_sum(&trained, &batch, &golden.device, &mut Dropout::off()) / batch.tokens as f32;
        let gradients = parameters::gradients(&trained, &mut loss.backward());
        let (updated, norm) = optimizer.update(trained, gradients, adamw["lr"].as_f64().unwrap());
        trained = updated;
        let read = parameters::read(vec![loss, norm]).await.unwrap();
        assert!(
            (f64::from(read[0][0]) - losses[step]).abs() <= UPDATE,
            "{name}: loss {step}: {}, expected {}",
            read[0][0],
            losses[step]
        );
        assert_close(
            f64::from(read[1][0]),
            norms[step],
            GRADIENT,
            "gradient norm",
        );
    }
    let after = adamw["loss_on_input_ids_after"].as_f64().unwrap();
    assert!(
        (golden.loss(&trained, &batch).await - after).abs() <= UPDATE,
        "{name}: loss after the updates"
    );

    // The likeliest continuation.
    let prompt: Vec<u32> = serde_json::from_value(reference["greedy"]["prompt"].clone()).unwrap();
    let expected: Vec<u32> =
        serde_json::from_value(reference["greedy"]["continuation"].clone()).unwrap();
    let settings = GenerationSettings {
        sampling: Sampling::greedy(),
        max_tokens: expected.len(),
        ..Default::default()
    };
    // Beside a longer prompt, to test padding too.
    let longer = [&prompt[..], &prompt[..]].concat();
    let prompts = vec![
        prompt,
        longer[..longer.len().min(golden.config.context)].to_vec(),
    ];
    let found = generate_batch(&model, prompts, &settings)
        .await
        .unwrap()
        .swap_remove(0)
        .ids;
    assert_eq!(found, expected, "{name}: greedy continuation");
}
