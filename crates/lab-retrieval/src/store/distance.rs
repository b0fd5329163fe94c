//! Scalar products. Products of floats use many independent sums in a fixed order, so they are vectorised and the
//! same on every machine. Products of bytes from -127 to 127 are exact in any order.

/// Independent sums in a product of floats.
const LANES: usize = 32;

/// Σ aᵢ·bᵢ over the shorter of the two. The order of addition does not depend on the machine.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has the instructions that the function is compiled for.
        return unsafe { dot_avx2(a, b) };
    }
    dot_portable(a, b)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn dot_avx2(a: &[f32], b: &[f32]) -> f32 {
    dot_portable(a, b)
}

#[inline(always)]
fn dot_portable(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (a_blocks, a_rest) = a.as_chunks::<LANES>();
    let (b_blocks, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
        width /= 2;
    }
    sums[0] + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

/// A scalar product of bytes. Choose it once before a loop with [`byte_dot`].
pub type ByteDot = fn(&[i8], &[i8]) -> i32;

/// The fastest scalar product of bytes on this machine. All of them give the same results.
pub fn byte_dot() -> ByteDot {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512bw") {
            // SAFETY: the processor has the instructions that the function is compiled for.
            return |a, b| unsafe { byte_dot_avx512(a, b) };
        }
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: as above.
            return |a, b| unsafe { byte_dot_avx2(a, b) };
        }
    }
    byte_dot_portable
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw")]
fn byte_dot_avx512(a: &[i8], b: &[i8]) -> i32 {
    use std::arch::x86_64::*;
    let (a_blocks, a_rest) = a.as_chunks::<32>();
    let (b_blocks, b_rest) = b.as_chunks::<32>();
    let mut sums = [_mm512_setzero_si512(); 2];
    for (index, (a, b)) in a_blocks.iter().zip(b_blocks).enumerate() {
        // SAFETY: a block has the 32 bytes that are read.
        let (a, b) = unsafe {
            (
                _mm256_loadu_si256(a.as_ptr().cast()),
                _mm256_loadu_si256(b.as_ptr().cast()),
            )
        };
        let products = _mm512_madd_epi16(_mm512_cvtepi8_epi16(a), _mm512_cvtepi8_epi16(b));
        let sum = &mut sums[index % 2];
        *sum = _mm512_add_epi32(*sum, products);
    }
    _mm512_reduce_add_epi32(_mm512_add_epi32(sums[0], sums[1])) + byte_dot_portable(a_rest, b_rest)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn byte_dot_avx2(a: &[i8], b: &[i8]) -> i32 {
    use std::arch::x86_64::*;
    let (a_blocks, a_rest) = a.as_chunks::<32>();
    let (b_blocks, b_rest) = b.as_chunks::<32>();
    let ones = _mm256_set1_epi16(1);
    let mut sums = [_mm256_setzero_si256(); 2];
    for (index, (a, b)) in a_blocks.iter().zip(b_blocks).enumerate() {
        // SAFETY: a block has the 32 bytes that are read.
        let (a, b) = unsafe {
            (
                _mm256_loadu_si256(a.as_ptr().cast()),
                _mm256_loadu_si256(b.as_ptr().cast()),
            )
        };
        // a·b is |a|·(b with a's sign), and pairs of such products fit 16 bits: 2·127² < 2¹⁵.
        let products = _mm256_maddubs_epi16(_mm256_abs_epi8(a), _mm256_sign_epi8(b, a));
        let sum = &mut sums[index % 2];
        *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(products, ones));
    }
    let sum = _mm256_add_epi32(sums[0], sums[1]);
    let mut lanes = [0i32; 8];
    // SAFETY: the array has the 32 bytes that are written.
    unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), sum) };
    lanes.iter().sum::<i32>() + byte_dot_portable(a_rest, b_rest)
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
fn byte_dot_portable(a: &[i8], b: &[i8]) -> i32 {
    use std::arch::wasm32::*;
    let (a_blocks, a_rest) = a.as_chunks::<16>();
    let (b_blocks, b_rest) = b.as_chunks::<16>();
    let mut sums = [i32x4_splat(0); 2];
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        // SAFETY: a block has the 16 bytes that are read, in two halves.
        let product = |half: usize| unsafe {
            i32x4_dot_i16x8(
                i16x8_load_extend_i8x8(a.as_ptr().add(half)),
                i16x8_load_extend_i8x8(b.as_ptr().add(half)),
            )
        };
        let (low, high) = (product(0), product(8));
        sums = [i32x4_add(sums[0], low), i32x4_add(sums[1], high)];
    }
    let sum = i32x4_add(sums[0], sums[1]);
    i32x4_extract_lane::<0>(sum)
        + i32x4_extract_lane::<1>(sum)
        + i32x4_extract_lane::<2>(sum)
        + i32x4_extract_lane::<3>(sum)
        + byte_dot_plain(a_rest, b_rest)
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline(always)]
fn byte_dot_portable(a: &[i8], b: &[i8]) -> i32 {
    byte_dot_plain(a, b)
}

#[inline(always)]
fn byte_dot_plain(a: &[i8], b: &[i8]) -> i32 {
    a.iter()
        .zip(b)
        .map(|(&a, &b)| i32::from(i16::from(a)) * i32::from(i16::from(b)))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_product_of_bytes_is_exact_at_every_length() {
        for length in [0, 1, 7, 15, 16, 17, 31, 32, 33, 63, 64, 100, 384, 1000] {
            let value = |seed: usize, i: usize| ((i * 37 + seed * 101) % 255) as i32 - 127;
            let a: Vec<i8> = (0..length).map(|i| value(1, i) as i8).collect();
            let b: Vec<i8> = (0..length).map(|i| value(2, i * i) as i8).collect();
            let expected: i64 = a
                .iter()
                .zip(&b)
                .map(|(&a, &b)| i64::from(a) * i64::from(b))
                .sum();
            assert_eq!(i64::from(byte_dot()(&a, &b)), expected, "length {length}");
            assert_eq!(
                i64::from(byte_dot_portable(&a, &b)),
                expected,
                "length {length}"
            );
            #[cfg(target_arch = "x86_64")]
            if std::arch::is_x86_feature_detected!("avx2") {
                // SAFETY: the processor has the instructions that the function is compiled for.
                assert_eq!(i64::from(unsafe { byte_dot_avx2(&a, &b) }), expected);
            }
            // The extremes do not overflow the pairs of 16 bits.
            let low = vec![-127i8; length];
            assert_eq!(byte_dot()(&low, &low), 127 * 127 * length as i32);
        }
    }

    #[test]
    fn products_of_floats_are_the_same_however_they_are_compiled() {
        for length in [0, 1, 31, 32, 33, 384] {
            let a: Vec<f32> = (0..length).map(|i| (i as f32 * 0.37).sin()).collect();
            let b: Vec<f32> = (0..length).map(|i| (i as f32 * 1.7).cos()).collect();
            let exact: f64 = a
                .iter()
                .zip(&b)
                .map(|(&a, &b)| f64::from(a) * f64::from(b))
                .sum();
            assert!((f64::from(dot(&a, &b)) - exact).abs() < 1e-4);
            assert_eq!(dot(&a, &b).to_bits(), dot_portable(&a, &b).to_bits());
        }
    }
}
