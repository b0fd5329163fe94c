//! The global norm of the gradients, its clipping factor, and AdamW's update.

use burn::backend::TensorMetadata;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::super::adamw_step::{AdamWStep, CLIP_EPSILON};
use super::launch::{UNITS, contiguous, empty, units, vector};

/// Number of tensors that one launch reads: a shader may bind eight buffers in all.
const TENSORS: usize = 4;
/// Number of elements after which another workgroup helps with a tensor.
const SHARE: usize = 64 * UNITS;
const MAX_GROUPS: usize = 64;

/// The bits of a float's exponent; all of them are set in infinities and NaN. Shader compilers may assume that
/// neither occurs, so the kernels test the bits instead of the value.
const EXPONENT: u32 = 0x7f80_0000;

#[cube]
fn is_finite(x: f32) -> bool {
    u32::reinterpret(x) & EXPONENT != EXPONENT
}

/// The sum of the squares of every `step`th element from `first` on.
#[cube]
fn squares(x: &[f32], length: usize, first: usize, step: usize) -> f32 {
    let mut sum = 0.0f32;
    let mut i = first;
    while i < length {
        sum += x[i] * x[i];
        i += step;
    }
    sum
}

/// The sum over a whole workgroup, for its first unit.
#[cube]
fn group_sum(value: f32) -> f32 {
    let mut shared = Shared::<[f32]>::new_slice(UNITS);
    let unit = UNIT_POS as usize;
    shared[unit] = value;
    sync_cube();
    let mut total = 0.0f32;
    if unit == 0 {
        for i in 0..UNITS {
            total += shared[i];
        }
    }
    total
}

/// Workgroup `(x, y)` sums its share `x` of tensor `y`.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
fn squares_kernel(
    a: &[f32],
    b: &[f32],
    c: &[f32],
    d: &[f32],
    sums: &mut [f32],
    len_a: usize,
    len_b: usize,
    len_c: usize,
    len_d: usize,
    from: usize,
) {
    let groups = CUBE_COUNT_X as usize;
    let first = CUBE_POS_X as usize * UNITS + UNIT_POS as usize;
    let step = groups * UNITS;
    let sum = if CUBE_POS_Y == 0 {
        squares(a, len_a, first, step)
    } else if CUBE_POS_Y == 1 {
        squares(b, len_b, first, step)
    } else if CUBE_POS_Y == 2 {
        squares(c, len_c, first, step)
    } else {
        squares(d, len_d, first, step)
    };
    let total = group_sum(sum);
    if UNIT_POS == 0 {
        sums[from + CUBE_POS_Y as usize * groups + CUBE_POS_X as usize] = total;
    }
}

#[cube(launch_unchecked)]
fn norm_kernel(sums: &[f32], norm: &mut [f32], length: usize) {
    let mut sum = 0.0f32;
    let mut i = UNIT_POS as usize;
    while i < length {
        sum += sums[i];
        i += UNITS;
    }
    let total = group_sum(sum);
    if UNIT_POS == 0 {
        let mut root = total;
        if is_finite(total) {
            root = total.sqrt();
        }
        norm[0] = root;
    }
}

pub fn global_norm(tensors: Vec<CubeTensor>) -> CubeTensor {
    let tensors: Vec<CubeTensor> = tensors.into_iter().map(contiguous).collect();
    let length = |x: &CubeTensor| x.shape().num_elements();
    let groups = |few: &[CubeTensor]| {
        let longest = few.iter().map(length).max().unwrap_or(0);
        longest.div_ceil(SHARE).clamp(1, MAX_GROUPS)
    };
    let total: usize = tensors
        .chunks(TENSORS)
        .map(|few| groups(few) * TENSORS)
        .sum();
    let sums = empty(&tensors[0], [total]);
    let (client, dim) = (sums.client.clone(), CubeDim::new_1d(UNITS as u32));
    let mut from = 0;
    for few in tensors.chunks(TENSORS) {
        let groups = groups(few);
        let count = CubeCount::Static(groups as u32, TENSORS as u32, 1);
        // A missing tensor has no elements; its memory is bound to nothing else.
        let tensor = |i: usize| few.get(i).cloned().unwrap_or_else(|| empty(&sums, [4]));
        let len = |i: usize| few.get(i).map_or(0, length);
        // SAFETY: nothing is read beyond the lengths, nothing written beyond `total`.
        unsafe {
            squares_kernel::launch_unchecked(
                &client,
                count,
                dim,
                tensor(0).into_buffer_arg(),
                tensor(1).into_buffer_arg(),
                tensor(2).into_buffer_arg(),
                tensor(3).into_buffer_arg(),
                sums.clone().into_buffer_arg(),
                len(0),
                len(1),
                len(2),
                len(3),
                from,
            );
        }
        from += groups * TENSORS;
    }
    let norm = empty(&sums, [1]);
    // SAFETY: reads `total` sums, writes one number.
    unsafe {
        norm_kernel::launch_unchecked(
            &client,
            CubeCount::Static(1, 1, 1),
            dim,
            sums.into_buffer_arg(),
            norm.clone().into_buffer_arg(),
            total,
        );
    }
    norm
}

