//! Training steps on weights and batches from outside, to time other libraries on the same ones.

use lab_model::burn::tensor::Device;
use lab_model::corpus::{Batch, IGNORED};
use lab_model::decoder::Decoder;
use lab_model::parameters::{self, HostTensor, HostTensors};
use lab_protocol::{Activation, LabError, ModelConfig, TrainingConfig};
use lab_strategies::{Portion, StepSettings, Trainee, train_step};
use serde::Deserialize;

/// Shape of the benchmark's decoder: pre-LayerNorm without biases, learned positions, GELU in the tanh
/// form, tied head.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BenchShape {
    pub layers: usize,
    pub heads: usize,
    pub width: usize,
    pub context: usize,
    pub vocabulary: usize,
    pub batch: usize,
}

/// A decoder and its optimiser: AdamW (0.9, 0.99, 1e-8) at 1e-3, decay 0.1 on matrices, global norm 1.
pub struct StepBench {
    trainee: Trainee<Decoder>,
    shape: BenchShape,
    device: Device,
    step: usize,
}

impl StepBench {
    /// With weights by the benchmark's names (`wte, wpe, blocks.i.{norm1, qkv, proj, norm2, up, down},
    /// norm`), or fresh ones if there are none.
    pub fn new(
        shape: BenchShape,
        weights: Vec<(String, Vec<f32>)>,
        device: Device,
    ) -> Result<Self, LabError> {
        let config = ModelConfig {
            layers: shape.layers,
            heads: shape.heads,
            width: shape.width,
            context: shape.context,
            activation: Activation::GeluNew,
            ..Default::default()
        };
        config.validate()?;
        let mut model = Decoder::new(&config, shape.vocabulary, 1337, &device);
        if !weights.is_empty() {
            let shapes: HostTensors = parameters::shapes(&model)
                .into_iter()
                .map(|(name, shape)| {
                    (
                        name,
                        HostTensor {
                            shape,
                            values: Vec::new(),
                        },
                    )
                })
                .collect();
            let tensors = weights
                .into_iter()
                .map(|(name, values)| {
                    let name = our_name(&name);
                    let shape = shapes
                        .get(&name)
                        .map_or_else(|| vec![values.len()], |known| known.shape.clone());
                    (name, HostTensor { shape, values })
                })
                .collect();
            model = parameters::from_host(model, &tensors, &device)?;
        }
        let training = TrainingConfig::default();
        let field = "training.learning_rate";
        Ok(Self {
            trainee: Trainee::new(model, &training, field, &device),
            shape,
            device,
            step: 0,
        })
    }

    /// One step on token ids `[batch·context]` and the ids that follow them; the loss in nats.
    pub async fn step(&mut self, inputs: Vec<i32>, targets: Vec<i32>) -> Result<f64, LabError> {
        let BenchShape {
            batch: rows,
            context: columns,
            ..
        } = self.shape;
        let tokens = targets.iter().filter(|&&target| target != IGNORED).count();
        if inputs.len() != rows * columns || targets.len() != rows * columns {
            return Err(LabError::internal(
                "the batch does not have the benchmark's shape",
            ));
        }
        self.step += 1;
        let batch = Batch {
            rows,
            columns,
            inputs,
            targets,
            tokens,
        };
        let settings = StepSettings {
            device: &self.device,
            learning_rate: 1e-3,
            dropout: 0.0,
            seed: 0,
            step: self.step,
        };
        let portions = Portion::whole(vec![batch]);
        let values = train_step(&mut self.trainee, &portions, &settings).await?;
        Ok(values.portions.first().map_or(f64::NAN, |all| all.loss))
    }
}

fn our_name(theirs: &str) -> String {
    match theirs {
        "wte" => "token_embedding".to_owned(),
        "wpe" => "position_embedding".to_owned(),
        "norm" => "norm.weight".to_owned(),
        block => {
            let name = block
                .replace(".norm1", ".attention_norm")
                .replace(".norm2", ".mlp_norm");
            format!("{}.weight", name.replace(".proj", ".projection"))
        }
    }
}
