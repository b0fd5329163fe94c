//! The language model: tokenizers, decoder, sampling, optimiser, kernels, formats. Does no I/O, spawns
//! no threads of its own and reads no clock.

pub use burn;

pub mod adapter;
pub mod chat;
pub mod corpus;
pub mod decoder;
pub mod device;
pub mod dropout;
pub mod encoder;
pub mod evaluate;
pub mod examples;
pub mod formats;
pub mod generate;
pub mod gradients;
pub mod kernels;
pub mod layers;
pub mod layout;
pub mod memory;
pub mod nf4;
pub mod optimizer;
pub mod parameters;
pub mod prompts;
pub mod random;
pub mod rl;
pub mod tokenizer;
