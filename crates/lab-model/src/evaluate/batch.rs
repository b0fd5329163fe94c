//! The loss on one batch.

use crate::corpus::Batch;
use crate::decoder::Decoder;
use crate::dropout::Dropout;
use crate::kernels;
use crate::parameters;
use burn::tensor::{Device, Int, Tensor, TensorData};
use lab_protocol::LabError;

/// A batch on the device: ids `[rows, columns]` and targets `[rows·columns]`.
pub fn upload(batch: &Batch, device: &Device) -> (Tensor<2, Int>, Tensor<1, Int>) {
    let device = device.clone().inner();
    let shape = [batch.rows, batch.columns];
    (
        Tensor::from_data(TensorData::new(batch.inputs.clone(), shape), &device),
        Tensor::from_data(
            TensorData::new(batch.targets.clone(), [batch.rows * batch.columns]),
            &device,
        ),
    )
}

/// The scores of a micro-batch, summed over the targets that count, still on the device.
pub struct Sums {
    /// Negative log-likelihood in nats, `[1]`.
    pub nll: Tensor<1>,
    /// Number of targets that were the likeliest token, `[1]`, if requested. Not differentiable.
    pub right: Option<Tensor<1>>,
}

/// Sequences that go through the model at once.
pub trait MicroBatch {
    /// Number of targets that count.
    fn tokens(&self) -> usize;

    fn sums(&self, model: &Decoder, device: &Device, dropout: &mut Dropout) -> Sums;
}

impl MicroBatch for Batch {
    fn tokens(&self) -> usize {
        self.tokens
    }

    fn sums(&self, model: &Decoder, device: &Device, dropout: &mut Dropout) -> Sums {
        Sums {
            nll: nll_sum(model, self, device, dropout),
            right: None,
        }
    }
}

/// Sum of the negative log-likelihoods of a batch's targets, `[1]`, in nats. The training loss is this sum divided by
/// the number of targets that count.
pub fn nll_sum(
    model: &Decoder,
    batch: &Batch,
    device: &Device,
    dropout: &mut Dropout,
) -> Tensor<1> {
    let (ids, targets) = upload(batch, device);
    let logits = model.forward(ids, dropout);
    let [rows, columns, vocabulary] = logits.dims();
    kernels::cross_entropy(logits.reshape([rows * columns, vocabulary]), targets).sum()
}

/// Nats and, if requested, right targets of one micro-batch, read to the host.
pub async fn evaluate_batch<B: MicroBatch>(
    model: &Decoder,
    batch: &B,
    device: &Device,
) -> Result<(f64, Option<f64>), LabError> {
    let sums = batch.sums(model, device, &mut Dropout::off());
    let tensors = [Some(sums.nll), sums.right].into_iter().flatten().collect();
    let values = parameters::read(tensors).await?;
    let value = |index: usize| values.get(index).and_then(|v| v.first()).copied();
    Ok((
        value(0).map_or(f64::NAN, f64::from),
        value(1).map(f64::from),
    ))
}
