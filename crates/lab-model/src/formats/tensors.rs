//! Tensors in files: in several encodings, decoded row by row into their place in memory.

use super::blocks::Blocks;
use half::{bf16, f16};
use lab_protocol::{ErrorCode, LabError, Text, text};
use std::collections::BTreeMap;

/// The encoding of a file's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    F32,
    F16,
    Bf16,
    /// Several numbers share a scale.
    Blocks(Blocks),
}

impl Encoding {
    /// Bytes of a row of numbers; `None` if such a row is impossible, or larger than memory.
    pub fn bytes_of(self, numbers: usize) -> Option<usize> {
        match self {
            Self::F32 => numbers.checked_mul(4),
            Self::F16 | Self::Bf16 => numbers.checked_mul(2),
            Self::Blocks(blocks) => numbers
                .is_multiple_of(blocks.numbers())
                .then(|| (numbers / blocks.numbers()).checked_mul(blocks.bytes()))?,
        }
    }

    fn decode(self, bytes: &[u8], numbers: &mut [f32]) {
        match self {
            Self::F32 => {
                for (number, bytes) in numbers.iter_mut().zip(bytes.as_chunks().0) {
                    *number = f32::from_le_bytes(*bytes);
                }
            }
            Self::F16 => {
                for (number, bytes) in numbers.iter_mut().zip(bytes.as_chunks().0) {
                    *number = f16::from_le_bytes(*bytes).to_f32();
                }
            }
            Self::Bf16 => {
                for (number, bytes) in numbers.iter_mut().zip(bytes.as_chunks().0) {
                    *number = bf16::from_le_bytes(*bytes).to_f32();
                }
            }
            Self::Blocks(blocks) => blocks.decode(bytes, numbers),
        }
    }
}

/// A tensor in a file; its length matches its shape.
#[derive(Clone, Debug)]
pub struct FileTensor<'a> {
    shape: Vec<usize>,
    encoding: Encoding,
    bytes: &'a [u8],
    /// Head width, if the two halves of a head are interleaved in the file: llama.cpp stores the rows of queries and
    /// keys in the order 0, n/2, 1, n/2 + 1, …
    interleaved: Option<usize>,
}

/// A file's tensors by name.
pub type FileTensors<'a> = BTreeMap<String, FileTensor<'a>>;

impl<'a> FileTensor<'a> {
    /// `None` if the number of bytes does not match the shape.
    pub fn new(shape: Vec<usize>, encoding: Encoding, bytes: &'a [u8]) -> Option<Self> {
        let columns = shape.last().copied().unwrap_or(1);
        let rows = shape
            .iter()
            .rev()
            .skip(1)
            .try_fold(1, |n: usize, &d| n.checked_mul(d))?;
        let expected = encoding.bytes_of(columns)?.checked_mul(rows)?;
        (expected == bytes.len()).then_some(Self {
            shape,
            encoding,
            bytes,
            interleaved: None,
        })
    }

    /// The tensor with rows in llama.cpp's order.
    pub fn interleaved(self, head_width: usize) -> Self {
        Self {
            interleaved: (head_width > 1).then_some(head_width),
            ..self
        }
    }

    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Length of a row: the last dimension.
    pub fn columns(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// Decodes whole rows from `first` on, as many as `numbers` has room for.
    pub fn read_rows(&self, first: usize, numbers: &mut [f32]) {
        let columns = self.columns();
        let Some(length) = self.encoding.bytes_of(columns).filter(|_| columns > 0) else {
            return;
        };
        for (row, numbers) in (first..).zip(numbers.chunks_mut(columns)) {
            // A vector is one row; its numbers are in that order.
            let is_row = self.shape.len() > 1;
            let start = if is_row { self.place_of(row) } else { row } * length;
            if let Some(bytes) = self.bytes.get(start..start + length) {
                self.encoding.decode(bytes, numbers);
            }
            if !is_row && self.interleaved.is_some() {
                let decoded = numbers.to_vec();
                for (place, number) in numbers.iter_mut().enumerate() {
                    *number = decoded.get(self.place_of(place)).copied().unwrap_or(0.0);
                }
            }
        }
    }

    fn place_of(&self, row: usize) -> usize {
        let Some(width) = self.interleaved else {
            return row;
        };
        let (head, within) = (row / width, row % width);
        let half = width / 2;
        head * width + within % half * 2 + within / half
    }
}

/// The number format of a folder's weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WeightType {
    #[default]
    F32,
    F16,
    Bf16,
}

