//! Learning from a batch of answers: several epochs over minibatches, by the clipped loss.

use super::experience::{Experience, Part, upload, upload_mask};
use crate::learning::trainee::{Trainee, Updated};
use lab_model::burn::tensor::{Device, Tensor};
use lab_model::dropout::Dropout;
use lab_model::rl::{self, KlEstimator, PolicyWithValue};
use lab_protocol::LabError;

/// How an update is made.
pub(crate) struct UpdateSettings<'a> {
    pub device: &'a Device,
    pub context: usize,
    pub temperature: f64,
    pub seed: u64,
    pub step: usize,
    pub epochs: usize,
    pub minibatches: usize,
    pub learning_rate: f64,
    pub clip: f64,
    pub entropy_coefficient: f64,
    /// Weight and clipping of the value's loss, where a value is learned.
    pub value: Option<(f64, f64)>,
    /// Divergence from the reference in the loss, and its weight.
    pub kl_loss: Option<(KlEstimator, f64)>,
    /// The divergence from the policy that sampled at which the update ends; 0 means never.
    pub maximum_kl: f64,
}

/// Means over the minibatches of an update, and what the first of them found.
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
    /// Minibatches that were learned from.
    pub minibatches: usize,
    /// Whether the update ended early.
    pub cut_short: bool,
    /// Ratio, approximate KL and clip fraction of the first minibatch, before anything was learned: 1, 0
    /// and 0, unless what samples and what learns differ.
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
            let part = experience.part(chosen, settings.context);
            let measured = minibatch(trainee, &part, settings).await?;
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

/// What one minibatch measured.
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

async fn minibatch(
    trainee: &mut Trainee<PolicyWithValue>,
    part: &Part,
    settings: &UpdateSettings<'_>,
) -> Result<Measured, LabError> {
    let device = settings.device;
    let policy = trainee.model()?;
    let mask = upload_mask(&part.mask, device);
    let hidden = policy
        .decoder
        .hidden(part.packed.ids(device), &mut Dropout::off());
    let logits = policy.decoder.logits(hidden.clone());
    let new = rl::token_log_probabilities(logits.clone(), &part.packed, settings.temperature);
    let policy_loss = rl::ppo_loss(
        new.clone(),
        upload(&part.old, device),
        upload(&part.advantages, device),
        mask.clone(),
        settings.clip,
    );
    let mut loss = policy_loss.clone();
    let elements = part.mask.len();
    let mut values = Tensor::zeros([elements], &device.clone().inner());
    let mut value_loss = Tensor::zeros([1], &device.clone().inner());
    if let Some((coefficient, clip)) = settings.value {
        let found = policy.value.forward(hidden).reshape([elements]);
        let (old, returns) = (upload(&part.values, device), upload(&part.returns, device));
        let found_loss = rl::value_loss(found.clone(), old, returns, mask.clone(), clip);
        loss = loss + found_loss.clone() * coefficient;
        (values, value_loss) = (found.without_autodiff(), found_loss.without_autodiff());
    }
    if let Some((estimator, coefficient)) = settings.kl_loss.filter(|(_, weight)| *weight > 0.0) {
        let reference = upload(&part.reference, device);
        loss = loss + rl::kl_penalty(new.clone(), reference, mask.clone(), estimator) * coefficient;
    }
    let entropy = if settings.entropy_coefficient > 0.0 {
        let entropies = rl::entropies(logits, settings.temperature);
        let entropy = rl::masked_mean_of(entropies, mask);
        loss = loss - entropy.clone() * settings.entropy_coefficient;
        entropy.without_autodiff()
    } else {
        let entropies = rl::entropies(logits.without_autodiff(), settings.temperature);
        rl::masked_mean_of(entropies, mask)
    };
    let measured = vec![
        policy_loss.without_autodiff(),
        value_loss,
        entropy,
        new.without_autodiff(),
        values,
    ];
    let Updated {
        loss,
        gradient_norm,
        measured,
    } = trainee
        .update(loss, settings.learning_rate, measured)
        .await?;
    let of = |which: usize| measured.get(which).map(Vec::as_slice).unwrap_or_default();
    let number = |which: usize| of(which).first().copied().unwrap_or(f64::NAN);
    let (new, values) = (of(3), of(4));
    let ratios: Vec<f64> = new
        .iter()
        .zip(&part.old)
        .map(|(new, old)| (new - old).exp())
        .collect();
    let value_clip = settings.value.map_or(f64::INFINITY, |(_, clip)| clip);
    let value_moves: Vec<f64> = values
        .iter()
        .zip(&part.values)
        .map(|(new, old)| f64::from(u8::from((new - old).abs() > value_clip)))
        .collect();
    let measured = Measured {
        loss,
        policy_loss: number(0),
        value_loss: number(1),
        entropy: number(2),
        approximate_kl: rl::approximate_kl(new, &part.old, &part.mask),
        clip_fraction: rl::clip_fraction(new, &part.old, &part.mask, settings.clip),
        value_clip_fraction: rl::masked_mean(&value_moves, &part.mask),
        ratio: rl::masked_mean(&ratios, &part.mask),
        gradient_norm,
    };
    Ok(measured)
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
