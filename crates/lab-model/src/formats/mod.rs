//! Models as files: an ordinary Hugging Face folder, and the state a run continues from.

mod checkpoint;
mod hugging_face;
mod safetensors;

pub use checkpoint::{CheckpointState, read_checkpoint, write_checkpoint};
pub use hugging_face::{model_folder, read_config, read_weights, rename_weights};
