//! Numbers and texts as bytes, little-endian. The reader trusts no length: it reserves no more than the
//! remaining bytes can fill.

use lab_protocol::{ErrorCode, LabError, Text};

#[derive(Default)]
pub struct Writer {
    pub bytes: Vec<u8>,
}

impl Writer {
    pub fn number(&mut self, value: usize) {
        self.bytes.extend((value as u64).to_le_bytes());
    }

    pub fn text(&mut self, text: &str) {
        self.number(text.len());
        self.bytes.extend(text.as_bytes());
    }

    pub fn u32s(&mut self, values: &[u32]) {
        self.number(values.len());
        values
            .iter()
            .for_each(|value| self.bytes.extend(value.to_le_bytes()));
    }

    pub fn f32s(&mut self, values: &[f32]) {
        self.number(values.len());
        values
            .iter()
            .for_each(|value| self.bytes.extend(value.to_le_bytes()));
    }
}

pub struct Reader<'a> {
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { left: bytes }
    }

    pub fn take(&mut self, length: usize) -> Result<&'a [u8], LabError> {
        let (taken, left) = self
            .left
            .split_at_checked(length)
            .ok_or_else(|| corrupt("the index file is damaged: it ends too soon"))?;
        self.left = left;
        Ok(taken)
    }

    pub fn number(&mut self) -> Result<usize, LabError> {
        let (bytes, left) = self
            .left
            .split_first_chunk::<8>()
            .ok_or_else(|| corrupt("the index file is damaged: it ends too soon"))?;
        self.left = left;
        usize::try_from(u64::from_le_bytes(*bytes))
            .map_err(|_| corrupt("the index file is damaged: a number is too large"))
    }

    /// The number of items of at least `size` bytes that follow.
    pub fn count(&mut self, size: usize) -> Result<usize, LabError> {
        let count = self.number()?;
        if count > self.left.len() / size.max(1) {
            return Err(corrupt("the index file is damaged: it ends too soon"));
        }
        Ok(count)
    }

    pub fn text(&mut self) -> Result<&'a str, LabError> {
        let length = self.count(1)?;
        std::str::from_utf8(self.take(length)?)
            .map_err(|_| corrupt("the index file is damaged: a text in it is not UTF-8"))
    }

    pub fn u32s(&mut self) -> Result<Vec<u32>, LabError> {
        self.fours(u32::from_le_bytes)
    }

    pub fn f32s(&mut self) -> Result<Vec<f32>, LabError> {
        self.fours(f32::from_le_bytes)
    }

    fn fours<T>(&mut self, convert: fn([u8; 4]) -> T) -> Result<Vec<T>, LabError> {
        let count = self.count(4)?;
        let (fours, _) = self.take(4 * count)?.as_chunks::<4>();
        Ok(fours.iter().map(|four| convert(*four)).collect())
    }

    pub fn end(&self) -> Result<(), LabError> {
        if self.left.is_empty() {
            Ok(())
        } else {
            Err(corrupt("the index file is damaged: bytes follow its end"))
        }
    }
}

pub fn corrupt(message: impl Into<Text>) -> LabError {
    LabError::new(
        ErrorCode::InvalidData,
        message,
        "Index the documents again.",
    )
    .at("index")
}
