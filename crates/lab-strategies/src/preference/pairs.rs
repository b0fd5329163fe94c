//! Learning from preferences: a loss compares the scores of the chosen and the rejected answer.

use super::data::EncodedPair;
use burn::module::Module;
use burn::tensor::Tensor;
use lab_model::gradients::Gradients;
use lab_model::rl::Sequence;
use std::ops::Range;

/// Gradients and values of a loss over pairs; its tensors record no gradients.
pub(crate) struct PairLoss {
    pub gradients: Gradients,
    /// The mean over the pairs, `[1]`.
    pub loss: Tensor<1>,
    /// Scores of chosen and rejected answers, `[pairs]`.
    pub chosen: Tensor<1>,
    pub rejected: Tensor<1>,
}

/// The gradients of a loss over pairs, with at most `micro_batch_size` sequences in the model at once (0: all).
/// `score` gives the scores `[sequences]` of sequences; its last argument is a number that differs between passes,
/// for dropout. `loss` gives the mean of the pairs' losses over a range of the pairs, from their scores.
pub(crate) fn pair_loss<M: Module>(
    model: &M,
    pairs: &[&EncodedPair],
    micro_batch_size: usize,
    score: impl Fn(&M, &[&Sequence], usize) -> Tensor<1>,
    loss: impl Fn(Tensor<1>, Tensor<1>, Range<usize>) -> Tensor<1>,
) -> PairLoss {
    let mut gradients = Gradients::default();
    let (mut losses, mut all_chosen, mut all_rejected) = (Vec::new(), Vec::new(), Vec::new());
    let size = match micro_batch_size {
        0 => pairs.len().max(1),
        sequences => (sequences / 2).max(1),
    };
    for (number, part) in pairs.chunks(size).enumerate() {
        let count = part.len();
        let range = number * size..number * size + count;
        let share = count as f64 / pairs.len() as f64;
        let mut learn = |chosen: &Tensor<1>, rejected: &Tensor<1>| {
            let loss = loss(chosen.clone(), rejected.clone(), range.clone()) * share;
            gradients.add(model, &loss);
            loss.without_autodiff()
        };
        let first = answers(part, |pair| &pair.chosen);
        let second = answers(part, |pair| &pair.rejected);
        let (chosen, rejected, loss) = if micro_batch_size == 1 {
            // One answer after the other: each learns while the other's score is a constant.
            let constant = score(&model.valid(), &second, 2 * number + 1);
            let chosen = score(model, &first, 2 * number);
            learn(&chosen, &constant);
            let (chosen, rejected) = (
                chosen.without_autodiff(),
                score(model, &second, 2 * number + 1),
            );
            let loss = learn(&chosen, &rejected);
            (chosen, rejected, loss)
        } else {
            let scores = score(model, &[first, second].concat(), number);
            let chosen = scores.clone().narrow(0, 0, count);
            let rejected = scores.narrow(0, count, count);
            let loss = learn(&chosen, &rejected);
            (chosen, rejected, loss)
        };
        losses.push(loss);
        all_chosen.push(chosen.without_autodiff());
        all_rejected.push(rejected.without_autodiff());
    }
    PairLoss {
        gradients,
        loss: Tensor::cat(losses, 0).sum(),
        chosen: Tensor::cat(all_chosen, 0),
        rejected: Tensor::cat(all_rejected, 0),
    }
}

/// The scores of all chosen and of all rejected answers, `[pairs]` each, by a model that records no gradients.
pub(crate) fn pair_scores(
    pairs: &[&EncodedPair],
    micro_batch_size: usize,
    score: impl Fn(&[&Sequence]) -> Tensor<1>,
) -> (Tensor<1>, Tensor<1>) {
    let size = at_once(micro_batch_size, pairs.len());
    let scores =
        |sequences: Vec<&Sequence>| Tensor::cat(sequences.chunks(size).map(&score).collect(), 0);
    (
        scores(answers(pairs, |pair| &pair.chosen)),
        scores(answers(pairs, |pair| &pair.rejected)),
    )
}

fn answers<'p>(
    pairs: &[&'p EncodedPair],
    which: fn(&EncodedPair) -> &Sequence,
) -> Vec<&'p Sequence> {
    pairs.iter().map(|pair| which(pair)).collect()
}

