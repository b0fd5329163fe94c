//! Arithmetic on slices, written so that the compiler vectorises it: sums in eight independent lanes,
//! and functions without branches.

/// Independent partial sums; a power of two that fills two registers of four or one of eight.
const LANES: usize = 8;

/// Runs `f` compiled for the widest vectors of this processor. In a browser the width is fixed when the program is
/// built.
#[inline]
pub fn vectorised<R>(f: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,fma")]
        fn wide<R>(f: impl FnOnce() -> R) -> R {
            f()
        }
        if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
            // SAFETY: the processor has these instructions, as checked above.
            return unsafe { wide(f) };
        }
    }
    f()
}

/// Adds up `f(i)` for all `i` below `length`.
#[inline(always)]
fn lanes(length: usize, f: impl Fn(usize) -> f32) -> f32 {
    let mut sums = [0.0f32; LANES];
    let whole = length / LANES * LANES;
    let mut start = 0;
    while start < whole {
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum += f(start + lane);
        }
        start += LANES;
    }
    let mut total = 0.0;
    for i in whole..length {
        total += f(i);
    }
    for sum in sums {
        total += sum;
    }
    total
}

#[inline(always)]
pub fn sum(x: &[f32]) -> f32 {
    lanes(x.len(), |i| x[i])
}

#[inline(always)]
pub fn dot(x: &[f32], y: &[f32]) -> f32 {
    let y = &y[..x.len()];
    lanes(x.len(), |i| x[i] * y[i])
}

/// Sum of the squares of the distances from `centre`.
#[inline(always)]
pub fn squares(x: &[f32], centre: f32) -> f32 {
    lanes(x.len(), |i| (x[i] - centre) * (x[i] - centre))
}

#[inline(always)]
pub fn maximum(x: &[f32]) -> f32 {
    let mut best = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for (best, value) in best.iter_mut().zip(chunk) {
            *best = if *value > *best { *value } else { *best };
        }
    }
    best.iter()
        .chain(rest)
        .fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a })
}

/// `e^x` to about one unit in the last place: 2 to a whole power times a polynomial (the coefficients
/// of Cephes' `expf`). Below -87 it gives nearly 0, above 88 nearly infinity; NaN stays NaN.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // Adding and subtracting 1.5 · 2²³ rounds to a whole number.
    const ROUND: f32 = 12_582_912.0;
    let limited = if x > -87.33 { x } else { -87.33 };
    let limited = if limited < 88.37 { limited } else { 88.37 };
    let power = (limited * std::f32::consts::LOG2_E + ROUND) - ROUND;
    let r = limited - power * 0.693_359_4 - power * -2.121_944_4e-4;
    let mut p = 1.987_569_2e-4;
    p = p * r + 1.398_199_9e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 5e-1;
    let p = p * r * r + r + 1.0;
    // The limits above keep the exponent within its eight bits.
    let two = f32::from_bits(((power as i32 + 127) << 23) as u32);
    if x.is_nan() { x } else { p * two }
}

/// `exp(x - shift)` of each element into `out`; gives their sum.
#[inline(always)]
pub fn exp_into(out: &mut [f32], x: &[f32], shift: f32) -> f32 {
    for (out, x) in out.iter_mut().zip(x) {
        *out = exp(*x - shift);
    }
    sum(out)
}

#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (exp(2.0 * x) + 1.0)
}

/// The normal distribution function and `exp(-x²/2)`, a by-product of its formula (Abramowitz and Stegun 7.1.26,
/// absolute error below 8e-8).
#[inline(always)]
pub fn normal(x: f32) -> (f32, f32) {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let e = exp(-z * z);
    let p = ((((1.061_405_4 * t - 1.453_152_1) * t + 1.421_413_8) * t - 0.284_496_72) * t
        + 0.254_829_6)
        * t;
    let tail = 0.5 * p * e;
    (if x < 0.0 { tail } else { 1.0 - tail }, e)
}

/// Fewer elements than this stay on one thread.
#[cfg(feature = "rayon")]
const PARALLEL: usize = 1 << 15;

/// Calls `f(first_row, rows)` for pieces of `out`, each a whole number of rows of `width` elements.
pub fn for_rows(out: &mut [f32], width: usize, f: impl Fn(usize, &mut [f32]) + Sync) {
    #[cfg(feature = "rayon")]
    if out.len() >= PARALLEL {
        use rayon::prelude::*;
        let rows = (PARALLEL / 4).div_ceil(width.max(1));
        out.par_chunks_mut(rows * width)
            .enumerate()
            .for_each(|(piece, out)| vectorised(|| f(piece * rows, out)));
        return;
    }
    #[cfg(not(feature = "rayon"))]
    let _ = width;
    if !out.is_empty() {
        vectorised(|| f(0, out));
    }
}

/// Fills `[rows, width]` by `f(row, out)`.
pub fn by_row(rows: usize, width: usize, f: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
    let mut out = vec![0.0; rows * width];
    for_rows(&mut out, width, |first, out| {
        for (row, out) in out.chunks_exact_mut(width).enumerate() {
            f(first + row, out);
        }
    });
    out
}

/// `f` of each element of one tensor.
pub fn map(x: &[f32], f: impl Fn(f32) -> f32 + Sync) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    for_rows(&mut out, 1, |first, out| {
        for (out, x) in out.iter_mut().zip(&x[first..]) {
            *out = f(*x);
        }
    });
    out
}

/// `f` of each pair of elements.
pub fn zip(x: &[f32], y: &[f32], f: impl Fn(f32, f32) -> f32 + Sync) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    for_rows(&mut out, 1, |first, out| {
        for ((out, x), y) in out.iter_mut().zip(&x[first..]).zip(&y[first..]) {
            *out = f(*x, *y);
        }
    });
    out
}
