//! An adapter's change, merged into the weights of a base one matrix after another while they are read.

use crate::adapter::Adapter;
use crate::decoder::quantize;
use crate::layers::{AdapterModule, Linear, LoraLinear, Weight};
use crate::layout::{Target, is_of_linear_layer};
use crate::parameters::{self, HostTensor};
use burn::module::Param;
use burn::tensor::{Device, TensorData};
use lab_protocol::{LabError, LoraConfig, ModelConfig, text};

/// An adapter, ready for the weights of its base.
pub struct Merge<'a> {
    config: &'a LoraConfig,
    targets: Vec<(Target, &'a AdapterModule)>,
    /// Whether the adapter was trained on weights rounded to 4 bits.
    quantized_base: bool,
    device: Device,
}

impl<'a> Merge<'a> {
    /// For a base of this shape. A module for a layer that it does not have is an error that names it.
    pub fn new(
        adapter: &'a Adapter,
        shape: &ModelConfig,
        device: &Device,
    ) -> Result<Self, LabError> {
        Ok(Self {
            config: &adapter.config,
            targets: adapter.targets(shape)?,
            quantized_base: adapter.quantized_base,
            device: device.clone().inner(),
        })
    }

    /// The weight of this name with the adapter's change merged in. Like [`LoraLinear::merged`], of floats.
    pub async fn apply(&self, name: &str, tensor: HostTensor) -> Result<HostTensor, LabError> {
        let mut modules = self
            .targets
            .iter()
            .filter(|(target, _)| target.weight() == name)
            .peekable();
        if !is_of_linear_layer(name) || (modules.peek().is_none() && !self.quantized_base) {
            return Ok(tensor);
        }
        let HostTensor { shape, values } = tensor;
        let [input, output] = shape[..] else {
            return Err(LabError::internal(text!("{name} is not a matrix", name)));
        };
        let dims = [input, output];
        let weight = if self.quantized_base {
            Weight::Nf4(quantize(&values, dims, &self.device)?)
        } else {
            let data = TensorData::new(values, dims);
            Weight::Dense(Param::from_data(data, &self.device))
        };
        let mut layer = LoraLinear::from(Linear::new(weight, None));
        for (target, module) in modules {
            layer.attach(target, module, self.config, &self.device)?;
        }
        let merged = layer.merged().base().dense().reshape([input * output]);
        let values = parameters::read(vec![merged]).await?.concat();
        Ok(HostTensor { shape, values })
    }
}
