//! Metadata and tensors of a file. Versions 2 and 3, little-endian. Layout after docs/gguf.md of ggml.

use crate::formats::blocks::Blocks;
use crate::formats::tensors::{Encoding, FileTensor, FileTensors, unreadable};
use lab_protocol::{LabError, text};
use std::collections::BTreeMap;

/// The first bytes of a file.
pub const MAGIC: &[u8] = b"GGUF";
/// Maximum number of dimensions of a tensor.
const MAX_DIMENSIONS: u32 = 4;

/// A file's metadata and tensors, which point into its bytes.
pub struct Gguf<'a> {
    metadata: BTreeMap<&'a str, Value<'a>>,
    pub tensors: FileTensors<'a>,
}

/// A metadata value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
    Text(&'a str),
    Array(Array<'a>),
}

/// A list of values of one kind, decoded on demand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Array<'a> {
    kind: u32,
    count: u64,
    bytes: &'a [u8],
}

impl<'a> Gguf<'a> {
    /// Reads a file's table of contents. Every count, length and offset is compared with the bytes present before it
    /// is used.
    pub fn read(bytes: &'a [u8]) -> Result<Self, LabError> {
        let mut cursor = Cursor { bytes, place: 0 };
        if cursor.take(4)? != MAGIC {
            return Err(unreadable(
                "the file is not a readable GGUF file: it does not begin with GGUF",
            ));
        }
        let version = cursor.u32()?;
        if !(2..=3).contains(&version) {
            return Err(unreadable(text!(
                "the file is not a readable GGUF file: its version is {version}, and 2 and 3 are known",
                version
            )));
        }
        let tensor_count = cursor.u64()?;
        let value_count = cursor.u64()?;
        let mut metadata = BTreeMap::new();
        for _ in 0..value_count {
            let key = cursor.text()?;
            let kind = cursor.u32()?;
            metadata.insert(key, cursor.value(kind)?);
        }
        let alignment = match metadata.get("general.alignment") {
            None => 32,
            Some(Value::Unsigned(n)) if n.is_power_of_two() && *n <= 1 << 16 => *n as usize,
            Some(other) => {
                return Err(unreadable(text!(
                    "the file is not a readable GGUF file: its alignment is {alignment}",
                    alignment = format!("{other:?}")
                )));
            }
        };
        let mut infos = Vec::new();
        for _ in 0..tensor_count {
            infos.push(cursor.tensor_info()?);
        }
        let start = cursor.place.next_multiple_of(alignment);
        let mut tensors = FileTensors::new();
        for info in infos {
            let name = info.name;
            let tensor = info.tensor(bytes.get(start..).unwrap_or_default())?;
            if tensors.insert(name.to_owned(), tensor).is_some() {
                return Err(unreadable(text!(
                    "the file is not a readable GGUF file: {name} is there twice",
                    name
                )));
            }
        }
        Ok(Self { metadata, tensors })
    }

    pub fn value(&self, key: &str) -> Option<Value<'a>> {
        self.metadata.get(key).copied()
    }

    pub fn text(&self, key: &str) -> Option<&'a str> {
        match self.value(key) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub fn whole(&self, key: &str) -> Option<u64> {
        match self.value(key) {
            Some(Value::Unsigned(n)) => Some(n),
            Some(Value::Signed(n)) => u64::try_from(n).ok(),
            _ => None,
        }
    }

    pub fn array(&self, key: &str) -> Option<Array<'a>> {
        match self.value(key) {
            Some(Value::Array(array)) => Some(array),
            _ => None,
        }
    }
}

impl<'a> Array<'a> {
    /// The values, from front to back.
    pub fn values(self) -> impl Iterator<Item = Value<'a>> {
        let mut cursor = Cursor {
            bytes: self.bytes,
            place: 0,
        };
        (0..self.count).map_while(move |_| cursor.value(self.kind).ok())
    }

    /// The values, if they are texts.
    pub fn texts(self) -> impl Iterator<Item = &'a str> {
        self.values().map_while(|value| match value {
            Value::Text(text) => Some(text),
            _ => None,
        })
    }
}

/// The table's entry of a tensor.
struct TensorInfo<'a> {
    name: &'a str,
    /// Slowest dimension first.
    shape: Vec<usize>,
    kind: u32,
    offset: u64,
}

