//! Learning from a batch of answers: several epochs over minibatches, by the clipped loss.

use super::experience::{Experience, Part, upload};
use super::pairs::at_once;
use crate::learning::trainee::{Trainee, Updated};
use lab_model::burn::tensor::{Device, Tensor};
use lab_model::dropout::Dropout;
use lab_model::gradients::Gradients;
use lab_model::kernels;
use lab_model::rl::{self, KlEstimator, PolicyWithValue};
use lab_protocol::{GrpoLossType, LabError};

/// Settings of an update.
pub(crate) struct UpdateSettings<'a> {
    pub device: &'a Device,
    pub context: usize,
    pub temperature: f64,
    pub seed: u64,
    pub step: usize,
    pub epochs: usize,
    pub minibatches: usize,
    /// Number of answers that go through the policy at once; 0 means a minibatch.
    pub micro_batch_size: usize,
    pub loss_type: GrpoLossType,
    /// Maximum number of tokens of an answer.
    pub response_tokens: usize,
    pub learning_rate: f64,
    pub clip: f64,
    pub entropy_coefficient: f64,
    /// Weight and clipping of the value's loss; `None` if no value is learned.
    pub value: Option<(f64, f64)>,
    /// Estimator and weight of the divergence from the reference in the loss.
    pub kl_loss: Option<(KlEstimator, f64)>,
    /// The update ends at this divergence from the policy that sampled; 0 means never.
    pub maximum_kl: f64,
}

/// Means over the minibatches of an update, and the values of the first one.
#[derive(Clone, Debug, Default)]
pub(crate) struct UpdateValues {
    pub loss: f64,
    pub policy_loss: f64,
    pub value_loss: f64,
    pub entropy: f64,
    pub approximate_kl: f64,
    pub clip_fraction: f64,
    pub value_clip_fraction: f64,
    pub ratio: f64,
    pub ratio_variance: f64,
    pub gradient_norm: f64,
    /// Number of minibatches that were learned from.
    pub minibatches: usize,
    /// Whether the update ended early.
    pub cut_short: bool,
    /// Ratio, approximate KL and clip fraction of the first minibatch, before the policy has changed: 1, 0 and 0,
    /// unless the passes that sample and that learn compute different values.
    pub first: (f64, f64, f64),
}

/// One update of the policy. A loss or gradient that is not finite changes no weight and is an error.
pub(crate) async fn update(
    trainee: &mut Trainee<PolicyWithValue>,
    experience: &Experience,
    settings: &UpdateSettings<'_>,
) -> Result<UpdateValues, LabError> {
    let mut all: Vec<Measured> = Vec::new();
    let size = experience.sequences.len() / settings.minibatches.max(1);
    let mut cut_short = false;
    'epochs: for epoch in 0..settings.epochs {
        let order = experience.order(settings.seed, settings.step, epoch);
        for chosen in order.chunks(size.max(1)) {
            let measured = minibatch(trainee, experience, chosen, settings).await?;
            let kl = measured.approximate_kl;
            all.push(measured);
            if settings.maximum_kl > 0.0 && kl > settings.maximum_kl {
                cut_short = true;
                break 'epochs;
            }
        }
    }
    Ok(mean(&all, cut_short))
}

/// Measurements of one minibatch.
struct Measured {
    loss: f64,
    policy_loss: f64,
    value_loss: f64,
    entropy: f64,
    approximate_kl: f64,
    clip_fraction: f64,
    value_clip_fraction: f64,
    ratio: f64,
    gradient_norm: f64,
}

