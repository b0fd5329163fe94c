//! A training step and an evaluation.

use crate::learning::trainee::{Trainee, Updated};
use crate::run::commands::StopSignal;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use lab_model::decoder::Decoder;
use lab_model::dropout::Dropout;
use lab_model::evaluate::{MicroBatch, evaluate_batch};
use lab_model::gradients::Gradients;
use lab_protocol::LabError;
use serde::{Deserialize, Serialize};

/// Micro-batches whose tokens have equal weight in a step's loss.
pub struct Portion<B> {
    pub batches: Vec<B>,
    /// Its share in the step's loss, which is the sum of the portions' mean losses times their shares. Shares add up
    /// to 1.
    pub share: f64,
}

impl<B> Portion<B> {
    /// One portion with all batches of a step.
    pub fn whole(batches: Vec<B>) -> Vec<Self> {
        vec![Self {
            batches,
            share: 1.0,
        }]
    }
}

/// Measurements of a training step.
pub struct StepValues {
    /// Of each portion, before the update.
    pub portions: Vec<Evaluated>,
    /// Global norm of the gradient before clipping.
    pub gradient_norm: f64,
}

impl StepValues {
    /// Number of targets that counted.
    pub fn tokens(&self) -> usize {
        self.portions.iter().map(|portion| portion.tokens).sum()
    }
}

/// Settings of the current step.
pub struct StepSettings<'a> {
    pub device: &'a Device,
    pub learning_rate: f64,
    pub dropout: f64,
    pub seed: u64,
    /// From 1.
    pub step: usize,
}

/// One update from the gradients of all micro-batches together; within a portion each token weighs the same.
/// The host waits for the device once, at the end.
pub async fn train_step<B: MicroBatch>(
    trainee: &mut Trainee<Decoder>,
    portions: &[Portion<B>],
    settings: &StepSettings<'_>,
) -> Result<StepValues, LabError> {
    let mut gradients = Gradients::default();
    let mut loss = None;
    // Loss, right tokens and tokens of each portion.
    let mut sums = Vec::with_capacity(portions.len());
    let mut micro = 0;
    for Portion { batches, share } in portions {
        let tokens: usize = batches.iter().map(MicroBatch::tokens).sum();
        let (mut mean, mut right) = (None, None);
        for batch in batches {
            let model = trainee.model()?;
            let mut dropout = Dropout::new(settings.dropout, settings.seed, settings.step, micro);
            micro += 1;
            let found = batch.sums(model, settings.device, &mut dropout);
            let part = found.nll / tokens.max(1) as f32;
            let counted = match *share {
                1.0 => part.clone(),
                share => part.clone() * share,
            };
            gradients.add(model, &counted);
            loss = sum(loss, Some(counted.without_autodiff()));
            mean = sum(mean, Some(part.without_autodiff()));
            right = sum(right, found.right);
        }
        sums.extend(mean.map(|mean| (mean, right, tokens)));
    }
    let Some(loss) = loss else {
        return Err(LabError::internal("a step was asked for without a batch"));
    };
    let tensors = sums
        .iter()
        .flat_map(|(mean, right, _)| [Some(mean), right.as_ref()]);
    let measured = tensors.flatten().cloned().collect();
    let Updated {
        gradient_norm,
        measured,
        ..
    } = trainee
        .apply(
            gradients.into_tensors(),
            loss,
            settings.learning_rate,
            measured,
        )
        .await?;
    let mut values = measured.into_iter();
    let mut value = || {
        let next = values.next().and_then(|values| values.first().copied());
        next.unwrap_or(f64::NAN)
    };
    let evaluated = |(_, right, tokens): (_, Option<_>, usize)| Evaluated {
        loss: value(),
        accuracy: right.map(|_: Tensor<1>| value() / tokens.max(1) as f64),
        tokens,
    };
    Ok(StepValues {
        portions: sums.into_iter().map(evaluated).collect(),
        gradient_norm,
    })
}

fn sum(earlier: Option<Tensor<1>>, part: Option<Tensor<1>>) -> Option<Tensor<1>> {
    match (earlier, part) {
        (Some(earlier), Some(part)) => Some(earlier + part),
        (earlier, part) => earlier.or(part),
    }
}

