//! Matrices in 4 bits as floats.

use burn::backend::flex::FlexTensor;

use super::super::backend::{NF4_BLOCK, NF4_SCALES, Nf4Format};
use super::math::for_rows;
use super::tensors::{contiguous, integers, tensor, values};

pub fn dequantize(
    codes: FlexTensor,
    scales: FlexTensor,
    tables: FlexTensor,
    format: Nf4Format,
) -> FlexTensor {
    let (codes, scales, tables) = (integers(codes), integers(scales), contiguous(tables));
    let (codebook, rest) = values(&tables).split_at(16);
    let (map, largest) = rest.split_at(256);
    let mut out = vec![0.0; format.rows * format.columns];
    // Blocks run through the whole matrix, across its rows.
    for_rows(&mut out, NF4_BLOCK, |first, out| {
        for (block, out) in out.chunks_mut(NF4_BLOCK).enumerate() {
            let block = first + block;
            let code = scales[block / 4] >> (block % 4 * 8) & 255;
            let scale = map[code as usize] * largest[block / NF4_SCALES] + format.mean;
            let scaled: [f32; 16] = std::array::from_fn(|code| codebook[code] * scale);
            let words = &codes[block * NF4_BLOCK / 8..];
            for (out, word) in out.chunks_mut(8).zip(words) {
                for (place, out) in out.iter_mut().enumerate() {
                    // The first of a byte's two codes is in its high half.
                    let shift = place / 2 * 8 + 4 - place % 2 * 4;
                    *out = scaled[(word >> shift & 15) as usize];
                }
            }
        }
    });
    tensor(out, [format.rows, format.columns])
}
