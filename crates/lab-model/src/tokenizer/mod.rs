//! Text to tokens and back: characters, bytes, and pieces of words (byte-pair encoding), trained here or read
//! from any Hugging Face `tokenizer.json`, and written as one.

mod byte_level;
mod kinds;
mod limits;
mod split;
mod stream;
mod subword;
#[cfg(test)]
mod tests;
mod training;
mod unreadable;

pub use kinds::Tokenizer;
pub use stream::TextStream;
pub use subword::Subword;
pub use training::{END_OF_TEXT, SMALLEST_VOCABULARY};
