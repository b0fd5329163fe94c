//! Weights that go onto a device one by one, while they are read.

use crate::decoder::{Decoder, WeightSource, quantize};
use crate::device::largest_tensor;
use crate::layers::Weight;
use crate::layout::is_of_linear_layer;
use crate::parameters::HostTensor;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use lab_protocol::{ErrorCode, LabError, ModelConfig, text};
use std::collections::HashMap;

/// The form in which a decoder keeps the weights of the linear layers of its blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightForm {
    /// 32-bit floats, which can be trained.
    Floats,
    /// 4 bits ([`crate::nf4`]); the whole model is frozen.
    Nf4,
}

/// The weights read so far, each in its final form: there is no second copy of them.
pub struct Loader<'a> {
    form: WeightForm,
    device: &'a Device,
    matrices: HashMap<String, Weight>,
    vectors: HashMap<String, Param<Tensor<1>>>,
}

impl<'a> Loader<'a> {
    pub fn new(form: WeightForm, device: &'a Device) -> Self {
        Self {
            form,
            device,
            matrices: HashMap::new(),
            vectors: HashMap::new(),
        }
    }

    /// Puts a weight onto the device, under our name for it.
    pub fn put(&mut self, name: &str, tensor: HostTensor) -> Result<(), LabError> {
        let HostTensor { shape, values } = tensor;
        let bytes = size_of_val(&values[..]) as u64;
        if let Some(largest) = largest_tensor(self.device).filter(|largest| bytes > *largest) {
            return Err(LabError::new(
                ErrorCode::OutOfMemory,
                text!(
                    "{name} has {bytes} bytes. One tensor on this GPU may have {largest}.",
                    name,
                    bytes,
                    largest
                ),
                "Use a smaller model, or the CPU.",
            ));
        }
        match shape[..] {
            [width] => {
                let vector = Param::from_data(TensorData::new(values, [width]), self.device);
                self.vectors.insert(name.to_owned(), vector);
            }
            [rows, columns] => {
                let dims = [rows, columns];
                let weight = if self.form == WeightForm::Nf4 && is_of_linear_layer(name) {
                    Weight::Nf4(quantize(&values, dims, self.device)?)
                } else {
                    let data = TensorData::new(values, dims);
                    Weight::Dense(Param::from_data(data, self.device))
                };
                self.matrices.insert(name.to_owned(), weight);
            }
            _ => return Err(unfit(name, &shape)),
        }
        Ok(())
    }

    /// The decoder of this shape, once all its weights are there.
    pub fn decoder(self, shape: &ModelConfig, vocabulary: usize) -> Result<Decoder, LabError> {
        let form = self.form;
        let model = Decoder::from_weights(shape, vocabulary, self)?;
        Ok(match form {
            WeightForm::Floats => model,
            WeightForm::Nf4 => model.no_grad(),
        })
    }
}

impl WeightSource for Loader<'_> {
    type Error = LabError;

    fn device(&self) -> &Device {
        self.device
    }

    fn matrix(
        &mut self,
        name: &str,
        dims: [usize; 2],
        deviation: f64,
    ) -> Result<Param<Tensor<2>>, LabError> {
        match self.weight(name, dims, deviation)? {
            Weight::Dense(matrix) => Ok(matrix),
            Weight::Nf4(_) => Err(unfit(name, &dims)),
        }
    }

    fn vector(&mut self, name: &str, width: usize, _: f32) -> Result<Param<Tensor<1>>, LabError> {
        let found = self.vectors.remove(name);
        found
            .filter(|vector| vector.dims() == [width])
            .ok_or_else(|| unfit(name, &[width]))
    }

    fn weight(&mut self, name: &str, dims: [usize; 2], _: f64) -> Result<Weight, LabError> {
        let found = self.matrices.remove(name);
        found
            .filter(|weight| weight.dims() == dims)
            .ok_or_else(|| unfit(name, &dims))
    }
}

fn unfit(name: &str, shape: &[usize]) -> LabError {
    LabError::new(
        ErrorCode::InvalidCheckpoint,
        text!(
            "the model has no weight {name} of the shape {shape}",
            name,
            shape = format!("{shape:?}")
        ),
        "Use the config.json that belongs to the weights.",
    )
}
