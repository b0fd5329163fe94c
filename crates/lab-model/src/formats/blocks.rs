//! Numbers in blocks that share a scale, as in GGUF files (ggml's `block_q4_0` and its kin). Layouts after
//! ggml-common.h and ggml-quants.c of llama.cpp.

use half::f16;

/// A kind of block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocks {
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q4K,
    Q5K,
    Q6K,
}

/// Numbers in a block with two levels of scales.
const SUPER: usize = 256;
const PLAIN: usize = 32;

impl Blocks {
    /// Numbers in a block.
    pub fn numbers(self) -> usize {
        match self {
            Self::Q4K | Self::Q5K | Self::Q6K => SUPER,
            _ => PLAIN,
        }
    }

    /// Bytes of a block.
    pub fn bytes(self) -> usize {
        match self {
            Self::Q4_0 => 18,
            Self::Q4_1 => 20,
            Self::Q5_0 => 22,
            Self::Q5_1 => 24,
            Self::Q8_0 => 34,
            Self::Q4K => 144,
            Self::Q5K => 176,
            Self::Q6K => 210,
        }
    }

    /// Decodes whole blocks.
    pub fn decode(self, bytes: &[u8], numbers: &mut [f32]) {
        match self {
            Self::Q4_0 => each(bytes, numbers, q4_0),
            Self::Q4_1 => each(bytes, numbers, q4_1),
            Self::Q5_0 => each(bytes, numbers, q5_0),
            Self::Q5_1 => each(bytes, numbers, q5_1),
            Self::Q8_0 => each(bytes, numbers, q8_0),
            Self::Q4K => each(bytes, numbers, q4_k),
            Self::Q5K => each(bytes, numbers, q5_k),
            Self::Q6K => each(bytes, numbers, q6_k),
        }
    }
}

fn each<const B: usize, const N: usize>(
    bytes: &[u8],
    numbers: &mut [f32],
    decode: fn(&[u8; B], &mut [f32; N]),
) {
    let (blocks, places) = (bytes.as_chunks().0, numbers.as_chunks_mut().0);
    for (block, place) in blocks.iter().zip(places) {
        decode(block, place);
    }
}

/// The half-precision number at an offset of a block.
fn half<const B: usize>(block: &[u8; B], place: usize) -> f32 {
    f16::from_le_bytes([block[place], block[place + 1]]).to_f32()
}

/// Sixteen bytes of two codes each: the low halves first, then the high ones.
fn nibbles(codes: &[u8], numbers: &mut [f32; PLAIN], decode: impl Fn(u8, usize) -> f32) {
    let (low, high) = numbers.split_at_mut(PLAIN / 2);
    for (i, ((low, high), &code)) in low.iter_mut().zip(high).zip(codes).enumerate() {
        *low = decode(code & 15, i);
        *high = decode(code >> 4, i + PLAIN / 2);
    }
}

fn q4_0(block: &[u8; 18], numbers: &mut [f32; PLAIN]) {
    let scale = half(block, 0);
    nibbles(&block[2..], numbers, |code, _| {
        scale * (f32::from(code) - 8.0)
    });
}

fn q4_1(block: &[u8; 20], numbers: &mut [f32; PLAIN]) {
    let (scale, minimum) = (half(block, 0), half(block, 2));
    nibbles(&block[4..], numbers, |code, _| {
        scale * f32::from(code) + minimum
    });
}

/// The fifth bit of a code.
fn fifth(bits: &[u8], i: usize) -> u8 {
    (bits[i / 8] >> (i % 8) & 1) << 4
}

fn q5_0(block: &[u8; 22], numbers: &mut [f32; PLAIN]) {
    let scale = half(block, 0);
    nibbles(&block[6..], numbers, |code, i| {
        scale * (f32::from(code | fifth(&block[2..6], i)) - 16.0)
    });
}

fn q5_1(block: &[u8; 24], numbers: &mut [f32; PLAIN]) {
    let (scale, minimum) = (half(block, 0), half(block, 2));
    nibbles(&block[8..], numbers, |code, i| {
        scale * f32::from(code | fifth(&block[4..8], i)) + minimum
    });
}

fn q8_0(block: &[u8; 34], numbers: &mut [f32; PLAIN]) {
    let scale = half(block, 0);
    for (number, &code) in numbers.iter_mut().zip(&block[2..]) {
        *number = scale * f32::from(code as i8);
    }
}

