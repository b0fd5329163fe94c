//! Named tensors in one file (the safetensors layout). The library checks lengths and offsets against the bytes
//! present.

use super::tensors::{Encoding, FileTensor, FileTensors, WeightType, unreadable};
use crate::parameters::{HostTensor, HostTensors};
use ::safetensors::tensor::{Dtype, SafeTensors, TensorView};
use ::safetensors::{SafeTensorError, View};
use lab_protocol::{LabError, text};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

/// A tensor to write, which is generated when its turn comes.
pub struct OutTensor<'a> {
    pub shape: Vec<usize>,
    pub kind: WeightType,
    pub values: Box<dyn Fn() -> Cow<'a, [f32]> + 'a>,
}

impl View for OutTensor<'_> {
    fn dtype(&self) -> Dtype {
        match self.kind {
            WeightType::F32 => Dtype::F32,
            WeightType::F16 => Dtype::F16,
            WeightType::Bf16 => Dtype::BF16,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.kind.encode(&(self.values)()))
    }

    fn data_len(&self) -> usize {
        self.shape.iter().product::<usize>() * self.kind.bytes()
    }
}

/// The bytes of a file with these tensors, in f32.
pub fn write(
    tensors: &HostTensors,
    metadata: HashMap<String, String>,
) -> Result<Vec<u8>, LabError> {
    let out = tensors.iter().map(|(name, tensor)| {
        let out = OutTensor {
            shape: tensor.shape.clone(),
            kind: WeightType::F32,
            values: Box::new(|| Cow::Borrowed(&tensor.values[..])),
        };
        (name.clone(), out)
    });
    write_each(out.collect(), metadata)
}

/// The bytes of a file; at most one tensor is in memory beside them.
pub fn write_each(
    tensors: Vec<(String, OutTensor<'_>)>,
    metadata: HashMap<String, String>,
) -> Result<Vec<u8>, LabError> {
    let failed = |error: &dyn std::fmt::Display| {
        LabError::internal(text!("the weights could not be written: {error}", error))
    };
    let sorted: BTreeMap<_, _> = metadata.clone().into_iter().collect();
    let sorted = serde_json::to_vec(&sorted).map_err(|error| failed(&error))?;
    let mut bytes =
        ::safetensors::serialize(tensors, Some(metadata)).map_err(|error| failed(&error))?;
    // The library writes the metadata first, in the order of a hash map, which differs from run to run.
    let place = 8 + METADATA.len();
    if bytes.get(8..place) == Some(METADATA.as_bytes())
        && let Some(written) = bytes.get_mut(place..place + sorted.len())
    {
        written.copy_from_slice(&sorted);
    }
    Ok(bytes)
}

/// The beginning of a header, after its length of eight bytes.
const METADATA: &str = "{\"__metadata__\":";

/// The tensors of a file, with their positions.
pub fn index(bytes: &[u8]) -> Result<(FileTensors<'_>, HashMap<String, String>), LabError> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(broken)?;
    let file = SafeTensors::deserialize(bytes).map_err(broken)?;
    let mut tensors = FileTensors::new();
    for (name, view) in file.iter() {
        let encoding = match view.dtype() {
            Dtype::F32 => Encoding::F32,
            Dtype::F16 => Encoding::F16,
            Dtype::BF16 => Encoding::Bf16,
            // Masks and positions that some files have beside the weights.
            Dtype::BOOL | Dtype::U8 | Dtype::I8 | Dtype::I32 | Dtype::I64 if !is_weight(name) => {
                continue;
            }
            other => {
                return Err(unreadable(text!(
                    "the file is not a readable safetensors file: {name} is {found}, and f32, f16 or bf16 is needed",
                    name,
                    found = format!("{other:?}"),
                )));
            }
        };
        let tensor =
            FileTensor::new(view.shape().to_vec(), encoding, view.data()).ok_or_else(|| {
                unreadable(text!(
                    "the file is not a readable safetensors file: the length of {name} is wrong",
                    name,
                ))
            })?;
        tensors.insert(name.to_owned(), tensor);
    }
    Ok((tensors, header.metadata().clone().unwrap_or_default()))
}

/// The tensors of bytes, which [`index`] ignores.
pub fn byte_tensors(bytes: &[u8]) -> Result<HashMap<String, Vec<u8>>, LabError> {
    let file = SafeTensors::deserialize(bytes).map_err(broken)?;
    let of_bytes = |(_, view): &(&str, TensorView<'_>)| view.dtype() == Dtype::U8;
    let owned = |(name, view): (&str, TensorView<'_>)| (name.to_owned(), view.data().to_vec());
    Ok(file.iter().filter(of_bytes).map(owned).collect())
}

fn broken(error: SafeTensorError) -> LabError {
    unreadable(text!(
        "the file is not a readable safetensors file: {error}",
        error
    ))
}

fn is_weight(name: &str) -> bool {
    name.ends_with(".weight") || (name.ends_with(".bias") && !name.ends_with(".attn.bias"))
}

/// Tensors and metadata of a file, all in f32.
pub fn read(bytes: &[u8]) -> Result<(HostTensors, HashMap<String, String>), LabError> {
    let (tensors, metadata) = index(bytes)?;
    let decoded = |tensor: FileTensor<'_>| {
        let mut values = vec![0.0; tensor.shape().iter().product()];
        tensor.read_rows(0, &mut values);
        HostTensor {
            shape: tensor.shape().to_vec(),
            values,
        }
    };
    let tensors = tensors
        .into_iter()
        .map(|(name, tensor)| (name, decoded(tensor)))
        .collect();
    Ok((tensors, metadata))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_tensors_and_metadata_are_the_same_bytes() {
        let metadata = || (0..6).map(|key| (format!("key {key}"), "\"value\"".to_owned()));
        let tensor = HostTensor {
            shape: vec![2],
            values: vec![1.0, 2.0],
        };
        let tensors = HostTensors::from([("a.weight".to_owned(), tensor)]);
        let first = write(&tensors, metadata().collect()).unwrap();
        for _ in 0..8 {
            assert_eq!(write(&tensors, metadata().rev().collect()).unwrap(), first);
        }
        assert_eq!(read(&first).unwrap(), (tensors, metadata().collect()));
    }
}