#[cube(launch_unchecked)]
fn clip_kernel(norm: &[f32], scale: &mut [f32], max_norm: f32, epsilon: f32) {
    if UNIT_POS == 0 {
        let mut factor = f32::new(-1.0);
        if is_finite(norm[0]) {
            factor = 1.0f32;
            if max_norm > 0.0 {
                factor = factor.min(max_norm / (norm[0] + epsilon));
            }
        }
        scale[0] = factor;
    }
}

pub fn clip_scale(norm: CubeTensor, max_norm: f32) -> CubeTensor {
    let (client, scale) = (norm.client.clone(), empty(&norm, [1]));
    // SAFETY: reads and writes one number.
    unsafe {
        clip_kernel::launch_unchecked(
            &client,
            CubeCount::Static(1, 1, 1),
            CubeDim::new_1d(1),
            norm.into_buffer_arg(),
            scale.clone().into_buffer_arg(),
            max_norm,
            CLIP_EPSILON as f32,
        );
    }
    scale
}

#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
fn adamw_kernel<N: Size>(
    grad: &[Vector<f32, N>],
    clip: &[f32],
    param: &mut [Vector<f32, N>],
    m: &mut [Vector<f32, N>],
    v: &mut [Vector<f32, N>],
    count: usize,
    beta1: f32,
    beta2: f32,
    rest1: f32,
    rest2: f32,
    rate: f32,
    root: f32,
    keep: f32,
    epsilon: f32,
) {
    let scale = clip[0];
    if ABSOLUTE_POS >= count || scale < 0.0 || !is_finite(scale) {
        terminate!();
    }
    let raw = grad[ABSOLUTE_POS];
    let exponent = Vector::<u32, N>::new(EXPONENT);
    let bits = Vector::<u32, N>::reinterpret(raw) & exponent;
    let usable = bits.not_equal(&exponent);
    let g = raw * Vector::new(scale);
    let old_p = param[ABSOLUTE_POS];
    let old_m = m[ABSOLUTE_POS];
    let old_v = v[ABSOLUTE_POS];
    let new_m = old_m * Vector::new(beta1) + g * Vector::new(rest1);
    let new_v = old_v * Vector::new(beta2) + g * g * Vector::new(rest2);
    let under = new_v.sqrt() * Vector::new(root) + Vector::new(epsilon);
    let new_p = old_p * Vector::new(keep) - new_m * Vector::new(rate) / under;
    param[ABSOLUTE_POS] = select_many(usable, new_p, old_p);
    m[ABSOLUTE_POS] = select_many(usable, new_m, old_m);
    v[ABSOLUTE_POS] = select_many(usable, new_v, old_v);
}

pub fn adamw(
    param: CubeTensor,
    grad: CubeTensor,
    m: CubeTensor,
    v: CubeTensor,
    h: AdamWStep,
    clip_scale: CubeTensor,
) -> (CubeTensor, CubeTensor, CubeTensor) {
    let (param, m, v) = (own(param), own(m), own(v));
    let (grad, length) = (contiguous(grad), param.shape().num_elements());
    let n = vector(length);
    let (count, dim) = units(&param, length / n);
    let (correction1, correction2) = h.corrections();
    let client = param.client.clone();
    // SAFETY: units beyond the last element end at once.
    unsafe {
        adamw_kernel::launch_unchecked(
            &client,
            count,
            dim,
            n,
            grad.into_buffer_arg(),
            clip_scale.into_buffer_arg(),
            param.clone().into_buffer_arg(),
            m.clone().into_buffer_arg(),
            v.clone().into_buffer_arg(),
            length / n,
            h.beta1 as f32,
            h.beta2 as f32,
            (1.0 - h.beta1) as f32,
            (1.0 - h.beta2) as f32,
            (h.learning_rate / correction1) as f32,
            (1.0 / correction2.sqrt()) as f32,
            (1.0 - h.learning_rate * h.weight_decay) as f32,
            h.epsilon as f32,
        );
    }
    (param, m, v)
}

/// A contiguous tensor that nothing else uses, for changes in place.
pub fn own(x: CubeTensor) -> CubeTensor {
    let x = contiguous(x);
    if x.can_mut() { x } else { x.copy() }
}
