//! A decoder-only transformer, by configuration: GPT-2's and Llama's families, and mixtures of both.

mod block;
mod build;
mod cache;
mod network;
mod packed;
mod quantized;

pub use block::Block;
pub use build::WeightSource;
pub use cache::KvCache;
pub use network::Decoder;
pub use packed::Packing;
pub(crate) use quantized::quantize;
