//! The metrics of an update.

use super::experience::Experience;
use super::update::UpdateValues;
use lab_model::rl::{correlation, explained_variance, mean_and_deviation};

/// Measurements of an update beside its losses.
pub(crate) struct Measured<'a> {
    /// Mean divergence of an answer from the reference, in nats.
    pub kl: f64,
    /// Mean score of an answer: its normalised reward minus the penalty for a missing end.
    pub scores: f64,
    pub rewards: &'a [f64],
    /// Number of tokens of each answer.
    pub lengths: &'a [f64],
    /// Number of answers that reached their end.
    pub ended: usize,
    pub rate: f64,
    /// The cost of a nat of divergence.
    pub coefficient: f64,
    /// Number of answers so far, and the seconds that they took.
    pub episodes: usize,
    pub seconds: f64,
}

/// The values of an update by their usual names in logs.
pub(crate) fn metrics(
    experience: &Experience,
    values: &UpdateValues,
    measured: &Measured,
) -> Vec<(&'static str, f64)> {
    let non_score = -measured.coefficient * measured.kl;
    let surprise = |row: &[f64]| -row.iter().sum::<f64>();
    let entropies: Vec<f64> = experience
        .per_sequence(&experience.old)
        .map(surprise)
        .collect();
    let everything = vec![true; experience.tokens()];
    let explained = explained_variance(&experience.values, &experience.returns, &everything);
    let average = |of: &[f64]| mean_and_deviation(of).0;
    let mut found = vec![
        ("ppo_loss", values.loss),
        ("average_reward", average(measured.rewards)),
        ("objective/kl", measured.kl),
        ("objective/entropy", average(&entropies)),
        ("objective/non_score_reward", non_score),
        ("objective/rlhf_reward", measured.scores + non_score),
        ("objective/scores", measured.scores),
        ("policy/approxkl_avg", values.approximate_kl),
        ("policy/clipfrac_avg", values.clip_fraction),
        ("policy/entropy_avg", values.entropy),
        ("loss/policy_avg", values.policy_loss),
        ("loss/value_avg", values.value_loss),
        ("val/clipfrac_avg", values.value_clip_fraction),
        ("val/ratio", values.ratio),
        ("val/ratio_var", values.ratio_variance),
        ("val/first_ratio", values.first.0),
        ("val/first_approxkl", values.first.1),
        ("val/first_clipfrac", values.first.2),
        ("val/num_eos_tokens", measured.ended as f64),
        ("val/minibatches", values.minibatches as f64),
        ("val/cut_short", f64::from(u8::from(values.cut_short))),
        ("val/sampling_error", experience.sampling_error),
        ("lr", measured.rate),
        ("eps", measured.episodes as f64 / measured.seconds.max(1e-3)),
        ("episode", measured.episodes as f64),
        ("kl_coef", measured.coefficient),
        ("grad_norm", values.gradient_norm),
        ("response_length", average(measured.lengths)),
        (
            "reward_length_correlation",
            correlation(measured.rewards, measured.lengths),
        ),
    ];
    found.extend(explained.map(|value| ("explained_variance", value)));
    found
}

/// Divergence of each sequence from the reference, estimated by its tokens.
pub(crate) fn sums_of_differences(experience: &Experience) -> Vec<f64> {
    let rows = experience
        .per_sequence(&experience.old)
        .zip(experience.per_sequence(&experience.reference));
    rows.map(|(old, reference)| old.iter().zip(reference).map(|(p, q)| p - q).sum())
        .collect()
}