/// Measurements on batches.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluated {
    /// Mean loss in nats a token.
    pub loss: f64,
    /// Share of the tokens that were the likeliest, if the batches measure it.
    pub accuracy: Option<f64>,
    pub tokens: usize,
}

/// Loss over batches, each token weighing the same, or `None` if told to stop meanwhile.
pub async fn evaluate<B: MicroBatch>(
    model: &Decoder,
    batches: &[B],
    device: &Device,
    stop: &StopSignal,
) -> Result<Option<Evaluated>, LabError> {
    let model = model.valid();
    let (mut nll, mut right) = (0.0, Some(0.0));
    let mut tokens = 0;
    for batch in batches {
        let (nats, rights) = evaluate_batch(&model, batch, device).await?;
        nll += nats;
        right = right.zip(rights).map(|(a, b)| a + b);
        tokens += batch.tokens();
        if stop.requested().await {
            return Ok(None);
        }
    }
    let share = |sum: f64| sum / tokens as f64;
    Ok(Some(Evaluated {
        loss: share(nll),
        accuracy: right.map(share),
        tokens,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lab_model::examples::{Example, ExampleBatch};
    use lab_model::parameters;
    use lab_protocol::{ModelConfig, TrainingConfig};
    use pollster::block_on;

    const VOCABULARY: usize = 12;

    fn example(prompt: u32, answer: usize) -> Example {
        let answer = (0..answer).map(|at| (at * 5 + 3) as u32 % VOCABULARY as u32);
        Example::new(vec![prompt], answer.collect(), 0)
    }

    /// Short answers beside long replayed texts: each portion has its share, however many tokens it has.
    #[test]
    fn a_portion_weighs_its_share_and_is_reported_alone() {
        let shape = ModelConfig {
            layers: 1,
            heads: 2,
            width: 8,
            context: 64,
            ..Default::default()
        };
        let device = Device::flex().autodiff();
        let model = Decoder::new(&shape, VOCABULARY, 3, &device);
        let batch = |examples: &[Example]| {
            ExampleBatch::rows(&examples.iter().collect::<Vec<_>>(), shape.context)
        };
        let new = [batch(&[example(1, 1)]), batch(&[example(2, 2)])];
        let replayed = [batch(&[example(3, 60), example(4, 59)])];
        // By hand: the mean loss of each portion, and its gradient.
        let alone = |batches: &[ExampleBatch]| {
            let tokens: usize = batches.iter().map(MicroBatch::tokens).sum();
            let sums = batches
                .iter()
                .map(|batch| batch.sums(&model, &device, &mut Dropout::off()).nll);
            let loss = sums.reduce(|a, b| a + b).unwrap() / tokens as f32;
            let gradients = parameters::gradients(&model, &mut loss.backward());
            let read = block_on(parameters::read(gradients)).unwrap().concat();
            let loss = block_on(parameters::read(vec![loss.without_autodiff()])).unwrap();
            (f64::from(loss[0][0]), read)
        };
        let ((loss, gradient), (replay_loss, replay_gradient)) = (alone(&new), alone(&replayed));
        let norm = |share: f64| {
            let mixed = gradient.iter().zip(&replay_gradient);
            let mixed = mixed.map(|(a, b)| f64::from(*a) * (1.0 - share) + f64::from(*b) * share);
            mixed.map(|value| value * value).sum::<f64>().sqrt()
        };
        for share in [0.25, 0.9] {
            let mut trainee =
                Trainee::new(model.clone(), &TrainingConfig::default(), "rate", &device);
            let portions = [
                Portion {
                    batches: new.to_vec(),
                    share: 1.0 - share,
                },
                Portion {
                    batches: replayed.to_vec(),
                    share,
                },
            ];
            let settings = StepSettings {
                device: &device,
                learning_rate: 0.0,
                dropout: 0.0,
                seed: 1,
                step: 1,
            };
            let values = block_on(train_step(&mut trainee, &portions, &settings)).unwrap();
            let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-5 * b.abs().max(1.0), "{a} {b}");
            near(values.gradient_norm, norm(share));
            near(values.portions[0].loss, loss);
            near(values.portions[1].loss, replay_loss);
            assert_eq!(
                (values.portions[0].tokens, values.portions[1].tokens),
                (5, 121)
            );
        }
        assert!((norm(0.25) - norm(0.9)).abs() > 1e-3);
    }
}
