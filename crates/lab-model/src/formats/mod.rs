//! Models as files: an ordinary Hugging Face folder, and the state a run continues from.

mod base_model;
mod blocks;
mod checkpoint;
mod config;
mod end_tokens;
mod files;
mod folder;
mod gguf;
mod loader;
mod merged;
mod peft;
mod reader;
mod safetensors;
mod tensors;
mod weights;

pub use base_model::BaseModel;
pub use checkpoint::{CheckpointState, read_checkpoint, write_checkpoint};
pub use config::read_config;
pub use files::{ModelFiles, Subfolder};
pub use folder::{FolderContent, model_folder, write_folder};
pub use loader::WeightForm;
pub use peft::{adapter_folder, read_adapter};
pub use reader::ModelReader;
pub use tensors::WeightType;
pub use weights::{read_weights, rename_weights};
