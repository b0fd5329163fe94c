//! The weights by which the losses of tokens become the loss of a minibatch.

use lab_protocol::GrpoLossType;

/// The weight of each token's loss in a minibatch of answers of these lengths, one answer after the other; the loss
/// is the weighted sum. `longest` is the maximum number of tokens of an answer, `mean_tokens` the mean number of
/// tokens in the minibatches of an update. Source: TRL's `GRPOTrainer._compute_loss`.
pub fn token_weights(
    kind: GrpoLossType,
    lengths: &[usize],
    longest: usize,
    mean_tokens: f64,
) -> Vec<f64> {
    let answers = lengths.len() as f64;
    let tokens: usize = lengths.iter().sum();
    let weight = |length: usize| match kind {
        GrpoLossType::Grpo => 1.0 / (answers * length as f64),
        GrpoLossType::Bnpo => 1.0 / tokens as f64,
        GrpoLossType::DrGrpo => 1.0 / (answers * longest.max(1) as f64),
        GrpoLossType::Dapo => 1.0 / mean_tokens.max(1.0),
    };
    lengths
        .iter()
        .flat_map(|&length| std::iter::repeat_n(weight(length), length))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_weigh_tokens_as_they_say() {
        let of = |kind| token_weights(kind, &[1, 3], 5, 8.0);
        assert_eq!(of(GrpoLossType::Grpo)[..2], [0.5, 1.0 / 6.0]);
        assert_eq!(of(GrpoLossType::Bnpo), [0.25; 4]);
        assert_eq!(of(GrpoLossType::DrGrpo), [0.1; 4]);
        assert_eq!(of(GrpoLossType::Dapo), [0.125; 4]);
        assert_eq!(
            token_weights(GrpoLossType::Grpo, &[0, 2], 5, 8.0),
            [0.25; 2]
        );
    }
}
