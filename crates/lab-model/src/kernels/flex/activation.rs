//! Activations and their derivatives, element by element.

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;

use super::super::backend::Activation;
use super::math::{map, normal, sigmoid, tanh, zip};
use super::tensors::{contiguous, tensor, values};

/// 1 / √(2π)
const DENSITY: f32 = 0.398_942_3;
/// √(2/π) and the cubic term of GPT-2's form
const ROOT: f32 = 0.797_884_6;
const CUBIC: f32 = 0.044_715;

fn unary(x: FlexTensor, f: impl Fn(f32) -> f32 + Sync) -> FlexTensor {
    let x = contiguous(x);
    tensor(map(values(&x), f), x.shape())
}

fn binary(x: FlexTensor, y: FlexTensor, f: impl Fn(f32, f32) -> f32 + Sync) -> FlexTensor {
    let (x, y) = (contiguous(x), contiguous(y));
    tensor(zip(values(&x), values(&y), f), x.shape())
}

pub fn forward(x: FlexTensor, kind: Activation) -> FlexTensor {
    match kind {
        Activation::Gelu => unary(x, |x| x * normal(x).0),
        Activation::GeluNew => unary(x, |x| {
            0.5 * x * (1.0 + tanh(ROOT * (x + CUBIC * x * x * x)))
        }),
        Activation::Relu => unary(x, |x| if x > 0.0 { x } else { 0.0 }),
    }
}

pub fn backward(x: FlexTensor, dy: FlexTensor, kind: Activation) -> FlexTensor {
    match kind {
        Activation::Gelu => binary(x, dy, |x, dy| {
            let (distribution, e) = normal(x);
            dy * (distribution + x * DENSITY * e)
        }),
        Activation::GeluNew => binary(x, dy, |x, dy| {
            let t = tanh(ROOT * (x + CUBIC * x * x * x));
            let slope = ROOT * (1.0 + 3.0 * CUBIC * x * x);
            dy * 0.5 * (1.0 + t + x * (1.0 - t * t) * slope)
        }),
        Activation::Relu => binary(x, dy, |x, dy| if x > 0.0 { dy } else { 0.0 }),
    }
}

pub fn swiglu(gate: FlexTensor, up: FlexTensor) -> FlexTensor {
    binary(gate, up, |gate, up| gate * sigmoid(gate) * up)
}

pub fn swiglu_backward(
    gate: FlexTensor,
    up: FlexTensor,
    dy: FlexTensor,
) -> (FlexTensor, FlexTensor) {
    let shape = gate.shape();
    let (gate, up, dy) = (contiguous(gate), contiguous(up), contiguous(dy));
    let (gate, up, dy) = (values(&gate), values(&up), values(&dy));
    let dup = zip(gate, dy, |gate, dy| dy * gate * sigmoid(gate));
    // The derivative of silu is s (1 + x (1 - s)), with s the sigmoid.
    let slope = zip(gate, up, |gate, up| {
        let s = sigmoid(gate);
        up * s * (1.0 + gate * (1.0 - s))
    });
    let dgate = zip(&slope, dy, |slope, dy| slope * dy);
    (tensor(dgate, shape.clone()), tensor(dup, shape))
}
