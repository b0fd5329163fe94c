//! Activations, their derivatives, and rotary positions.

use burn::backend::TensorMetadata;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::super::backend::{Activation, Rotation};
use super::launch::{contiguous, empty, units, vector};

/// 1 / √(2π), √(2/π), and the cubic term of GPT-2's form.
const DENSITY: f32 = 0.398_942_3;
const ROOT: f32 = 0.797_884_6;
const CUBIC: f32 = 0.044_715;

/// The normal distribution function and `exp(-x²/2)` (Abramowitz and Stegun 7.1.26).
#[cube]
fn normal<N: Size>(x: Vector<f32, N>) -> (Vector<f32, N>, Vector<f32, N>) {
    let one = Vector::<f32, N>::new(1.0);
    let z = x.abs() * Vector::new(0.707_106_77f32);
    let t = one / (one + z * Vector::new(0.327_591_1f32));
    let e = (-z * z).exp();
    let p = t * Vector::new(1.061_405_4f32) - Vector::new(1.453_152_1f32);
    let p = t * p + Vector::new(1.421_413_8f32);
    let p = t * p - Vector::new(0.284_496_72f32);
    let p = t * p + Vector::new(0.254_829_6f32);
    let tail = t * p * e * Vector::new(0.5f32);
    let zero = Vector::<f32, N>::new(0.0);
    (select_many(x.less_than(&zero), tail, one - tail), e)
}

/// By exponentials: a shader's own `tanh` may overflow.
#[cube]
fn tanh<N: Size>(x: Vector<f32, N>) -> Vector<f32, N> {
    let one = Vector::<f32, N>::new(1.0);
    let two = Vector::<f32, N>::new(2.0);
    let limited = x.min(Vector::new(15.0f32)).max(Vector::new(-15.0f32));
    one - two / ((limited * two).exp() + one)
}

#[cube]
fn sigmoid<N: Size>(x: Vector<f32, N>) -> Vector<f32, N> {
    let one = Vector::<f32, N>::new(1.0);
    one / (one + (-x.max(Vector::new(-80.0f32))).exp())
}

#[cube(launch_unchecked)]
fn activate_kernel<N: Size>(
    x: &[Vector<f32, N>],
    y: &mut [Vector<f32, N>],
    count: usize,
    #[comptime] kind: Activation,
) {
    if ABSOLUTE_POS >= count {
        terminate!();
    }
    let v = x[ABSOLUTE_POS];
    y[ABSOLUTE_POS] = match comptime!(kind) {
        Activation::Gelu => {
            let (distribution, _) = normal::<N>(v);
            v * distribution
        }
        Activation::GeluNew => {
            let inner = (v + v * v * v * Vector::new(CUBIC)) * Vector::new(ROOT);
            v * (tanh::<N>(inner) + Vector::new(1.0f32)) * Vector::new(0.5f32)
        }
        Activation::Relu => v.max(Vector::new(0.0f32)),
    };
}

pub fn activate(x: CubeTensor, kind: Activation) -> CubeTensor {
    let x = contiguous(x);
    let (y, length) = (empty(&x, x.shape()), x.shape().num_elements());
    let n = vector(length);
    let (count, dim) = units(&x, length / n);
    let client = x.client.clone();
    // SAFETY: units beyond the last element end at once.
    unsafe {
        activate_kernel::launch_unchecked(
            &client,
            count,
            dim,
            n,
            x.into_buffer_arg(),
            y.clone().into_buffer_arg(),
            length / n,
            kind,
        );
    }
    y
}

#[cube(launch_unchecked)]
fn activate_backward_kernel<N: Size>(
    x: &[Vector<f32, N>],
    dy: &[Vector<f32, N>],
    dx: &mut [Vector<f32, N>],
    count: usize,
    #[comptime] kind: Activation,
) {
    if ABSOLUTE_POS >= count {
        terminate!();
    }
    let v = x[ABSOLUTE_POS];
    let one = Vector::<f32, N>::new(1.0);
    let slope = match comptime!(kind) {
        Activation::Gelu => {
            let (distribution, e) = normal::<N>(v);
            distribution + v * e * Vector::new(DENSITY)
        }
        Activation::GeluNew => {
            let t = tanh::<N>((v + v * v * v * Vector::new(CUBIC)) * Vector::new(ROOT));
            let inner = (one + v * v * Vector::new(3.0f32 * CUBIC)) * Vector::new(ROOT);
            (one + t + v * (one - t * t) * inner) * Vector::new(0.5f32)
        }
        Activation::Relu => {
            let zero = Vector::<f32, N>::new(0.0);
            select_many(v.greater_than(&zero), one, zero)
        }
    };
    dx[ABSOLUTE_POS] = slope * dy[ABSOLUTE_POS];
}

pub fn activate_backward(x: CubeTensor, dy: CubeTensor, kind: Activation) -> CubeTensor {
    let (x, dy) = (contiguous(x), contiguous(dy));
    let (dx, length) = (empty(&x, x.shape()), x.shape().num_elements());
    let n = vector(length);
    let (count, dim) = units(&x, length / n);
    let client = x.client.clone();
    // SAFETY: units beyond the last element end at once.
    unsafe {
        activate_backward_kernel::launch_unchecked(
            &client,
            count,
            dim,
            n,
            x.into_buffer_arg(),
            dy.into_buffer_arg(),
            dx.clone().into_buffer_arg(),
            length / n,
            kind,
        );
    }
    dx
}

