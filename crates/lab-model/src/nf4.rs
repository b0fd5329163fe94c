//! Weights in 4 bits (QLoRA, Dettmers et al. 2023): NF4 in blocks of 64 with one scale each, and the scales
//! themselves in 8 bits in blocks of 256 (double quantisation); 4.127 bits a weight.

use crate::kernels;
use burn::module::Module;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

pub use crate::kernels::{NF4_BLOCK as BLOCK, NF4_SCALES as SCALES};

/// The values of the 4-bit codes: quantiles of the normal distribution, as in bitsandbytes.
pub const CODEBOOK: [f32; 16] = [
    -1.0,
    -0.696_192_8,
    -0.525_073_05,
    -0.394_917_5,
    -0.284_441_38,
    -0.184_773_43,
    -0.091_050_036,
    0.0,
    0.079_580_3,
    0.160_930_2,
    0.246_112_3,
    0.337_915_24,
    0.440_709_83,
    0.562_617,
    0.722_956_84,
    1.0,
];

/// Numbers in 4 bits, on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct Nf4 {
    /// Number of all numbers.
    pub length: usize,
    /// Two numbers a byte, the first in the high half.
    pub codes: Vec<u8>,
    /// Largest magnitude of each block.
    pub scales: Vec<f32>,
}

impl Nf4 {
    /// The nearest of the 16 values for each number divided by its block's largest magnitude; at a tie, the lower.
    pub fn new(values: &[f32]) -> Self {
        let mut codes = vec![0; values.len().div_ceil(2)];
        let mut scales = Vec::with_capacity(values.len().div_ceil(BLOCK));
        for (number, block) in values.chunks(BLOCK).enumerate() {
            let scale = block.iter().fold(0.0f32, |max, x| max.max(x.abs()));
            scales.push(scale);
            for (index, value) in block.iter().enumerate() {
                let code = if scale > 0.0 {
                    nearest(&CODEBOOK, value / scale)
                } else {
                    nearest(&CODEBOOK, 0.0)
                };
                let place = number * BLOCK + index;
                codes[place / 2] |= (code as u8) << (4 - place % 2 * 4);
            }
        }
        Self {
            length: values.len(),
            codes,
            scales,
        }
    }

    /// Index into the codebook of each number.
    pub fn indices(&self) -> impl Iterator<Item = usize> {
        (0..self.length).map(|place| {
            let byte = self.codes[place / 2];
            usize::from(if place % 2 == 0 { byte >> 4 } else { byte & 15 })
        })
    }

    /// The dequantised numbers, with these scales or with the twice quantised ones.
    pub fn values(&self, scales: &[f32]) -> Vec<f32> {
        let value = |(place, index): (usize, usize)| CODEBOOK[index] * scales[place / BLOCK];
        self.indices().enumerate().map(value).collect()
    }
}

/// Scales in 8 bits: their distance from the mean, in blocks of 256 by their largest distance.
#[derive(Clone, Debug, PartialEq)]
pub struct Scales {
    pub codes: Vec<u8>,
    pub largest: Vec<f32>,
    pub mean: f32,
}

impl Scales {
    pub fn new(scales: &[f32]) -> Self {
        let sum: f64 = scales.iter().map(|&scale| f64::from(scale)).sum();
        let mean = (sum / scales.len().max(1) as f64) as f32;
        let map = dynamic_map();
        let mut codes = Vec::with_capacity(scales.len());
        let mut largest = Vec::with_capacity(scales.len().div_ceil(SCALES));
        for block in scales.chunks(SCALES) {
            let max = block
                .iter()
                .fold(0.0f32, |max, x| max.max((x - mean).abs()));
            largest.push(max);
            codes.extend(block.iter().map(|scale| {
                let distance = if max > 0.0 { (scale - mean) / max } else { 0.0 };
                nearest(&map, distance) as u8
            }));
        }
        Self {
            codes,
            largest,
            mean,
        }
    }

    pub fn values(&self) -> Vec<f32> {
        let map = dynamic_map();
        let value = |(place, &code): (usize, &u8)| {
            map[usize::from(code)] * self.largest[place / SCALES] + self.mean
        };
        self.codes.iter().enumerate().map(value).collect()
    }
}

/// The 256 values of the dynamic 8-bit format (Dettmers 2016): seven decades, each with twice as many
/// steps as the one below.
pub fn dynamic_map() -> Vec<f32> {
    let mut map = vec![0.0f32, 1.0];
    for exponent in 0..7 {
        let items = 1usize << exponent;
        let decade = 10f64.powi(exponent - 6);
        let step = 0.9 / items as f64;
        for item in 0..items {
            let mean = 0.1 + step * (item as f64 + 0.5);
            map.push((decade * mean) as f32);
            map.push((-decade * mean) as f32);
        }
    }
    map.sort_by(f32::total_cmp);
    map
}

/// Index of the nearest value in an ascending list; at a tie, the lower.
fn nearest(list: &[f32], value: f32) -> usize {
    let above = |pair: &[f32]| value > (pair[0] + pair[1]) / 2.0;
    list.windows(2).take_while(|pair| above(pair)).count()
}

/// A matrix `[out, in]` in 4 bits on the device. A constant: it has no weight that is trained or saved.
#[derive(Module, Debug)]
pub struct Quantized {
    /// Each has eight codes, in the order of [`Nf4::codes`]' bytes.
    #[module(skip)]
    codes: Tensor<1, Int>,
    /// Each has four 8-bit scales.
    #[module(skip)]
    scales: Tensor<1, Int>,
    /// The 16 values, the 256 values, then the largest distance of each block of scales.
    #[module(skip)]
    tables: Tensor<1>,
    #[module(skip)]
    format: kernels::Nf4Format,
}

