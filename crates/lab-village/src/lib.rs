//! The built-in world: texts to train on, and the village.
//!
//! A [`Village`] is a small world in which everything is known. From a seed it makes text to pretrain
//! on, questions with answers, preferences and documents to search. It also gives the limits of every score:
//! the entropy of its language ([`Floor`]), the score of guessing ([`Baseline`]) and the best score of each
//! strategy ([`Ceiling`]). [`score`] and its companions score every strategy alike.
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

mod choices;
mod judging;
mod language;
mod output;
mod random;
mod tasks;
mod texts;
mod village;
mod world;

pub use judging::answers::{Fault, Verdict, answer_in, compare};
pub use judging::baselines::{Baseline, Ceiling};
pub use judging::scoring::{
    CompletionScore, Failure, LossScore, Refusals, Score, score, score_completions, score_loss,
};
pub use judging::separation::Separation;
pub use judging::statistics::Estimate;
pub use language::entropy::{Floor, exact_nats};
pub use language::pretraining::Pretraining;
pub use language::vocabulary::{Vocabulary, tokens};
pub use language::windows::WINDOW;
pub use output::export::VillageFile;
pub use tasks::instructions::Pair;
pub use tasks::library::{ANSWERS, Document, Library, RELATED, Relevance};
pub use tasks::preferences::PreferencePair;
pub use tasks::question::{Completion, I_DO_NOT_KNOW, Question, QuestionKind, prompt};
pub use tasks::reward::{LONG, Reward, SHORT, reward};
#[cfg(feature = "embedded")]
pub use texts::text;
pub use texts::{BuiltInText, texts, unknown_text};
pub use village::{Coverage, Village};
pub use world::attribute::Attribute;
pub use world::names::Name;
pub use world::people::{Person, Shop};
pub use world::population::World;
pub use world::settings::{Preset, VillageSettings};