impl WeightType {
    pub const NAMES: [&str; 3] = ["f32", "f16", "bf16"];

    pub fn from_name(name: &str) -> Result<Self, LabError> {
        match name {
            "f32" => Ok(Self::F32),
            "f16" => Ok(Self::F16),
            "bf16" => Ok(Self::Bf16),
            other => Err(LabError::config(
                "dtype",
                text!(
                    "there is no number type {name}",
                    name = format!("{other:?}")
                ),
                text!("Use one of: {names}.", names = Self::NAMES.join(", ")),
            )),
        }
    }

    /// The name in `config.json`.
    pub fn torch_name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
        }
    }

    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// Numbers as bytes, each rounded to the nearest.
    pub fn encode(self, numbers: &[f32]) -> Vec<u8> {
        match self {
            Self::F32 => numbers.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Self::F16 => numbers
                .iter()
                .flat_map(|&x| f16::from_f32(x).to_le_bytes())
                .collect(),
            Self::Bf16 => numbers
                .iter()
                .flat_map(|&x| bf16::from_f32(x).to_le_bytes())
                .collect(),
        }
    }

    /// Refuses numbers that would become infinite.
    pub fn check(self, name: &str, numbers: &[f32]) -> Result<(), LabError> {
        let largest = match self {
            Self::F32 => return Ok(()),
            Self::F16 => f16::MAX.to_f32(),
            Self::Bf16 => bf16::MAX.to_f32(),
        };
        match numbers.iter().find(|x| x.is_finite() && x.abs() > largest) {
            None => Ok(()),
            Some(number) => Err(LabError::config(
                "dtype",
                text!(
                    "{name} has the number {number}, which is too large for this type",
                    name,
                    number
                ),
                "Write the weights as f32.",
            )),
        }
    }
}

/// A file of tensors that cannot be used.
pub fn unreadable(message: impl Into<Text>) -> LabError {
    LabError::new(
        ErrorCode::InvalidCheckpoint,
        message,
        "Use a file that is whole, as it was written.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn llama_cpps_order_of_rows_is_undone() {
        // Two heads of width 4; the file has 0, 2, 1, 3 of each.
        let rows: Vec<u8> = [0f32, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0]
            .iter()
            .flat_map(|x| x.to_le_bytes())
            .collect();
        let tensor = FileTensor::new(vec![8, 1], Encoding::F32, &rows)
            .unwrap()
            .interleaved(4);
        let vector = FileTensor::new(vec![8], Encoding::F32, &rows).unwrap();
        for tensor in [tensor, vector.interleaved(4)] {
            let mut numbers = [0.0; 8];
            tensor.read_rows(0, &mut numbers);
            assert_eq!(numbers, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
        }
    }

    #[test]
    fn lengths_must_fit_and_may_not_overflow() {
        assert!(FileTensor::new(vec![2, 3], Encoding::F16, &[0; 12]).is_some());
        assert!(FileTensor::new(vec![2, 3], Encoding::F16, &[0; 11]).is_none());
        assert!(FileTensor::new(vec![usize::MAX, usize::MAX], Encoding::F32, &[]).is_none());
        assert!(FileTensor::new(vec![], Encoding::F32, &[0; 4]).is_some());
    }

    #[test]
    fn halves_round_to_the_nearest_and_the_too_large_is_refused() {
        let numbers = [1.0, -0.333_333_34, 65504.0];
        for (kind, encoding, error) in [
            (WeightType::F16, Encoding::F16, 1.0 / 2048.0),
            (WeightType::Bf16, Encoding::Bf16, 1.0 / 256.0),
        ] {
            let bytes = kind.encode(&numbers);
            let tensor = FileTensor::new(vec![3], encoding, &bytes).unwrap();
            let mut read = [0.0; 3];
            tensor.read_rows(0, &mut read);
            for (read, number) in read.iter().zip(numbers) {
                assert!((read - number).abs() <= error * number.abs());
            }
        }
        assert!(WeightType::F16.check("w", &[70_000.0]).is_err());
        assert!(WeightType::Bf16.check("w", &[70_000.0]).is_ok());
    }
}