impl Quantized {
    /// Quantises `[in, out]` numbers, along the inputs of each output.
    pub fn new(values: &[f32], [input, output]: [usize; 2], device: &Device) -> Self {
        let transposed: Vec<f32> = (0..input * output)
            .map(|place| values[place % input * output + place / input])
            .collect();
        let coded = Nf4::new(&transposed);
        let scales = Scales::new(&coded.scales);
        let device = device.clone().inner();
        let words = |bytes: &[u8]| {
            let words: Vec<i32> = bytes
                .chunks(4)
                .map(|bytes| {
                    let mut word = [0; 4];
                    word[..bytes.len()].copy_from_slice(bytes);
                    i32::from_le_bytes(word)
                })
                .collect();
            let count = words.len();
            Tensor::from_data(TensorData::new(words, [count]), (&device, DType::I32))
        };
        let mut tables = CODEBOOK.to_vec();
        tables.extend(dynamic_map());
        tables.extend(&scales.largest);
        let count = tables.len();
        Self {
            codes: words(&coded.codes),
            scales: words(&scales.codes),
            tables: Tensor::from_data(TensorData::new(tables, [count]), &device),
            format: kernels::Nf4Format {
                rows: output,
                columns: input,
                mean: scales.mean,
            },
        }
    }

    /// Numbers of inputs and of outputs.
    pub fn dims(&self) -> [usize; 2] {
        [self.format.columns, self.format.rows]
    }

    /// x·Wᵀ of `[batch, time, in]`; the weight is a constant that is expanded for this product only.
    pub fn product(&self, x: Tensor<3>) -> Tensor<3> {
        kernels::linear_nf4(
            x,
            self.codes.clone(),
            self.scales.clone(),
            self.tables.clone(),
            self.format,
        )
    }

    /// The weight as floats, `[in, out]`.
    pub fn dense(&self) -> Tensor<2> {
        kernels::dequantize_nf4(
            self.codes.clone(),
            self.scales.clone(),
            self.tables.clone(),
            self.format,
        )
        .transpose()
    }

    /// Bytes on the device.
    pub fn bytes(&self) -> usize {
        4 * (self.codes.dims()[0] + self.scales.dims()[0] + self.tables.dims()[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters;
    use proptest::prelude::*;

    #[test]
    fn the_dynamic_map_has_256_values_between_its_ends() {
        let map = dynamic_map();
        assert_eq!(map.len(), 256);
        assert!(map.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(map.contains(&0.0) && map[255] == 1.0);
        assert!((map[254] - 0.992_968_75).abs() < 1e-6, "{}", map[254]);
    }

    #[test]
    fn the_mean_error_on_normal_numbers_is_the_known_one() {
        let mut random = crate::random::Random::new(5, crate::random::Purpose::Weights, 0);
        let values = random.normal(1 << 20, 1.0);
        let coded = Nf4::new(&values);
        let found = coded.values(&coded.scales);
        let errors = values
            .iter()
            .zip(&found)
            .map(|(a, b)| f64::from((a - b).abs()));
        let mean = errors.sum::<f64>() / values.len() as f64;
        assert!((mean - 0.0728).abs() < 2e-4, "{mean}");
        let scales = Scales::new(&coded.scales);
        let bytes = coded.codes.len() + scales.codes.len() + 4 * scales.largest.len();
        let bits = 8.0 * bytes as f64 / values.len() as f64;
        assert!((bits - 4.127).abs() < 1e-3, "{bits}");
    }

    proptest! {
        #[test]
        fn no_number_is_further_off_than_half_the_widest_gap(values in prop::collection::vec(-3.0f32..3.0, 1..700)) {
            let coded = Nf4::new(&values);
            let scales = Scales::new(&coded.scales);
            let doubly = scales.values();
            let once = coded.values(&coded.scales);
            let twice = coded.values(&doubly);
            for (place, value) in values.iter().enumerate() {
                let scale = coded.scales[place / BLOCK];
                let bound = 0.151_904 * scale + 1e-6;
                prop_assert!((value - once[place]).abs() <= bound);
                let moved = (scale - doubly[place / BLOCK]).abs();
                prop_assert!((value - twice[place]).abs() <= bound + moved);
            }
        }

        #[test]
        fn the_device_has_the_same_numbers(input in 1usize..40, output in 1usize..40, seed in 0u64..1000) {
            let mut random = crate::random::Random::new(seed, crate::random::Purpose::Weights, 0);
            let values = random.normal(input * output, 0.5);
            let device = Device::flex();
            let quantized = Quantized::new(&values, [input, output], &device);
            let found = pollster::block_on(parameters::read(vec![quantized.dense().reshape([input * output])])).unwrap().remove(0);
            let transposed: Vec<f32> = (0..input * output).map(|p| values[p % input * output + p / input]).collect();
            let coded = Nf4::new(&transposed);
            let expected = coded.values(&Scales::new(&coded.scales).values());
            for i in 0..input {
                for o in 0..output {
                    let (a, b) = (found[i * output + o], expected[o * input + i]);
                    prop_assert!((a - b).abs() <= 1e-6, "{} {}", a, b);
                }
            }
        }
    }
}
