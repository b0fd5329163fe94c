//! Tensors of the CPU as slices, and back.

use burn::backend::Flex;
use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::backend::ops::IntTensorOps;
use burn::tensor::{IntDType, Shape, TensorData};

/// The tensor with its elements in order; copied only if they are not.
pub fn contiguous(x: FlexTensor) -> FlexTensor {
    if x.is_contiguous() {
        x
    } else {
        x.to_contiguous()
    }
}

/// The elements of a tensor that [`contiguous`] gave.
pub fn values(x: &FlexTensor) -> &[f32] {
    x.as_slice().expect("a contiguous tensor of 32-bit floats")
}

/// The integers of a tensor, whatever their width.
pub fn integers(x: FlexTensor) -> Vec<i32> {
    let x = contiguous(Flex::int_cast(x, IntDType::I32));
    x.as_slice::<i32>()
        .expect("a contiguous tensor of 32-bit integers")
        .to_vec()
}

pub fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape.into()))
}

/// The last dimension.
pub fn width(x: &FlexTensor) -> usize {
    x.shape().last().copied().unwrap_or(1)
}

/// The shape with another last dimension.
pub fn with_width(shape: Shape, width: usize) -> Shape {
    let mut dims = shape.to_vec();
    if let Some(last) = dims.last_mut() {
        *last = width;
    }
    Shape::from(dims)
}