/// Scale and offset of one of the eight parts of a block: six bits each, packed into twelve bytes.
fn scale_and_offset(packed: &[u8], part: usize) -> (f32, f32) {
    let (scale, offset) = if part < 4 {
        (packed[part] & 63, packed[part + 4] & 63)
    } else {
        let (low, above) = (packed[part + 4], part - 4);
        (
            low & 15 | packed[above] >> 6 << 4,
            low >> 4 | packed[above + 4] >> 6 << 4,
        )
    };
    (f32::from(scale), f32::from(offset))
}

/// Eight parts of 32 numbers; each 32 bytes have the low halves of one part and the high ones of the next.
fn eight_parts(
    header: &[u8; 16],
    codes: &[u8],
    numbers: &mut [f32; SUPER],
    fifth: impl Fn(usize, usize) -> u8,
) {
    let (scale, offset) = (half(header, 0), half(header, 2));
    for (part, numbers) in numbers.as_chunks_mut::<PLAIN>().0.iter_mut().enumerate() {
        let (own_scale, own_offset) = scale_and_offset(&header[4..], part);
        let (scale, offset) = (scale * own_scale, offset * own_offset);
        let codes = codes.iter().skip(part / 2 * PLAIN);
        for (i, (number, &code)) in numbers.iter_mut().zip(codes).enumerate() {
            let code = if part % 2 == 0 { code & 15 } else { code >> 4 };
            *number = scale * f32::from(code | fifth(part, i)) - offset;
        }
    }
}

fn q4_k(block: &[u8; 144], numbers: &mut [f32; SUPER]) {
    if let Some((header, codes)) = block.split_first_chunk() {
        eight_parts(header, codes, numbers, |_, _| 0);
    }
}

fn q5_k(block: &[u8; 176], numbers: &mut [f32; SUPER]) {
    if let Some((header, rest)) = block.split_first_chunk() {
        let (high, codes) = rest.split_at(PLAIN);
        eight_parts(header, codes, numbers, |part, i| (high[i] >> part & 1) << 4);
    }
}

fn q6_k(block: &[u8; 210], numbers: &mut [f32; SUPER]) {
    let scale = half(block, 208);
    let (low, rest) = block.split_at(128);
    let (high, scales) = rest.split_at(64);
    for (i, number) in numbers.iter_mut().enumerate() {
        // Two halves of 128, each of four parts of 32: the low four bits of parts 0 and 1 come first, parts 2
        // and 3 are above them; the high two bits of all four share a byte.
        let (side, part, within) = (i / 128, i % 128 / 32, i % 32);
        let code = low[side * 64 + part % 2 * 32 + within] >> (part / 2 * 4) & 15;
        let above = high[side * 32 + within] >> (part * 2) & 3;
        let own_scale = f32::from(scales[i / 16] as i8);
        *number = scale * own_scale * (f32::from(code | above << 4) - 32.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// Values of the Python package `gguf`, which reads the same blocks by independent code.
    #[test]
    fn blocks_decode_as_the_reference_does() {
        let golden: Value =
            serde_json::from_str(include_str!("../../../../tests/golden/gguf/blocks.json"))
                .unwrap();
        let kinds = [
            ("Q4_0", Blocks::Q4_0),
            ("Q4_1", Blocks::Q4_1),
            ("Q5_0", Blocks::Q5_0),
            ("Q5_1", Blocks::Q5_1),
            ("Q8_0", Blocks::Q8_0),
            ("Q4_K", Blocks::Q4K),
            ("Q5_K", Blocks::Q5K),
            ("Q6_K", Blocks::Q6K),
        ];
        for (name, kind) in kinds {
            let block = &golden["blocks"][name];
            let bytes: Vec<u8> = block["bytes"]
                .as_str()
                .unwrap()
                .as_bytes()
                .chunks(2)
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
                .collect();
            let expected: Vec<f32> = serde_json::from_value(block["values"].clone()).unwrap();
            assert_eq!(bytes.len() / kind.bytes() * kind.numbers(), expected.len());
            let mut found = vec![0.0; expected.len()];
            kind.decode(&bytes, &mut found);
            let largest = expected.iter().fold(0f32, |m, x| m.max(x.abs()));
            for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                assert!(
                    (found - expected).abs() <= 1e-6 * largest,
                    "{name} {i}: {found}, expected {expected}"
                );
            }
        }
    }
}
