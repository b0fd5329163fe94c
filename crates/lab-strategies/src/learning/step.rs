//! A training step and an evaluation.

use crate::learning::trainee::{Trainee, Updated};
use crate::run::commands::StopSignal;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use lab_model::decoder::Decoder;
use lab_model::dropout::Dropout;
use lab_model::evaluate::{MicroBatch, evaluate_batch};
use lab_model::parameters;
use lab_protocol::LabError;

/// What a training step measured.
pub struct StepValues {
    /// Mean loss of the step's tokens in nats, before the update.
    pub loss: f64,
    /// Global norm of the gradient before clipping.
    pub gradient_norm: f64,
    /// Targets that counted.
    pub tokens: usize,
    /// Share of them that were the likeliest token, where the batches say so.
    pub accuracy: Option<f64>,
}

/// How the step at hand is made.
pub struct StepSettings<'a> {
    pub device: &'a Device,
    pub learning_rate: f64,
    pub dropout: f64,
    pub seed: u64,
    /// From 1.
    pub step: usize,
}

/// One update from the gradients of all micro-batches together, each token weighing the same. The
/// host waits for the device once, at the end.
pub async fn train_step<B: MicroBatch>(
    trainee: &mut Trainee<Decoder>,
    batches: &[B],
    settings: &StepSettings<'_>,
) -> Result<StepValues, LabError> {
    let tokens: usize = batches.iter().map(MicroBatch::tokens).sum();
    let mut sum: Option<Sum> = None;
    for (micro, batch) in batches.iter().enumerate() {
        let model = trainee.model()?;
        let mut dropout = Dropout::new(settings.dropout, settings.seed, settings.step, micro);
        let sums = batch.sums(model, settings.device, &mut dropout);
        let loss = sums.nll / tokens.max(1) as f32;
        let mut gradients = loss.backward();
        let part = Sum {
            gradients: parameters::gradients(model, &mut gradients),
            loss: loss.without_autodiff(),
            right: sums.right,
        };
        sum = Some(match sum {
            None => part,
            Some(earlier) => earlier.plus(part),
        });
    }
    let Some(Sum {
        loss,
        right,
        gradients,
    }) = sum
    else {
        return Err(LabError::internal("a step was asked for without a batch"));
    };
    let measured = right.into_iter().collect();
    let Updated {
        loss,
        gradient_norm,
        measured,
    } = trainee
        .apply(gradients, loss, settings.learning_rate, measured)
        .await?;
    let right = measured.first().and_then(|values| values.first());
    Ok(StepValues {
        loss,
        gradient_norm,
        tokens,
        accuracy: right.map(|right| right / tokens.max(1) as f64),
    })
}

/// What the micro-batches of a step add up to.
struct Sum {
    loss: Tensor<1>,
    right: Option<Tensor<1>>,
    gradients: Vec<Tensor<1>>,
}

impl Sum {
    fn plus(self, other: Self) -> Self {
        let pairs = self.gradients.into_iter().zip(other.gradients);
        Self {
            loss: self.loss + other.loss,
            right: self.right.zip(other.right).map(|(a, b)| a + b),
            gradients: pairs.map(|(a, b)| a + b).collect(),
        }
    }
}

/// What an evaluation found.
#[derive(Clone, Copy, Debug)]
pub struct Evaluated {
    /// Mean loss in nats a token.
    pub loss: f64,
    /// Share of the tokens that were the likeliest, where the batches say so.
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