#[cube(launch_unchecked)]
fn swiglu_kernel<N: Size>(
    gate: &[Vector<f32, N>],
    up: &[Vector<f32, N>],
    y: &mut [Vector<f32, N>],
    count: usize,
) {
    if ABSOLUTE_POS >= count {
        terminate!();
    }
    let g = gate[ABSOLUTE_POS];
    y[ABSOLUTE_POS] = g * sigmoid::<N>(g) * up[ABSOLUTE_POS];
}

pub fn swiglu(gate: CubeTensor, up: CubeTensor) -> CubeTensor {
    let (gate, up) = (contiguous(gate), contiguous(up));
    let (y, length) = (empty(&gate, gate.shape()), gate.shape().num_elements());
    let n = vector(length);
    let (count, dim) = units(&gate, length / n);
    let client = gate.client.clone();
    // SAFETY: units beyond the last element end at once.
    unsafe {
        swiglu_kernel::launch_unchecked(
            &client,
            count,
            dim,
            n,
            gate.into_buffer_arg(),
            up.into_buffer_arg(),
            y.clone().into_buffer_arg(),
            length / n,
        );
    }
    y
}

#[cube(launch_unchecked)]
fn swiglu_backward_kernel<N: Size>(
    gate: &[Vector<f32, N>],
    up: &[Vector<f32, N>],
    dy: &[Vector<f32, N>],
    dgate: &mut [Vector<f32, N>],
    dup: &mut [Vector<f32, N>],
    count: usize,
) {
    if ABSOLUTE_POS >= count {
        terminate!();
    }
    let g = gate[ABSOLUTE_POS];
    let d = dy[ABSOLUTE_POS];
    let s = sigmoid::<N>(g);
    let one = Vector::<f32, N>::new(1.0);
    dup[ABSOLUTE_POS] = d * g * s;
    dgate[ABSOLUTE_POS] = d * up[ABSOLUTE_POS] * s * (one + g * (one - s));
}

pub fn swiglu_backward(
    gate: CubeTensor,
    up: CubeTensor,
    dy: CubeTensor,
) -> (CubeTensor, CubeTensor) {
    let (gate, up, dy) = (contiguous(gate), contiguous(up), contiguous(dy));
    let (dgate, dup) = (empty(&gate, gate.shape()), empty(&gate, gate.shape()));
    let length = gate.shape().num_elements();
    let n = vector(length);
    let (count, dim) = units(&gate, length / n);
    let client = gate.client.clone();
    // SAFETY: units beyond the last element end at once.
    unsafe {
        swiglu_backward_kernel::launch_unchecked(
            &client,
            count,
            dim,
            n,
            gate.into_buffer_arg(),
            up.into_buffer_arg(),
            dy.into_buffer_arg(),
            dgate.clone().into_buffer_arg(),
            dup.clone().into_buffer_arg(),
            length / n,
        );
    }
    (dgate, dup)
}

/// One unit turns a vector of numbers of the lower half and its partner in the upper half.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
fn rotate_kernel<N: Size>(
    x: &[Vector<f32, N>],
    cos: &[Vector<f32, N>],
    sin: &[Vector<f32, N>],
    y: &mut [Vector<f32, N>],
    count: usize,
    half: usize,
    time: usize,
    vectors: usize,
    turned: usize,
    sign: f32,
) {
    if ABSOLUTE_POS >= count {
        terminate!();
    }
    let which = ABSOLUTE_POS / half;
    let at = ABSOLUTE_POS % half;
    let low_at = which * 2 * half + at;
    let low = x[low_at];
    let high = x[low_at + half];
    if which % vectors < turned {
        let angle = which / vectors % time * half + at;
        let c = cos[angle];
        let s = sin[angle] * Vector::new(sign);
        y[low_at] = low * c - high * s;
        y[low_at + half] = high * c + low * s;
    } else {
        y[low_at] = low;
        y[low_at + half] = high;
    }
}

pub fn rotate(x: CubeTensor, cos: CubeTensor, sin: CubeTensor, rotation: Rotation) -> CubeTensor {
    let (x, cos, sin) = (contiguous(x), contiguous(cos), contiguous(sin));
    let y = empty(&x, x.shape());
    let n = vector(rotation.width / 2);
    let half = rotation.width / 2 / n;
    let pairs = x.shape().num_elements() / 2 / n;
    let (count, dim) = units(&x, pairs);
    let client = x.client.clone();
    // SAFETY: units beyond the last pair end at once; the tables have `time` rows or more.
    unsafe {
        rotate_kernel::launch_unchecked(
            &client,
            count,
            dim,
            n,
            x.into_buffer_arg(),
            cos.into_buffer_arg(),
            sin.into_buffer_arg(),
            y.clone().into_buffer_arg(),
            pairs,
            half,
            rotation.time,
            rotation.vectors,
            rotation.turned,
            if rotation.inverse { -1.0 } else { 1.0 },
        );
    }
    y
}
