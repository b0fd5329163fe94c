//! The compute kernels of the decoder: one function for each operation on tensors.
//!
//! All functions take and return burn tensors of 32-bit floats and are differentiable (except
//! [`global_norm`], [`clip_scale`] and [`adamw`], which the optimiser calls on tensors without
//! autodiff). Both backends, the CPU's ("Flex") and the GPU's ("Cube"), have a kernel for each; for
//! another number format or an empty tensor there is [`plain`], the same formulas written with
//! ordinary tensor operations.

mod adamw_step;
mod autodiff;
mod backend;
#[cfg(feature = "wgpu")]
mod cube;
mod decode;
mod dropout;
#[cfg(feature = "cpu")]
mod flex;
mod operations;
pub mod plain;

pub use adamw_step::{AdamWStep, CLIP_EPSILON};
pub use backend::{NF4_BLOCK, NF4_SCALES, Nf4Format};
pub use decode::{cached_attention, rotate_heads};
pub use dropout::AttentionDropout;
#[cfg(feature = "wgpu")]
pub use operations::prepare;
pub use operations::{
    adamw, attention, causal_softmax, clip_scale, cross_entropy, dequantize_nf4, embedding,
    entropy, gelu, gelu_new, global_norm, layer_norm, linear, linear_frozen, linear_nf4,
    linear_transposed, linear_transposed_frozen, matmul, relu, rms_norm, rope, self_attention,
    swiglu,
};
