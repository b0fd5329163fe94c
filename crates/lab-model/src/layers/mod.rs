//! The parts of a decoder: linear layers, low-rank adapters of them, norms, rotary positions.

mod linear;
mod lora;
mod low_rank;
mod norm;
mod rope;

pub use linear::{Linear, Weight};
pub use lora::LoraLinear;
pub use low_rank::{AdapterModule, LowRank};
pub use norm::Norm;
pub use rope::Rope;
