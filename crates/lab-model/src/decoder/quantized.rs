//! Decoders whose linear layers are in 4 bits.

use super::network::Decoder;
use crate::layers::Linear;
use crate::nf4::Quantized;
use crate::parameters;
use burn::module::Module;
use burn::tensor::Device;
use lab_protocol::{ErrorCode, LabError};

impl Decoder {
    /// The model frozen, its linear layers (except the head) in 4 bits. An adapter is removed first.
    pub async fn quantized(self, device: &Device) -> Result<Self, LabError> {
        let mut model = self.without_adapter();
        let mut blocks = Vec::with_capacity(model.blocks.len());
        for block in model.blocks {
            let mut quantized = Vec::new();
            for linear in block.linears() {
                quantized.push(quantize_layer(linear.base(), device).await?);
            }
            let mut quantized = quantized.into_iter();
            blocks.push(
                block.map_linears(|linear| match quantized.next().flatten() {
                    Some(quantized) => linear.map_base(|base| base.with_quantized(quantized)),
                    None => linear,
                }),
            );
        }
        model.blocks = blocks;
        Ok(model)
    }

    /// The model with floats in place of 4 bits: the same numbers that it computes with.
    pub fn dequantized(self) -> Self {
        self.map_linears(|linear| {
            linear.map_base(|base| match base.quantized() {
                Some(quantized) => {
                    let weight = quantized.dense();
                    base.with_dense(weight)
                }
                None => base,
            })
        })
    }

    /// Number of the model's parameters, the ones in 4 bits included.
    pub fn parameter_count(&self) -> usize {
        let quantized = self
            .quantized_layers()
            .map(|layer| layer.dims().iter().product::<usize>());
        self.num_params() + quantized.sum::<usize>()
    }

    /// Bytes of the weights.
    pub fn weight_bytes(&self) -> usize {
        let quantized = self.quantized_layers().map(Quantized::bytes);
        self.num_params() * size_of::<f32>() + quantized.sum::<usize>()
    }

    /// Whether any of its weights are in 4 bits.
    pub fn is_quantized(&self) -> bool {
        self.quantized_layers().next().is_some()
    }

    fn quantized_layers(&self) -> impl Iterator<Item = &Quantized> {
        let linears = self.blocks.iter().flat_map(|block| block.linears());
        linears.filter_map(|linear| linear.base().quantized())
    }
}

/// A layer's weight in 4 bits; `None` if it is in 4 bits already.
async fn quantize_layer(linear: &Linear, device: &Device) -> Result<Option<Quantized>, LabError> {
    if linear.quantized().is_some() {
        return Ok(None);
    }
    let dims = linear.dims();
    let weight = linear.dense().reshape([dims[0] * dims[1]]);
    let values = parameters::read(vec![weight]).await?;
    let values = values.into_iter().next().unwrap_or_default();
    quantize(&values, dims, device).map(Some)
}

/// The numbers `[in, out]` of a matrix, converted to 4 bits. Numbers that are not finite are an error.
pub fn quantize(values: &[f32], dims: [usize; 2], device: &Device) -> Result<Quantized, LabError> {
    if values.iter().any(|value| !value.is_finite()) {
        return Err(LabError::new(
            ErrorCode::InvalidCheckpoint,
            "a weight of the base is not a finite number, and cannot be put into 4 bits",
            "Start from a model whose training did not fail.",
        ));
    }
    Ok(Quantized::new(values, dims, device))
}
