use crate::{
    ABOVE_ZERO, BackendChoice, ExamplePreview, ExperimentConfig, Grounds, LabError, MetricInfo,
    ModelFile, RunResult, Secret, Settings, SkippedRows, UsedPassage, VectorMap,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A request of the page (or a script) to the worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Starts `strategy` of the experiment as run `run`. `text` is the training text, empty for the
    /// village; `base` are the files of the run that the strategy starts from, if it names one;
    /// `checkpoint`, if there, is a state that an earlier run reported and that this one continues from;
    /// `key` is for the endpoint that the strategy asks, if it needs one.
    Start {
        run: String,
        experiment: ExperimentConfig,
        strategy: String,
        #[serde(default)]
        text: String,
        #[serde(default)]
        base: Vec<ModelFile>,
        #[serde(default, with = "serde_bytes")]
        checkpoint: Option<Vec<u8>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Secret>,
    },
    /// Holds the run before its next step.
    Pause {
        run: String,
    },
    Resume {
        run: String,
    },
    /// Executes one step of a paused run and pauses again.
    Step {
        run: String,
    },
    /// Asks for a checkpoint event as soon as the current step is done.
    Checkpoint {
        run: String,
    },
    /// Ends the run after the current step; its results so far are kept.
    Stop {
        run: String,
    },
    /// Writes a continuation of `prompt` with the run's current model; answered by a sample event.
    Generate {
        run: String,
        request: GenerateRequest,
    },
    /// Asks a finished run with the files `base`, under an id of its own; answered by an answer event, and ended
    /// early by a stop.
    Ask {
        run: String,
        experiment: ExperimentConfig,
        strategy: String,
        base: Vec<ModelFile>,
        prompt: String,
    },
    /// Has the model of such a run continue `request.prompt`; answered by an answer event, and cut short by a stop.
    Write {
        run: String,
        experiment: ExperimentConfig,
        strategy: String,
        base: Vec<ModelFile>,
        request: GenerateRequest,
    },
    /// Searches the index of such a run; answered by a passages event.
    Retrieve {
        run: String,
        experiment: ExperimentConfig,
        strategy: String,
        base: Vec<ModelFile>,
        query: String,
        /// Passages to find, at most.
        passages: usize,
    },
    /// Draws two different answers of a finished run's model, for a person to vote on; answered by a vote event.
    Vote {
        run: String,
        experiment: ExperimentConfig,
        strategy: String,
        base: Vec<ModelFile>,
        prompt: String,
        /// Another seed gives other answers.
        seed: u64,
    },
}

impl Command {
    pub fn run(&self) -> &str {
        match self {
            Command::Start { run, .. }
            | Command::Pause { run }
            | Command::Resume { run }
            | Command::Step { run }
            | Command::Checkpoint { run }
            | Command::Stop { run }
            | Command::Generate { run, .. }
            | Command::Ask { run, .. }
            | Command::Write { run, .. }
            | Command::Retrieve { run, .. }
            | Command::Vote { run, .. } => run,
        }
    }
}

/// Settings of a text to write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Settings)]
#[serde(default, deny_unknown_fields)]
#[settings(check = Self::can_stop)]
pub struct GenerateRequest {
    /// Text that is continued.
    pub prompt: String,
    /// Maximum number of tokens to write.
    ///
    /// The limit is higher than any context; a typing error would otherwise be written for hours.
    #[setting(range = 0..=1_000_000, default = 200, unit = "tokens")]
    pub max_tokens: usize,
    /// 0 takes the likeliest token every time; 1 is the model's own distribution.
    #[setting(range = 0.0..=100.0, default = 0.8)]
    pub temperature: f64,
    /// Only this many of the likeliest tokens may be drawn; 0 is all.
    #[setting(range = 0..)]
    pub top_k: usize,
    /// Only the likeliest tokens that together have this probability may be drawn; 1 is all.
    #[setting(range = ABOVE_ZERO..=1.0, default = 1.0)]
    pub top_p: f64,
    /// Only tokens with at least this share of the likeliest one's probability may be drawn; 0 is all.
    #[setting(range = 0.0..=1.0)]
    pub min_p: f64,
    /// Above 1, tokens that are already in the text become less likely.
    #[setting(range = ABOVE_ZERO..=100.0, default = 1.0)]
    pub repetition_penalty: f64,
    /// The text ends before any of these.
    pub stop: Vec<String>,
    /// Decides the draws.
    #[setting(range = 0..)]
    pub seed: u64,
}

