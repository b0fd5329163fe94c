//! A strategy from outside the crates: bigrams, counted part by part.

use async_trait::async_trait;
use lab_protocol::{ErrorCode, GenerateRequest, LabError, ModelFile, RunInfo, StopReason};
use lab_strategies::{
    Learned, Learner, RunContext, Sample, Snapshot, Step, Strategy, TrainingData,
};
use serde_json::json;
use std::collections::BTreeMap;

/// Counts which character follows which, and predicts from that: the simplest language model.
pub struct Bigrams {
    pub config: BigramConfig,
}

#[derive(Clone, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BigramConfig {
    /// Added to every count.
    smoothing: f64,
    /// Parts in which the text is counted; a step each.
    parts: usize,
}

impl Default for BigramConfig {
    fn default() -> Self {
        Self {
            smoothing: 1.0,
            parts: 4,
        }
    }
}

#[async_trait(?Send)]
impl Strategy for Bigrams {
    fn kind(&self) -> &str {
        "bigrams"
    }

    fn validate(&self, data: &TrainingData) -> Result<(), LabError> {
        if self.config.smoothing.is_nan() || self.config.smoothing <= 0.0 {
            let message = format!("smoothing is {}", self.config.smoothing);
            let hint = "Use a number above 0.";
            return Err(LabError::config("config.smoothing", message, hint));
        }
        if data.text.chars().count() < 100 {
            let message = "the text is too short to count";
            let hint = "Give at least 100 characters.";
            return Err(LabError::new(ErrorCode::InvalidData, message, hint).at("data"));
        }
        Ok(())
    }

    async fn begin(&self, run: &RunContext) -> Result<Box<dyn Learner>, LabError> {
        let (text, config) = (Counted::new(&run.data), self.config.clone());
        let counts = vec![config.smoothing; text.alphabet.len().pow(2)];
        Ok(Box::new(Counter {
            config,
            text,
            counts,
        }))
    }
}

struct Counter {
    config: BigramConfig,
    text: Counted,
    counts: Vec<f64>,
}

#[async_trait(?Send)]
impl Learner for Counter {
    fn info(&self) -> RunInfo {
        RunInfo {
            config: json!(self.config),
            steps: self.config.parts,
            vocabulary: self.text.alphabet.len(),
            ..RunInfo::default()
        }
    }

    async fn step(&mut self, step: usize, _run: &RunContext) -> Result<Step, LabError> {
        let part = self.text.part(step, self.config.parts);
        for pair in part.windows(2) {
            self.counts[self.text.place(pair)] += 1.0;
        }
        let loss = self.text.held_out_loss(&self.counts);
        Ok(Step::new(part.len(), [("validation_loss", loss)]))
    }

    async fn save(&self) -> Result<Snapshot, LabError> {
        Snapshot::new(&self.counts)
    }

    async fn restore(&mut self, snapshot: Snapshot, _run: &RunContext) -> Result<(), LabError> {
        self.counts = snapshot.state()?;
        Ok(())
    }

    async fn generate(
        &self,
        request: &GenerateRequest,
        _run: &RunContext,
    ) -> Result<Option<Sample>, LabError> {
        let text = self.text.likeliest(&self.counts, request);
        Ok(Some(Sample::new(&request.prompt, text)))
    }

    async fn finish(&mut self, _: StopReason, _run: &RunContext) -> Result<Learned, LabError> {
        let loss = self.text.held_out_loss(&self.counts);
        Ok(Learned {
            metrics: BTreeMap::from([("validation_loss".to_owned(), loss)]),
            files: vec![ModelFile {
                path: "counts/counts.json".to_owned(),
                bytes: json!(self.counts).to_string().into_bytes(),
            }],
            ..Learned::default()
        })
    }
}

/// The text as numbers of its alphabet, what is held out apart.
struct Counted {
    alphabet: Vec<char>,
    training: Vec<usize>,
    held_out: Vec<usize>,
}

impl Counted {
    fn new(data: &TrainingData) -> Self {
        let mut alphabet: Vec<char> = data.text.chars().collect();
        alphabet.sort_unstable();
        alphabet.dedup();
        let ids = data.text.chars().flat_map(|c| alphabet.binary_search(&c));
        let mut training: Vec<usize> = ids.collect();
        let kept = training.len() as f64 * (1.0 - data.validation_fraction);
        let held_out = training.split_off(kept as usize);
        Self {
            alphabet,
            training,
            held_out,
        }
    }

    /// The characters of a part (from 1), with the one before them.
    fn part(&self, part: usize, parts: usize) -> &[usize] {
        let start = self.training.len() * (part - 1) / parts;
        &self.training[start.saturating_sub(1)..self.training.len() * part / parts]
    }

    fn place(&self, pair: &[usize]) -> usize {
        pair[0] * self.alphabet.len() + pair[1]
    }

    fn row<'c>(&self, counts: &'c [f64], before: usize) -> &'c [f64] {
        &counts[before * self.alphabet.len()..][..self.alphabet.len()]
    }

    fn held_out_loss(&self, counts: &[f64]) -> f64 {
        let nats = |pair: &[usize]| {
            let row = self.row(counts, pair[0]);
            -(row[pair[1]] / row.iter().sum::<f64>()).ln()
        };
        let pairs = self.held_out.windows(2);
        pairs.map(nats).sum::<f64>() / (self.held_out.len() - 1) as f64
    }

    /// The likeliest character after the prompt, and so on.
    fn likeliest(&self, counts: &[f64], request: &GenerateRequest) -> String {
        let last = request.prompt.chars().next_back();
        let mut last = last.and_then(|c| self.alphabet.binary_search(&c).ok());
        let next = |before: &mut usize| {
            let row = self.row(counts, *before).iter().enumerate();
            *before = row.max_by(|a, b| a.1.total_cmp(b.1))?.0;
            Some(self.alphabet[*before])
        };
        (0..request.max_tokens)
            .map_while(|_| last.as_mut().and_then(next))
            .collect()
    }
}
