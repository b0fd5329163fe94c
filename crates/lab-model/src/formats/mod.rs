//! Models as files: an ordinary Hugging Face folder, and the state a run continues from.

mod base_model;
mod checkpoint;
mod hugging_face;
mod peft;
mod safetensors;

pub use base_model::{BaseModel, ModelFiles};
pub use checkpoint::{CheckpointState, read_checkpoint, write_checkpoint};
pub(crate) use hugging_face::module_paths;
pub use hugging_face::{model_folder, read_config, read_weights, rename_weights};
pub use peft::{adapter_folder, read_adapter};
