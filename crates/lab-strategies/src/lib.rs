//! The training strategies and the contract they share. A new strategy of the lab is a new file and one line
//! in [`Registry::default`]; one from outside is registered with [`Registry::add_strategy`].

mod asking;
mod data;
mod experiment;
mod learning;
mod preference;
#[cfg(test)]
mod prompt_tests;
mod rag;
mod run;
mod supervised;

pub use asking::answerer::Answerer;
pub use asking::answers::{answers, exact_match};
pub use asking::held_out::{HeldOut, HeldOutAnswer, held_out};
pub use burn::tensor::Device;
pub use data::{
    Conversation, Preference, PromptRow, Read, read_conversations, read_preferences, read_prompts,
};
pub use experiment::finished_run::FinishedRun;
pub use experiment::prepare::{PreparedRun, RunRecord, VERSION, check, prepare};
pub use experiment::registry::{Finished, Metric, Registry};
pub use lab_model::device;
pub use learning::step::{Evaluated, Portion, StepSettings, StepValues, train_step};
pub use learning::trainee::{Trainee, Updated};
pub use preference::dpo::DpoStrategy;
pub use preference::grpo::GrpoStrategy;
pub use preference::rlhf::RlhfStrategy;
pub use rag::embedders::{DecoderEmbedder, EncoderEmbedder, IndexEmbedder};
pub use rag::rag_strategy::RagStrategy;
pub use run::base::Base;
pub use run::commands::StopSignal;
pub use run::context::{Platform, RunContext, TrainingData};
pub use run::files::RunFiles;
pub use run::host::Host;
pub use run::learner::{Learned, Learner, Step};
pub use run::network::{HttpFailure, HttpRequest, HttpResponse, Network, Offline, Receive};
pub use run::prompts::Prompt;
pub use run::reward::{Answer, RewardFunction};
pub use run::sample::Sample;
pub use run::snapshot::Snapshot;
pub use run::strategy::{Answers, Strategy, read_config, resolved};
pub use supervised::fine_tuning::FineTuningStrategy;
pub use supervised::pretraining::PretrainingStrategy;
