//! GGUF files (llama.cpp): metadata and tensors in one file.

mod file;
mod model;
mod tokenizer;

pub use model::{GgufModel, read_model, read_tensors};