/// One update of the weights, from some sequences of the experience.
async fn minibatch(
    trainee: &mut Trainee<PolicyWithValue>,
    experience: &Experience,
    chosen: &[usize],
    settings: &UpdateSettings<'_>,
) -> Result<Measured, LabError> {
    let Passes {
        gradients,
        loss,
        measured,
        old,
        old_values,
    } = Passes::new(trainee.model()?, experience, chosen, settings);
    let measured = measured.into_iter().flatten().collect();
    let Updated {
        loss,
        gradient_norm,
        measured,
    } = trainee
        .apply(
            gradients.into_tensors(),
            loss,
            settings.learning_rate,
            measured,
        )
        .await?;
    let mut sums = [0.0; 3];
    let (mut new, mut values): (Vec<f64>, Vec<f64>) = Default::default();
    for part in measured.chunks_exact(3) {
        let losses = sums.iter_mut().zip(&part[0]);
        losses.for_each(|(sum, loss)| *sum += loss);
        new.extend(&part[1]);
        values.extend(&part[2]);
    }
    let [policy_loss, value_loss, entropy] = sums;
    let ratios = new.iter().zip(&old).map(|(new, old)| (new - old).exp());
    let ratios: Vec<f64> = ratios.collect();
    let value_clip = settings.value.map_or(f64::INFINITY, |(_, clip)| clip);
    let moves: Vec<f64> = values
        .iter()
        .zip(&old_values)
        .map(|(new, old)| f64::from(u8::from((new - old).abs() > value_clip)))
        .collect();
    let all = vec![true; old.len()];
    Ok(Measured {
        loss,
        policy_loss,
        value_loss,
        entropy,
        approximate_kl: rl::approximate_kl(&new, &old, &all),
        clip_fraction: rl::clip_fraction(&new, &old, &all, settings.clip),
        value_clip_fraction: rl::masked_mean(&moves, &all),
        ratio: rl::masked_mean(&ratios, &all),
        gradient_norm,
    })
}

/// The passes of a minibatch through the policy, one for each micro-batch.
struct Passes {
    gradients: Gradients,
    /// `[1]`
    loss: Tensor<1>,
    /// See [`Losses::measured`].
    measured: Vec<[Tensor<1>; 3]>,
    /// Log-probabilities and values of the tokens when they were sampled.
    old: Vec<f64>,
    old_values: Vec<f64>,
}

impl Passes {
    fn new(
        policy: &PolicyWithValue,
        experience: &Experience,
        chosen: &[usize],
        settings: &UpdateSettings<'_>,
    ) -> Self {
        let lengths = experience.lengths(chosen);
        let tokens: usize = lengths.iter().sum();
        let mean_tokens = experience.tokens() as f64 / settings.minibatches.max(1) as f64;
        let longest = settings.response_tokens;
        let weights = rl::token_weights(settings.loss_type, &lengths, longest, mean_tokens);
        let mut weights = weights.as_slice();
        let mut passes = Self {
            gradients: Gradients::default(),
            loss: Tensor::zeros([1], &settings.device.clone().inner()),
            measured: Vec::new(),
            old: Vec::new(),
            old_values: Vec::new(),
        };
        for chosen in chosen.chunks(at_once(settings.micro_batch_size, chosen.len())) {
            let part = experience.part(chosen, settings.context);
            let (these, rest) = weights.split_at(part.old.len().min(weights.len()));
            weights = rest;
            let losses = Losses::new(policy, &part, these, tokens, settings);
            passes.gradients.add(policy, &losses.total);
            passes.loss = passes.loss + losses.total.clone().without_autodiff();
            passes.measured.push(losses.measured());
            passes.old.extend(part.old);
            passes.old_values.extend(part.values);
        }
        passes
    }
}

/// The part of a micro-batch in the losses of its minibatch, `[1]` each.
struct Losses {
    total: Tensor<1>,
    policy: Tensor<1>,
    value: Tensor<1>,
    entropy: Tensor<1>,
    /// Log-probabilities and values of its tokens, `[tokens]`.
    new: Tensor<1>,
    values: Tensor<1>,
}

