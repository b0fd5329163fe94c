//! AdamW (Loshchilov and Hutter 2019) with decay on matrices only and clipping by the global norm, all on the device:
//! the host reads nothing before the update.

use crate::kernels::{self, AdamWStep};
use crate::parameters::{self, HostTensor, HostTensors};
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use lab_protocol::{ErrorCode, LabError, TrainingConfig, text};

/// The optimiser's settings and its two moments for each weight.
pub struct AdamW {
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    weight_decay: f64,
    gradient_clip: f64,
    /// Number of updates so far.
    updates: usize,
    moments: Vec<Moments>,
}

struct Moments {
    name: String,
    first: Tensor<1>,
    second: Tensor<1>,
}

impl AdamW {
    /// Starts with moments of zero for the trained weights of `module`.
    pub fn new<M: Module>(config: &TrainingConfig, module: &M, device: &Device) -> Self {
        let device = device.clone().inner();
        let moments = parameters::trainable_shapes(module)
            .into_iter()
            .map(|(name, shape)| {
                let zeros = || Tensor::zeros([shape.iter().product::<usize>()], &device);
                Moments {
                    name,
                    first: zeros(),
                    second: zeros(),
                }
            })
            .collect();
        Self {
            beta1: config.beta1,
            beta2: config.beta2,
            epsilon: config.epsilon,
            weight_decay: config.weight_decay,
            gradient_clip: config.gradient_clip,
            updates: 0,
            moments,
        }
    }

    /// One update of `module` by `gradients` (as [`parameters::gradients`] gives them). Returns the
    /// module and the global norm of the gradients before clipping, `[1]`, still on the device. If
    /// that norm is not finite, nothing is changed.
    pub fn update<M: Module>(
        &mut self,
        module: M,
        gradients: Vec<Tensor<1>>,
        learning_rate: f64,
    ) -> (M, Tensor<1>) {
        let norm = kernels::global_norm(&gradients);
        let clip_scale = kernels::clip_scale(norm.clone(), self.gradient_clip);
        self.updates += 1;
        let mut gradients = gradients.into_iter();
        let mut moments = self.moments.iter_mut();
        let (beta1, beta2, epsilon, step) = (self.beta1, self.beta2, self.epsilon, self.updates);
        let module = parameters::update(module, |weight, rank| {
            let (Some(gradient), Some(moments)) = (gradients.next(), moments.next()) else {
                return weight;
            };
            let weight_decay = if rank >= 2 { self.weight_decay } else { 0.0 };
            let settings = AdamWStep {
                learning_rate,
                beta1,
                beta2,
                epsilon,
                weight_decay,
                step,
            };
            // The moments are moved out, so the kernel may change them in place.
            let empty = || Tensor::empty([0], &weight.device());
            let first = std::mem::replace(&mut moments.first, empty());
            let second = std::mem::replace(&mut moments.second, empty());
            let (weight, first, second) = kernels::adamw(
                weight,
                gradient,
                first,
                second,
                settings,
                clip_scale.clone(),
            );
            moments.first = first;
            moments.second = second;
            weight
        });
        (module, norm)
    }

    /// Number of updates so far.
    pub fn updates(&self) -> usize {
        self.updates
    }

    /// Bytes of the moments.
    pub fn bytes(&self) -> usize {
        let numbers = |moments: &Moments| 2 * moments.first.dims()[0];
        self.moments.iter().map(numbers).sum::<usize>() * size_of::<f32>()
    }

    /// The moments on the host, named `first.<weight>` and `second.<weight>`, and the number of updates.
    pub async fn to_host(&self) -> Result<(HostTensors, usize), LabError> {
        let tensors = self
            .moments
            .iter()
            .flat_map(|m| [m.first.clone(), m.second.clone()])
            .collect();
        let mut values = parameters::read(tensors).await?.into_iter();
        let mut host = HostTensors::new();
        for moments in &self.moments {
            for which in ["first", "second"] {
                let values = values.next().unwrap_or_default();
                host.insert(
                    format!("{which}.{}", moments.name),
                    HostTensor {
                        shape: vec![values.len()],
                        values,
                    },
                );
            }
        }
        Ok((host, self.updates))
    }

    /// Continues from the state that [`AdamW::to_host`] gave.
    pub fn load(
        &mut self,
        mut host: HostTensors,
        updates: usize,
        device: &Device,
    ) -> Result<(), LabError> {
        let device = device.clone().inner();
        for moments in &mut self.moments {
            for (which, slot) in [
                ("first", &mut moments.first),
                ("second", &mut moments.second),
            ] {
                let name = format!("{which}.{}", moments.name);
                let found = host
                    .remove(&name)
                    .filter(|found| found.values.len() == slot.dims()[0]);
                let found = found.ok_or_else(|| {
                    LabError::new(
                        ErrorCode::InvalidCheckpoint,
                        text!(
                            "the optimiser's state {name} is missing or has another size",
                            name
                        ),
                        "Use the checkpoint with the configuration that wrote it.",
                    )
                })?;
                *slot = Tensor::from_data(TensorData::new(found.values, found.shape), &device);
            }
        }
        self.updates = updates;
        Ok(())
    }
}

/// Learning rate of an update (`step` from 1): linear warm-up from 0, then the schedule down to the minimum rate at
/// `decay_steps`, constant after.
pub fn learning_rate(config: &TrainingConfig, step: usize) -> f64 {
    use lab_protocol::Schedule;
    let (high, low) = (config.learning_rate, config.minimum_learning_rate);
    if step <= config.warmup_steps {
        return high * step as f64 / config.warmup_steps as f64;
    }
    let span = config
        .decay_steps()
        .saturating_sub(config.warmup_steps)
        .max(1);
    let passed = ((step - config.warmup_steps) as f64 / span as f64).min(1.0);
    match config.schedule {
        Schedule::Constant => high,
        Schedule::Linear => high + (low - high) * passed,
        Schedule::Cosine => {
            low + (high - low) * 0.5 * (1.0 + (std::f64::consts::PI * passed).cos())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lab_protocol::Schedule;

    #[test]
    fn the_schedule_rises_and_falls_between_its_ends() {
        let config = TrainingConfig {
            steps: 2000,
            warmup_steps: 100,
            learning_rate: 1e-3,
            minimum_learning_rate: 1e-4,
            ..Default::default()
        };
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        close(learning_rate(&config, 1), 1e-5);
        close(learning_rate(&config, 100), 1e-3);
        close(learning_rate(&config, 1050), 5.5e-4);
        close(learning_rate(&config, 2000), 1e-4);
        close(learning_rate(&config, 9000), 1e-4);
        let linear = TrainingConfig {
            schedule: Schedule::Linear,
            ..config.clone()
        };
        close(learning_rate(&linear, 1050), 5.5e-4);
        let constant = TrainingConfig {
            schedule: Schedule::Constant,
            warmup_steps: 0,
            ..config
        };
        close(learning_rate(&constant, 1), 1e-3);
    }
}
