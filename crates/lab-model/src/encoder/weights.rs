//! The tensors of an encoder's file, checked when they are requested.

use lab_protocol::{ErrorCode, LabError, Text, text};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

pub struct Weights<'a> {
    file: SafeTensors<'a>,
    /// The prefix of every name: empty, or the name of the encoder's part.
    prefix: &'static str,
}

impl<'a> Weights<'a> {
    pub fn new(bytes: &'a [u8]) -> Result<Self, LabError> {
        let file = SafeTensors::deserialize(bytes).map_err(|error| {
            bad(text!(
                "the sentence encoder cannot be used: model.safetensors is not a readable safetensors file: {error}",
                error,
            ))
        })?;
        let known = "embeddings.word_embeddings.weight";
        let prefix = ["", "bert."]
            .into_iter()
            .find(|prefix| file.tensor(&format!("{prefix}{known}")).is_ok())
            .ok_or_else(|| {
                bad(text!(
                    "the sentence encoder cannot be used: model.safetensors has no {name}",
                    name = known
                ))
            })?;
        Ok(Self { file, prefix })
    }

    /// The values of a tensor of this shape.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, LabError> {
        let view = self.view(name)?;
        if view.shape() != shape {
            return Err(bad(text!(
                "the sentence encoder cannot be used: {name} has the shape {found}, not {shape}",
                name,
                found = format!("{:?}", view.shape()),
                shape = format!("{shape:?}")
            )));
        }
        self.values(name, &view)
    }

    /// The first row of a matrix of this width.
    pub fn first_row(&self, name: &str, width: usize) -> Result<Vec<f32>, LabError> {
        let view = self.view(name)?;
        match view.shape() {
            [rows, columns] if *rows > 0 && *columns == width => {
                let mut values = self.values(name, &view)?;
                values.truncate(width);
                Ok(values)
            }
            shape => Err(bad(text!(
                "the sentence encoder cannot be used: {name} has the shape {shape}, not rows of {width}",
                name,
                shape = format!("{shape:?}"),
                width
            ))),
        }
    }

    fn view(&self, name: &str) -> Result<TensorView<'_>, LabError> {
        self.file
            .tensor(&format!("{}{name}", self.prefix))
            .map_err(|_| {
                bad(text!(
                    "the sentence encoder cannot be used: model.safetensors has no {name}",
                    name
                ))
            })
    }

    fn values(&self, name: &str, view: &TensorView) -> Result<Vec<f32>, LabError> {
        if view.dtype() != Dtype::F32 {
            return Err(bad(text!(
                "the sentence encoder cannot be used: {name} is {found}, and f32 is needed",
                name,
                found = format!("{:?}", view.dtype())
            )));
        }
        let (fours, _) = view.data().as_chunks::<4>();
        let values: Vec<f32> = fours.iter().map(|four| f32::from_le_bytes(*four)).collect();
        if values.iter().any(|value| !value.is_finite()) {
            return Err(bad(text!(
                "the sentence encoder cannot be used: {name} has numbers that are not finite",
                name
            )));
        }
        Ok(values)
    }
}

pub fn bad(message: impl Into<Text>) -> LabError {
    LabError::new(
        ErrorCode::InvalidCheckpoint,
        message,
        "Give the whole folder of a sentence encoder of the BERT family, such as all-MiniLM-L6-v2.",
    )
    .at("encoder")
}
