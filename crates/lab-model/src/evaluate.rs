//! The loss of a model on tokens it was not trained on.

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

/// Sum of the negative log-likelihoods of a batch's targets, `[1]`, in nats. The training loss is this
/// divided by the number of targets that count.
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

/// Sum of the negative log-likelihoods of one batch, read to the host.
pub async fn evaluate_batch(
    model: &Decoder,
    batch: &Batch,
    device: &Device,
) -> Result<f64, LabError> {
    let sum = nll_sum(model, batch, device, &mut Dropout::off());
    let values = parameters::read(vec![sum]).await?;
    Ok(values
        .first()
        .and_then(|v| v.first())
        .copied()
        .map_or(f64::NAN, f64::from))
}
