//! Models as files: an ordinary Hugging Face folder, and the state a run continues from.

mod base_model;
mod blocks;
mod checkpoint;
mod config;
mod folder;
mod gguf;
mod layout;
mod peft;
mod safetensors;
mod tensors;
mod weights;

pub use base_model::{BaseModel, ModelFiles};
pub use checkpoint::{CheckpointState, read_checkpoint, write_checkpoint};
pub use config::read_config;
pub use folder::{FolderContent, model_folder, write_folder};
pub(crate) use layout::module_paths;
pub use layout::weight_shapes;
pub use peft::{adapter_folder, read_adapter};
pub use tensors::WeightType;
pub use weights::{read_weights, rename_weights};