impl GenerateRequest {
    fn can_stop(&self) -> Result<(), LabError> {
        match self.stop.iter().position(String::is_empty) {
            None => Ok(()),
            Some(place) => Err(LabError::config(
                &format!("stop[{place}]"),
                "a stop string is empty",
                "Leave it out.",
            )),
        }
    }
}

/// A report of the worker. Every event of a run carries its id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The worker has a device and takes commands.
    Ready(DeviceInfo),
    Started {
        run: String,
        info: RunInfo,
    },
    /// One record for each step since the last such event.
    Metrics {
        run: String,
        records: Vec<MetricRecord>,
    },
    Sample {
        run: String,
        step: usize,
        prompt: String,
        text: String,
        /// The reward of the text, if there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reward: Option<f64>,
        /// The passages that it was written from, if it answers from documents.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        grounds: Option<Grounds>,
    },
    /// The text so far of an answer; a sample follows when it is complete.
    Writing {
        run: String,
        prompt: String,
        text: String,
    },
    /// The index that the run has made, in two dimensions.
    Map {
        run: String,
        map: VectorMap,
    },
    /// The answer of a finished run; `None` if it was stopped before, or cannot be asked.
    Answer {
        run: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    /// The passages that a search in the index of a finished run found, the best first.
    Passages {
        run: String,
        passages: Vec<UsedPassage>,
    },
    /// Two answers to vote on, and the prompt as the model read it.
    Vote {
        run: String,
        prompt: String,
        answers: [String; 2],
    },
    Progress {
        run: String,
        progress: Progress,
    },
    /// A state from which the run can be continued (`Command::Start`), as one safetensors file.
    Checkpoint {
        run: String,
        step: usize,
        #[serde(with = "serde_bytes")]
        state: Vec<u8>,
    },
    Paused {
        run: String,
        step: usize,
    },
    Resumed {
        run: String,
        step: usize,
    },
    Finished {
        run: String,
        result: RunResult,
    },
    /// The run ended with an error; without a run, the worker itself did.
    Failed {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<String>,
        error: LabError,
    },
    Log {
        level: LogLevel,
        message: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    Info,
    Warning,
}

/// The device that computes, and the reason for its choice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceInfo {
    /// `Cpu` or `Wgpu`, never `Auto`.
    pub backend: BackendChoice,
    /// The adapter's own description, or the CPU's abilities, e.g. `SIMD`.
    pub name: String,
    /// The reason for this device, in a sentence: requested, best available, or the fault of a better one.
    pub reason: String,
    /// Version of LLM Labs.
    pub version: String,
}

/// A run's description at its start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    pub strategy: String,
    /// The strategy's configuration with every default filled in.
    pub config: serde_json::Value,
    pub steps: usize,
    /// Step the run continues after; 0 for a new one.
    pub first_step: usize,
    pub parameters: usize,
    pub vocabulary: usize,
    pub training_tokens: usize,
    pub validation_tokens: usize,
    pub tokens_per_step: usize,
    /// The first examples, if only a part of each is learned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<ExamplePreview>,
    /// Rows of the data that were left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped_rows: Option<SkippedRows>,
    /// Metrics of the run that the lab does not declare.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<MetricInfo>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    pub step: usize,
    pub steps: usize,
    /// Over the last steps, without pauses.
    pub tokens_per_second: f64,
    /// An estimate from the last steps.
    pub seconds_left: f64,
}

/// The values of one step; one line of `metrics.jsonl`. A step may have a second record with the values of an
/// evaluation after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricRecord {
    pub run: String,
    pub strategy: String,
    pub step: usize,
    /// Milliseconds since 1970-01-01 UTC.
    pub timestamp: u64,
    pub values: BTreeMap<String, f64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_back_from_json_to_the_last_bit(value in any::<f64>().prop_filter("finite", |value| value.is_finite())) {
            let record = MetricRecord {
                run: "1".into(),
                strategy: "pretraining".into(),
                step: 1,
                timestamp: 0,
                values: BTreeMap::from([("loss".to_owned(), value)]),
            };
            let text = serde_json::to_string(&record).unwrap();
            prop_assert_eq!(crate::from_json::<MetricRecord>(&text).unwrap(), record);
        }
    }
}
