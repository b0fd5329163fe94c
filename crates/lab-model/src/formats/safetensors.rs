//! Named f32 tensors in one file (the safetensors layout).

use crate::parameters::{HostTensor, HostTensors};
use ::safetensors::tensor::{Dtype, SafeTensors, TensorView};
use lab_protocol::{ErrorCode, LabError};
use std::collections::HashMap;

/// The file's bytes.
pub fn write(
    tensors: &HostTensors,
    metadata: HashMap<String, String>,
) -> Result<Vec<u8>, LabError> {
    let bytes: Vec<(&String, &HostTensor, Vec<u8>)> = tensors
        .iter()
        .map(|(name, tensor)| {
            (
                name,
                tensor,
                tensor.values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            )
        })
        .collect();
    let views = bytes
        .iter()
        .map(|(name, tensor, bytes)| {
            Ok((
                name.as_str(),
                TensorView::new(Dtype::F32, tensor.shape.clone(), bytes)?,
            ))
        })
        .collect::<Result<Vec<_>, ::safetensors::SafeTensorError>>();
    views
        .and_then(|views| ::safetensors::serialize(views, Some(metadata)))
        .map_err(|error| LabError::internal(format!("the weights could not be written: {error}")))
}

/// Tensors and metadata of a file. Lengths and offsets are checked by the library against the bytes
/// that are there.
pub fn read(bytes: &[u8]) -> Result<(HostTensors, HashMap<String, String>), LabError> {
    let bad = |what: String| {
        LabError::new(
            ErrorCode::InvalidCheckpoint,
            format!("the file is no readable safetensors file: {what}"),
            "Use a file that is whole, as it was written.",
        )
    };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| bad(error.to_string()))?;
    let file = SafeTensors::deserialize(bytes).map_err(|error| bad(error.to_string()))?;
    let mut tensors = HostTensors::new();
    for (name, view) in file.tensors() {
        if view.dtype() != Dtype::F32 {
            return Err(bad(format!(
                "{name} is {:?}, and f32 is needed",
                view.dtype()
            )));
        }
        let (chunks, _) = view.data().as_chunks::<4>();
        let values = chunks
            .iter()
            .map(|chunk| f32::from_le_bytes(*chunk))
            .collect();
        tensors.insert(
            name,
            HostTensor {
                shape: view.shape().to_vec(),
                values,
            },
        );
    }
    Ok((tensors, header.metadata().clone().unwrap_or_default()))
}