/// Number of sequences, out of `all`, that go through a model at once, by the setting `micro_batch_size`.
pub(crate) fn at_once(micro_batch_size: usize, all: usize) -> usize {
    match micro_batch_size {
        0 => all.max(1),
        size => size.min(all.max(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;
    use lab_model::decoder::Decoder;
    use lab_model::dropout::Dropout;
    use lab_model::parameters::read;
    use lab_model::random::{Purpose, Random};
    use lab_model::rl::{self, RewardModel, ScalarHead, SequenceBatch};
    use lab_protocol::ModelConfig;

    const VOCABULARY: usize = 11;

    fn pairs() -> Vec<EncodedPair> {
        let mut random = Random::new(3, Purpose::Samples, 0);
        let mut tokens = || -> Vec<u32> {
            let count = 1 + random.below(6);
            (0..count)
                .map(|_| random.below(VOCABULARY as u64) as u32)
                .collect()
        };
        let mut answers = || {
            let prompt = tokens();
            [tokens(), tokens()].map(|response| Sequence {
                prompt: prompt.clone(),
                response,
            })
        };
        let pair = |_| {
            let [chosen, rejected] = answers();
            EncodedPair {
                chosen,
                rejected,
                margin: None,
            }
        };
        (0..5).map(pair).collect()
    }

    fn model(seed: u64, device: &Device) -> RewardModel {
        let shape = ModelConfig {
            layers: 2,
            heads: 2,
            width: 16,
            context: 16,
            ..Default::default()
        };
        RewardModel {
            trunk: Decoder::new(&shape, VOCABULARY, seed, device),
            head: ScalarHead::random(16, seed, device),
        }
    }

    /// Gradients, then loss and scores.
    fn numbers(found: PairLoss) -> (Vec<f32>, Vec<f32>) {
        let read = |tensors| pollster::block_on(read(tensors)).unwrap().concat();
        let measured = vec![found.loss, found.chosen, found.rejected];
        (read(found.gradients.into_tensors()), read(measured))
    }

    /// Compares each size of a micro-batch with the whole batch: both must learn the same.
    fn check(learn: impl Fn(usize) -> PairLoss) {
        let (gradients, measured) = numbers(learn(0));
        let largest = gradients.iter().fold(0.0f32, |max, x| max.max(x.abs()));
        assert!(largest > 1e-3, "{largest}");
        for size in [1, 2, 3, 4, 7, 10, 64] {
            let (found, found_measured) = numbers(learn(size));
            for (found, whole) in found.iter().zip(&gradients) {
                let off = (found - whole).abs();
                assert!(off <= 1e-5 * largest, "{size}: {found}, {whole}");
            }
            for (found, whole) in found_measured.iter().zip(&measured) {
                let off = (found - whole).abs();
                assert!(
                    off <= 1e-5 * whole.abs().max(1.0),
                    "{size}: {found}, {whole}"
                );
            }
        }
    }

    #[test]
    fn micro_batches_change_no_number_of_a_reward_model() {
        let device = Device::flex().autodiff();
        let (model, pairs) = (model(1, &device), pairs());
        let pairs: Vec<&EncodedPair> = pairs.iter().collect();
        let margins = [0.0, 1.0, -0.5, 2.0, 0.3];
        let margins = Tensor::<1>::from_floats(margins, &device.clone().inner());
        check(|size| {
            pair_loss(
                &model,
                &pairs,
                size,
                |model, rows, _| {
                    let batch = SequenceBatch::whole(rows, 16);
                    model.forward(&batch, &device, &mut Dropout::off())
                },
                |chosen, rejected, range| {
                    let margin = Some(margins.clone().slice(range));
                    rl::reward_loss(chosen, rejected, margin, 0.1)
                },
            )
        });
    }

    #[test]
    fn micro_batches_change_no_number_of_dpo() {
        let device = Device::flex().autodiff();
        let (policy, reference) = (model(1, &device).trunk, model(2, &device).trunk.valid());
        let pairs = pairs();
        let pairs: Vec<&EncodedPair> = pairs.iter().collect();
        let score = |model: &Decoder, rows: &[&Sequence]| {
            let batch = SequenceBatch::predicting(rows, 16);
            batch.sums(rl::log_probabilities(model, &batch, &device, 1.0))
        };
        check(|size| {
            let old = pair_scores(&pairs, size, |rows| score(&reference, rows));
            let score = |policy: &Decoder, rows: &[&Sequence], _| score(policy, rows);
            pair_loss(&policy, &pairs, size, score, |chosen, rejected, range| {
                let of = |scores: &Tensor<1>| scores.clone().slice(range.clone());
                rl::dpo_loss((chosen, rejected), (of(&old.0), of(&old.1)), 0.5, 0.1)
            })
        });
    }
}