impl Losses {
    /// `weights` belong to the part's tokens; the minibatch has `tokens` tokens in all.
    fn new(
        policy: &PolicyWithValue,
        part: &Part,
        weights: &[f64],
        tokens: usize,
        settings: &UpdateSettings<'_>,
    ) -> Self {
        let device = settings.device;
        let on_device = |values: &[f64]| upload(values, device);
        let weights = on_device(weights);
        let hidden = part
            .batch
            .hidden(&policy.decoder, device, &mut Dropout::off());
        let logits = rl::logits(&policy.decoder, hidden.clone(), settings.temperature);
        let new = part.batch.log_probabilities(logits.clone());
        let (old, advantages) = (on_device(&part.old), on_device(&part.advantages));
        let policy_loss =
            rl::ppo_loss(new.clone(), old, advantages, weights.clone(), settings.clip);
        let mut total = policy_loss.clone();
        let nothing = Tensor::zeros([1], &device.clone().inner());
        let (mut values, mut value_loss) = (nothing.clone(), nothing);
        if let Some((coefficient, clip)) = settings.value {
            let found = policy.value.forward(hidden);
            let (old, returns) = (on_device(&part.values), on_device(&part.returns));
            let loss = rl::value_loss(found.clone(), old, returns, weights.clone(), clip);
            total = total + loss.clone() * coefficient;
            (values, value_loss) = (found.without_autodiff(), loss.without_autodiff());
        }
        if let Some((estimator, coefficient)) = settings.kl_loss.filter(|(_, weight)| *weight > 0.0)
        {
            let reference = on_device(&part.reference);
            let penalty = rl::kl_penalty(new.clone(), reference, weights, estimator);
            total = total + penalty * coefficient;
        }
        let mean = |logits| kernels::entropy(logits).sum() / tokens.max(1) as f64;
        let entropy = if settings.entropy_coefficient > 0.0 {
            let entropy = mean(logits);
            total = total - entropy.clone() * settings.entropy_coefficient;
            entropy.without_autodiff()
        } else {
            mean(logits.without_autodiff())
        };
        Self {
            total,
            policy: policy_loss.without_autodiff(),
            value: value_loss,
            entropy,
            new: new.without_autodiff(),
            values,
        }
    }

    /// Without gradients: the losses of policy and value and the entropy in one tensor, then log-probabilities and
    /// values.
    fn measured(self) -> [Tensor<1>; 3] {
        let losses = Tensor::cat(vec![self.policy, self.value, self.entropy], 0);
        [losses, self.new, self.values]
    }
}

