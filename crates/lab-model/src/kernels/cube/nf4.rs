//! Matrices in 4 bits as floats.

use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::super::backend::{NF4_BLOCK, NF4_SCALES, Nf4Format};
use super::launch::{contiguous, empty, integers, units};

/// Codes in a word.
const CODES: usize = 8;

/// A unit for each word of codes; all codes of a word are in one block.
#[cube(launch_unchecked)]
fn nf4_kernel(
    codes: &[i32],
    scales: &[i32],
    tables: &[f32],
    y: &mut [f32],
    count: usize,
    length: usize,
    mean: f32,
) {
    if ABSOLUTE_POS >= count {
        terminate!();
    }
    let word = codes[ABSOLUTE_POS] as u32;
    let first = ABSOLUTE_POS * CODES;
    let block = first / NF4_BLOCK;
    let packed = scales[block / 4] as u32;
    let code = (packed >> ((block % 4) as u32 * 8)) & 255;
    let scale = tables[16 + code as usize] * tables[272 + block / NF4_SCALES] + mean;
    for place in 0..CODES {
        if first + place < length {
            // The first of a byte's two codes is in its high half.
            let shift = (place / 2) as u32 * 8 + 4 - (place % 2) as u32 * 4;
            let code = (word >> shift) & 15;
            y[first + place] = tables[code as usize] * scale;
        }
    }
}

pub fn dequantize(
    codes: CubeTensor,
    scales: CubeTensor,
    tables: CubeTensor,
    format: Nf4Format,
) -> CubeTensor {
    let (codes, scales, tables) = (integers(codes), integers(scales), contiguous(tables));
    let y = empty(&tables, [format.rows, format.columns]);
    let length = format.rows * format.columns;
    let words = length.div_ceil(CODES);
    let (count, dim) = units(&y, words);
    let client = y.client.clone();
    // SAFETY: units beyond the last word end at once, and none writes beyond the last number.
    unsafe {
        nf4_kernel::launch_unchecked(
            &client,
            count,
            dim,
            codes.into_buffer_arg(),
            scales.into_buffer_arg(),
            tables.into_buffer_arg(),
            y.clone().into_buffer_arg(),
            words,
            length,
            format.mean,
        );
    }
    y
}
