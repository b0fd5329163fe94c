//! The parts that every launch needs: contiguous inputs, memory for the output, the number of units.

use burn::backend::Cube;
use burn::backend::TensorMetadata;
use burn::backend::ops::IntTensorOps;
use burn::tensor::{DType, IntDType, Shape};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;

/// Units in a workgroup: one or two of a GPU's groups that run in step.
pub const UNITS: usize = 64;

/// The tensor with its elements in order; copied only if they are not.
pub fn contiguous(x: CubeTensor) -> CubeTensor {
    into_contiguous(x)
}

/// The numbers of an integer tensor as 32-bit ones, in order.
pub fn integers(x: CubeTensor) -> CubeTensor {
    contiguous(if x.dtype == DType::I32 {
        x
    } else {
        Cube::int_cast(x, IntDType::I32)
    })
}

/// A contiguous tensor beside `like`, its contents undefined.
pub fn empty(like: &CubeTensor, shape: impl Into<Shape>) -> CubeTensor {
    let (client, device) = (like.client.clone(), like.device.clone());
    empty_device_contiguous_dtype(client, device, shape.into(), DType::F32)
}

/// The last dimension.
pub fn width(x: &CubeTensor) -> usize {
    x.shape().last().copied().unwrap_or(1)
}

/// Number of rows: all dimensions but the last, multiplied.
pub fn rows(x: &CubeTensor) -> usize {
    x.shape().num_elements() / width(x)
}

/// The shape with another last dimension.
pub fn with_width(shape: Shape, width: usize) -> Shape {
    let mut dims = shape.to_vec();
    if let Some(last) = dims.last_mut() {
        *last = width;
    }
    Shape::from(dims)
}

/// Numbers that a unit reads at once, if runs of this length are contiguous.
pub fn vector(length: usize) -> usize {
    if length.is_multiple_of(4) { 4 } else { 1 }
}

/// Workgroups and their size, for this many units in a row.
pub fn units(x: &CubeTensor, count: usize) -> (CubeCount, CubeDim) {
    let dim = CubeDim::new_1d(UNITS as u32);
    (calculate_cube_count_elemwise(&x.client, count, dim), dim)
}