fn mean(all: &[Measured], cut_short: bool) -> UpdateValues {
    let over =
        |value: fn(&Measured) -> f64| all.iter().map(value).sum::<f64>() / all.len().max(1) as f64;
    let ratios: Vec<f64> = all.iter().map(|measured| measured.ratio).collect();
    UpdateValues {
        loss: over(|m| m.loss),
        policy_loss: over(|m| m.policy_loss),
        value_loss: over(|m| m.value_loss),
        entropy: over(|m| m.entropy),
        approximate_kl: over(|m| m.approximate_kl),
        clip_fraction: over(|m| m.clip_fraction),
        value_clip_fraction: over(|m| m.value_clip_fraction),
        ratio: over(|m| m.ratio),
        ratio_variance: rl::mean_and_deviation(&ratios).1.powi(2),
        gradient_norm: over(|m| m.gradient_norm),
        minibatches: all.len(),
        cut_short,
        first: all.first().map_or((1.0, 0.0, 0.0), |m| {
            (m.ratio, m.approximate_kl, m.clip_fraction)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::experience::{Estimation, Pass};
    use super::super::rollout::Response;
    use super::*;
    use burn::module::Module;
    use lab_model::decoder::Decoder;
    use lab_model::parameters;
    use lab_model::random::{Purpose, Random};
    use lab_model::rl::ScalarHead;
    use lab_protocol::ModelConfig;

    const ANSWERS: usize = 7;
    const VOCABULARY: usize = 11;

    fn policy(seed: u64, device: &Device) -> PolicyWithValue {
        let shape = ModelConfig {
            layers: 2,
            heads: 2,
            width: 16,
            context: 16,
            ..Default::default()
        };
        PolicyWithValue {
            decoder: Decoder::new(&shape, VOCABULARY, seed, device),
            value: ScalarHead::random(16, seed, device),
        }
    }

    /// Answers of unequal length to prompts of unequal length.
    fn experience(settings: &UpdateSettings<'_>) -> Experience {
        let mut random = Random::new(3, Purpose::Samples, 0);
        let mut tokens = |limit: u64| -> Vec<u32> {
            let count = 1 + random.below(limit);
            (0..count)
                .map(|_| random.below(VOCABULARY as u64) as u32)
                .collect()
        };
        let prompts: Vec<Vec<u32>> = (0..ANSWERS).map(|_| tokens(5)).collect();
        let responses = (0..ANSWERS).map(|_| Response {
            tokens: tokens(8),
            ..Default::default()
        });
        let responses: Vec<Response> = responses.collect();
        let prompts: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
        let pass = Pass {
            device: settings.device,
            context: settings.context,
            temperature: settings.temperature,
            rows: 3,
        };
        let sampled = policy(3, settings.device).valid();
        let reference = policy(2, settings.device).decoder.valid();
        let found = Experience::new(&sampled, &reference, &prompts, &responses, &pass);
        let mut found = pollster::block_on(found).unwrap();
        let estimation = Estimation {
            gamma: 0.9,
            lambda: 0.9,
            whiten_rewards: false,
        };
        let scores: Vec<f64> = (0..ANSWERS).map(|answer| (answer as f64).sin()).collect();
        found.estimate(&scores, 0.1, &estimation);
        found
    }

    /// Gradients and the four losses of a minibatch of five of the answers.
    fn passes(learner: &PolicyWithValue, settings: &UpdateSettings<'_>) -> (Vec<f32>, Vec<f64>) {
        let experience = experience(settings);
        let passes = Passes::new(learner, &experience, &[4, 0, 6, 2, 5], settings);
        let read = |tensors| {
            pollster::block_on(parameters::read(tensors))
                .unwrap()
                .concat()
        };
        let mut losses = vec![0.0; 3];
        for [part, ..] in &passes.measured {
            let part = losses.iter_mut().zip(read(vec![part.clone()]));
            part.for_each(|(sum, loss)| *sum += f64::from(loss));
        }
        losses.extend(read(vec![passes.loss]).into_iter().map(f64::from));
        (read(passes.gradients.into_tensors()), losses)
    }

    #[test]
    fn micro_batches_change_no_number() {
        let device = Device::flex().autodiff();
        let learner = policy(1, &device);
        for loss_type in [
            GrpoLossType::Grpo,
            GrpoLossType::Bnpo,
            GrpoLossType::DrGrpo,
            GrpoLossType::Dapo,
        ] {
            let settings = |micro_batch_size| UpdateSettings {
                device: &device,
                context: 16,
                temperature: 0.8,
                seed: 1,
                step: 1,
                epochs: 1,
                minibatches: 1,
                micro_batch_size,
                loss_type,
                response_tokens: 8,
                learning_rate: 1e-3,
                clip: 0.2,
                entropy_coefficient: 0.05,
                value: Some((0.5, 0.2)),
                kl_loss: Some((KlEstimator::K3, 0.1)),
                maximum_kl: 0.0,
            };
            let (gradients, losses) = passes(&learner, &settings(0));
            let largest = gradients.iter().fold(0.0f32, |max, x| max.max(x.abs()));
            assert!(largest > 1e-3, "{largest}");
            for size in [1, 2, 3, 4, 5, 64] {
                let (found, found_losses) = passes(&learner, &settings(size));
                assert_eq!(found.len(), gradients.len());
                for (found, whole) in found.iter().zip(&gradients) {
                    let off = (found - whole).abs();
                    assert!(
                        off <= 1e-5 * largest,
                        "{loss_type:?}, {size}: {found}, {whole}"
                    );
                }
                for (found, whole) in found_losses.iter().zip(&losses) {
                    let off = (found - whole).abs();
                    assert!(off <= 1e-5, "{loss_type:?}, {size}: {found}, {whole}");
                }
            }
        }
    }
}