impl TensorInfo<'_> {
    fn tensor<'a>(&self, data: &'a [u8]) -> Result<FileTensor<'a>, LabError> {
        let name = self.name;
        let encoding = match self.kind {
            0 => Encoding::F32,
            1 => Encoding::F16,
            2 => Encoding::Blocks(Blocks::Q4_0),
            3 => Encoding::Blocks(Blocks::Q4_1),
            6 => Encoding::Blocks(Blocks::Q5_0),
            7 => Encoding::Blocks(Blocks::Q5_1),
            8 => Encoding::Blocks(Blocks::Q8_0),
            12 => Encoding::Blocks(Blocks::Q4K),
            13 => Encoding::Blocks(Blocks::Q5K),
            14 => Encoding::Blocks(Blocks::Q6K),
            30 => Encoding::Bf16,
            other => {
                return Err(unreadable(text!(
                    "the file is not a readable GGUF file: {name} is of ggml's type {kind}, and F32, F16, BF16, \
                     Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K and Q6_K can be read",
                    name,
                    kind = other
                )));
            }
        };
        let columns = self.shape.last().copied().unwrap_or(1);
        let rows = self.shape.iter().rev().skip(1);
        let length = rows
            .copied()
            .try_fold(1usize, usize::checked_mul)
            .and_then(|rows| encoding.bytes_of(columns)?.checked_mul(rows))
            .ok_or_else(|| {
                unreadable(text!(
                    "the file is not a readable GGUF file: {name} cannot have the shape {shape}",
                    name,
                    shape = format!("{:?}", self.shape)
                ))
            })?;
        let bytes = usize::try_from(self.offset).ok().and_then(|start| {
            let end = start.checked_add(length)?;
            data.get(start..end)
        });
        bytes
            .and_then(|bytes| FileTensor::new(self.shape.clone(), encoding, bytes))
            .ok_or_else(|| {
                unreadable(text!(
                    "the file is not a readable GGUF file: {name} reaches beyond the end",
                    name
                ))
            })
    }
}

/// A position in the bytes, from which values are read.
struct Cursor<'a> {
    bytes: &'a [u8],
    place: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: u64) -> Result<&'a [u8], LabError> {
        let end = usize::try_from(count)
            .ok()
            .and_then(|count| self.place.checked_add(count));
        let taken = end.and_then(|end| self.bytes.get(self.place..end));
        let taken = taken
            .ok_or_else(|| unreadable("the file is not a readable GGUF file: it ends too soon"))?;
        self.place += taken.len();
        Ok(taken)
    }

    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], LabError> {
        let mut chunk = [0; N];
        chunk.copy_from_slice(self.take(N as u64)?);
        Ok(chunk)
    }

    fn u32(&mut self) -> Result<u32, LabError> {
        Ok(u32::from_le_bytes(self.chunk()?))
    }

    fn u64(&mut self) -> Result<u64, LabError> {
        Ok(u64::from_le_bytes(self.chunk()?))
    }

    fn text(&mut self) -> Result<&'a str, LabError> {
        let length = self.u64()?;
        std::str::from_utf8(self.take(length)?).map_err(|_| {
            unreadable("the file is not a readable GGUF file: a text in it is not UTF-8")
        })
    }

    fn value(&mut self, kind: u32) -> Result<Value<'a>, LabError> {
        Ok(match kind {
            0 => Value::Unsigned(u8::from_le_bytes(self.chunk()?).into()),
            1 => Value::Signed(i8::from_le_bytes(self.chunk()?).into()),
            2 => Value::Unsigned(u16::from_le_bytes(self.chunk()?).into()),
            3 => Value::Signed(i16::from_le_bytes(self.chunk()?).into()),
            4 => Value::Unsigned(self.u32()?.into()),
            5 => Value::Signed(i32::from_le_bytes(self.chunk()?).into()),
            6 => Value::Float(f32::from_le_bytes(self.chunk()?).into()),
            7 => Value::Bool(self.chunk::<1>()? != [0]),
            8 => Value::Text(self.text()?),
            9 => Value::Array(self.array()?),
            10 => Value::Unsigned(self.u64()?),
            11 => Value::Signed(i64::from_le_bytes(self.chunk()?)),
            12 => Value::Float(f64::from_le_bytes(self.chunk()?)),
            other => {
                return Err(unreadable(text!(
                    "the file is not a readable GGUF file: it has a value of the unknown kind {kind}",
                    kind = other
                )));
            }
        })
    }

    fn array(&mut self) -> Result<Array<'a>, LabError> {
        let kind = self.u32()?;
        let count = self.u64()?;
        let start = self.place;
        let size = match kind {
            0 | 1 | 7 => Some(1),
            2 | 3 => Some(2),
            4..=6 => Some(4),
            10..=12 => Some(8),
            8 => None,
            other => {
                return Err(unreadable(text!(
                    "the file is not a readable GGUF file: it has a list of values of the kind {kind}",
                    kind = other
                )));
            }
        };
        match size {
            Some(size) => drop(self.take(count.saturating_mul(size))?),
            // Each text has a length, so a false large count soon meets the end.
            None => {
                for _ in 0..count {
                    self.text()?;
                }
            }
        }
        let bytes = self.bytes.get(start..self.place).unwrap_or_default();
        Ok(Array { kind, count, bytes })
    }

    fn tensor_info(&mut self) -> Result<TensorInfo<'a>, LabError> {
        let name = self.text()?;
        let dimensions = self.u32()?;
        if dimensions > MAX_DIMENSIONS {
            return Err(unreadable(text!(
                "the file is not a readable GGUF file: {name} has {dimensions} dimensions",
                name,
                dimensions
            )));
        }
        let mut shape = Vec::new();
        for _ in 0..dimensions {
            let size = usize::try_from(self.u64()?).ok();
            shape.push(size.ok_or_else(|| {
                unreadable(text!(
                    "the file is not a readable GGUF file: {name} is larger than memory",
                    name
                ))
            })?);
        }
        shape.reverse();
        Ok(TensorInfo {
            name,
            shape,
            kind: self.u32()?,
            offset: self.u64()?,
        })
    }
}
