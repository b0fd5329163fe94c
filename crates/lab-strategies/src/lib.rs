//! The training strategies and the contract they share. A new strategy of the lab is a new file and one line
//! in [`Registry::default`]; one from outside is registered with [`Registry::add_strategy`].

mod asking;
mod examples;
mod experiment;
mod learning;
mod preference;
mod rag;
mod run;
mod supervised;

pub use asking::answerer::Answerer;
pub use asking::answers::{answers, exact_match};
pub use asking::held_out::{HeldOut, HeldOutAnswer, held_out};
pub use examples::{Conversation, Examples, preview, read_conversations};
pub use experiment::finished_run::FinishedRun;
pub use experiment::prepare::{PreparedRun, RunRecord, VERSION, check, prepare};
pub use experiment::registry::{Finished, Metric, Registry};
pub use lab_model::device;
pub use learning::base::Base;
pub use learning::step::{StepSettings, StepValues, train_step};
pub use preference::dpo::DpoStrategy;
pub use preference::grpo::GrpoStrategy;
pub use preference::rlhf::RlhfStrategy;
pub use preference::{read_preferences, read_prompts};
pub use rag::embedders::{DecoderEmbedder, EncoderEmbedder, IndexEmbedder};
pub use rag::rag_strategy::RagStrategy;
pub use run::context::{Control, Host, RunContext, TrainingData};
pub use run::network::{HttpFailure, HttpRequest, HttpResponse, Receive};
pub use run::reward::{Answer, RewardFunction};
pub use run::strategy::{Strategy, read_config};
pub use supervised::fine_tuning::FineTuningStrategy;
pub use supervised::pretraining::PretrainingStrategy;
