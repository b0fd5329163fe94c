//! A training step, an evaluation, a sample.

use crate::run::context::RunContext;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use lab_model::decoder::Decoder;
use lab_model::dropout::Dropout;
use lab_model::evaluate::{MicroBatch, evaluate_batch};
use lab_model::generate::{Generation, GenerationSettings, Writer};
use lab_model::optimizer::AdamW;
use lab_model::parameters;
use lab_model::tokenizer::Tokenizer;
use lab_protocol::{ErrorCode, GenerateRequest, LabError};

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
/// host waits for the device once, at the end. A loss or gradient that is not finite changes no weight
/// and is an error.
pub async fn train_step<B: MicroBatch>(
    model: Decoder,
    optimizer: &mut AdamW,
    batches: &[B],
    settings: &StepSettings<'_>,
) -> Result<(Decoder, StepValues), LabError> {
    let tokens: usize = batches.iter().map(MicroBatch::tokens).sum();
    let mut sum: Option<Sum> = None;
    for (micro, batch) in batches.iter().enumerate() {
        let mut dropout = Dropout::new(settings.dropout, settings.seed, settings.step, micro);
        let sums = batch.sums(&model, settings.device, &mut dropout);
        let loss = sums.nll / tokens.max(1) as f32;
        let mut gradients = loss.backward();
        let part = Sum {
            gradients: parameters::gradients(&model, &mut gradients),
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
    let (model, norm) = optimizer.update(model, gradients, settings.learning_rate);
    let tensors = [Some(loss), Some(norm), right];
    let values = parameters::read(tensors.into_iter().flatten().collect()).await?;
    let value = |index: usize| {
        values
            .get(index)
            .and_then(|v| v.first())
            .map_or(f64::NAN, |&v| f64::from(v))
    };
    let (loss, gradient_norm) = (value(0), value(1));
    if !loss.is_finite() || !gradient_norm.is_finite() {
        return Err(LabError::new(
            ErrorCode::NonFinite,
            format!("in step {} the loss became {loss} and the norm of the gradient {gradient_norm}; the weights were left as they were", settings.step),
            "Lower the learning rate, or lengthen the warm-up; the last checkpoint is good.",
        )
        .at("training.learning_rate"));
    }
    Ok((
        model,
        StepValues {
            loss,
            gradient_norm,
            tokens,
            accuracy: values.get(2).map(|_| value(2) / tokens.max(1) as f64),
        },
    ))
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

/// Loss over batches, each token weighing the same, or `None` if the run was told to stop meanwhile.
pub async fn evaluate<B: MicroBatch>(
    model: &Decoder,
    batches: &[B],
    run: &mut RunContext,
) -> Result<Option<Evaluated>, LabError> {
    let model = model.valid();
    let (mut nll, mut right) = (0.0, Some(0.0));
    let mut tokens = 0;
    for batch in batches {
        let (nats, rights) = evaluate_batch(&model, batch, &run.device).await?;
        nll += nats;
        right = right.zip(rights).map(|(a, b)| a + b);
        tokens += batch.tokens();
        if run.breathe().await {
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

/// A continuation of the request's prompt up to the token `end`; what was written so far if the run was
/// told to stop.
pub async fn write(
    model: &Decoder,
    tokenizer: &Tokenizer,
    end: Option<u32>,
    request: &GenerateRequest,
    run: &mut RunContext,
) -> Result<String, LabError> {
    request.validate()?;
    let prompt = tokenizer
        .encode_prompt(&request.prompt)
        .map_err(|error| error.at("prompt"))?;
    let end: Vec<u32> = end.into_iter().collect();
    let settings = GenerationSettings {
        stop_tokens: end.clone(),
        ..request.into()
    };
    let mut generation = Generation::one(model, prompt, &settings)?;
    let mut writer = Writer::new(tokenizer, &request.stop, &end);
    let mut text = String::new();
    while let Some(token) = generation.next().await?.first() {
        text += &writer.push(token.id);
        if writer.stopped() || run.breathe().await {
            break;
        }
    }
    Ok(text + &writer.finish())
}
