//! The built-in world: texts to train on, and the village.
//!
//! A [`Village`] is a small world in which everything is known. From a seed it makes text to pretrain
//! on, questions with answers, pairs of answers to compare and documents to search, and it says what
//! can be reached: the entropy of its language ([`Floor`]), what guessing brings ([`Baseline`]) and
//! what each strategy can know ([`Ceiling`]). [`score`] and its companions judge every strategy alike.
//!
//! ```
//! use lab_village::{Preset, Village, score};
//! let village = Village::preset(Preset::Hamlet, 7)?;
//! assert!(village.separation().violations.is_empty());
//! let answers: Vec<String> = village.questions.iter().map(|question| question.reference()).collect();
//! assert_eq!(score(&village.questions, &answers, 1)?.exact.value, 1.0);
//! # Ok::<(), lab_protocol::LabError>(())
//! ```
//!
//! The same settings give the same bytes natively and in wasm: random numbers are whole numbers of a
//! seeded generator with a stream for each purpose, logarithms are `libm`'s, and nothing depends on the
//! order of a hash table.

mod answers;
mod attribute;
mod baselines;
mod choices;
mod entropy;
mod export;
mod handout;
mod instructions;
mod library;
mod names;
mod preferences;
mod pretraining;
mod question;
mod random;
mod reading;
mod reward;
mod scoring;
mod separation;
mod settings;
mod statistics;
mod stories;
mod style;
mod texts;
mod village;
mod vocabulary;
mod windows;
mod words;
mod world;
mod writer;

pub use answers::{Fault, Verdict, answer_in, compare};
pub use attribute::Attribute;
pub use baselines::{Baseline, Ceiling};
pub use entropy::{Floor, exact_nats};
pub use export::VillageFile;
pub use instructions::Pair;
pub use library::{ANSWERS, Document, Library, RELATED, Relevance};
pub use names::Name;
pub use preferences::PreferencePair;
pub use pretraining::Pretraining;
pub use question::{Completion, I_DO_NOT_KNOW, Question, QuestionKind, prompt};
pub use reward::{LONG, Reward, SHORT, reward};
pub use scoring::{
    CompletionScore, Failure, LossScore, Refusals, Score, score, score_completions, score_loss,
};
pub use separation::Separation;
pub use settings::{Preset, VillageSettings};
pub use statistics::Estimate;
#[cfg(feature = "embedded")]
pub use texts::text;
pub use texts::{BuiltInText, texts, unknown_text};
pub use village::{Coverage, Village};
pub use vocabulary::{Vocabulary, tokens};
pub use windows::WINDOW;
pub use world::{Person, Shop, World};
