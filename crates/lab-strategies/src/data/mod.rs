//! A user's rows as conversations, preferences and prompts, and their split into training and held-out rows.

mod conversations;
mod json;
mod messages;
mod preferences;
mod rows;
mod split;

pub use conversations::{Conversation, read_conversations};
pub use preferences::{Preference, PromptRow, read_preferences, read_prompts};
pub use rows::{Read, Skipped};
pub(crate) use split::{Split, split};
