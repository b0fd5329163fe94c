//! What the strategies that train a language model share: a step, an evaluation, a sample.

use crate::RunContext;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use lab_model::corpus::Batch;
use lab_model::decoder::Decoder;
use lab_model::dropout::Dropout;
use lab_model::evaluate::{evaluate_batch, nll_sum};
use lab_model::generate::Generation;
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
    pub tokens: usize,
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
pub async fn train_step(
    model: Decoder,
    optimizer: &mut AdamW,
    batches: &[Batch],
    settings: &StepSettings<'_>,
) -> Result<(Decoder, StepValues), LabError> {
    let tokens: usize = batches.iter().map(|batch| batch.tokens).sum();
    let mut sum: Option<(Tensor<1>, Vec<Tensor<1>>)> = None;
    for (micro, batch) in batches.iter().enumerate() {
        let mut dropout = Dropout::new(settings.dropout, settings.seed, settings.step, micro);
        let loss = nll_sum(&model, batch, settings.device, &mut dropout) / tokens.max(1) as f32;
        let mut gradients = loss.backward();
        let gradients = parameters::gradients(&model, &mut gradients);
        let loss = loss.without_autodiff();
        sum = Some(match sum {
            None => (loss, gradients),
            Some((total, earlier)) => (
                total + loss,
                earlier
                    .into_iter()
                    .zip(gradients)
                    .map(|(a, b)| a + b)
                    .collect(),
            ),
        });
    }
    let Some((loss, gradients)) = sum else {
        return Err(LabError::internal("a step was asked for without a batch"));
    };
    let (model, norm) = optimizer.update(model, gradients, settings.learning_rate);
    let values = parameters::read(vec![loss, norm]).await?;
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
        },
    ))
}

/// Mean loss over batches in nats a token, or `None` if the run was told to stop meanwhile.
pub async fn evaluate(
    model: &Decoder,
    batches: &[Batch],
    run: &mut RunContext,
) -> Result<Option<f64>, LabError> {
    let model = model.valid();
    let mut nll = 0.0;
    let mut tokens = 0;
    for batch in batches {
        nll += evaluate_batch(&model, batch, &run.device).await?;
        tokens += batch.tokens;
        if run.breathe().await {
            return Ok(None);
        }
    }
    Ok(Some(nll / tokens as f64))
}

/// A continuation of the request's prompt; what was written so far if the run was told to stop.
pub async fn write(
    model: &Decoder,
    tokenizer: &Tokenizer,
    context: usize,
    request: &GenerateRequest,
    run: &mut RunContext,
) -> Result<String, LabError> {
    let prompt = tokenizer
        .encode(&request.prompt)
        .map_err(|error| error.at("prompt"))?;
    let model = model.valid();
    let mut generation = Generation::new(
        &model,
        &run.device,
        context,
        prompt,
        request.temperature,
        request.seed,
    )?;
    let mut ids = Vec::with_capacity(request.max_tokens);
    while ids.len() < request.max_tokens {
        ids.push(generation.next().await?);
        if run.breathe().await {
            break;
        }
    }
    Ok(tokenizer.decode(&ids))
}
