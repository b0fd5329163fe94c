//! Low-rank adapters on a frozen model: LoRA (Hu et al. 2021), rsLoRA (Kalajdzievski 2023) and DoRA (Liu et al.
//! 2024). Gradients take the low-rank path only: the gradient of a frozen weight is never computed.

mod decoder;
mod host;

pub use crate::layers::AdapterModule;
pub use host::Adapter;
