//! A decoder-only transformer: GPT-2's and Llama's families and what lies between, by configuration.

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
