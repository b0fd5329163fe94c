//! Counts which character follows which, and predicts from that: the simplest language model.

use lab_protocol::{
    Direction, ErrorCode, GenerateRequest, LabError, MetricInfo, ModelFile, RunInfo, text,
};
use lab_strategies::TrainingData;
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Clone, Serialize, Deserialize)]
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

impl BigramConfig {
    pub fn check(&self, data: &str) -> Result<(), LabError> {
        if self.smoothing.is_nan() || self.smoothing <= 0.0 {
            let message = text!("smoothing is {smoothing}", smoothing = self.smoothing);
            let hint = "Use a number above 0.";
            return Err(LabError::config("config.smoothing", message, hint));
        }
        if data.chars().count() < 100 {
            let message = "the text is too short to count";
            let hint = "Give at least 100 characters.";
            return Err(LabError::new(ErrorCode::InvalidData, message, hint).at("data"));
        }
        Ok(())
    }
}

/// The text as numbers of its alphabet, with the held-out part apart; and the count of each pair of characters.
pub struct Counts {
    config: BigramConfig,
    alphabet: Vec<char>,
    training: Vec<usize>,
    held_out: Vec<usize>,
    pub table: Vec<f64>,
}

impl Counts {
    pub fn new(config: &BigramConfig, data: &TrainingData) -> Self {
        let mut alphabet: Vec<char> = data.text.chars().collect();
        alphabet.sort_unstable();
        alphabet.dedup();
        let ids = data.text.chars().flat_map(|c| alphabet.binary_search(&c));
        let mut training: Vec<usize> = ids.collect();
        let kept = training.len() as f64 * (1.0 - data.validation_fraction);
        let held_out = training.split_off(kept as usize);
        Self {
            config: config.clone(),
            table: vec![config.smoothing; alphabet.len().pow(2)],
            alphabet,
            training,
            held_out,
        }
    }

    pub fn describe(&self) -> RunInfo {
        RunInfo {
            config: json!(self.config),
            steps: self.config.parts,
            vocabulary: self.alphabet.len(),
            metrics: vec![MetricInfo {
                direction: Direction::More,
                help: "different pairs of characters that were counted".into(),
                ..MetricInfo::named("pairs_seen")
            }],
            ..RunInfo::default()
        }
    }

    pub fn metrics(&self) -> [(&'static str, f64); 2] {
        let unseen = |count: &&f64| **count == self.config.smoothing;
        let seen = self.table.len() - self.table.iter().filter(unseen).count();
        [
            ("validation_loss", self.loss()),
            ("pairs_seen", seen as f64),
        ]
    }

    /// Counts a part (from 1); returns its number of characters.
    pub fn count(&mut self, part: usize) -> usize {
        let (all, parts) = (self.training.len(), self.config.parts);
        let start = (all * (part - 1) / parts).saturating_sub(1);
        let end = all * part / parts;
        let size = self.alphabet.len();
        for pair in self.training[start..end].windows(2) {
            self.table[pair[0] * size + pair[1]] += 1.0;
        }
        end - start
    }

    fn row(&self, before: usize) -> &[f64] {
        &self.table[before * self.alphabet.len()..][..self.alphabet.len()]
    }

    /// The loss on the held-out part, in nats a character.
    fn loss(&self) -> f64 {
        let nats = |pair: &[usize]| {
            let row = self.row(pair[0]);
            -(row[pair[1]] / row.iter().sum::<f64>()).ln()
        };
        let pairs = self.held_out.windows(2);
        pairs.map(nats).sum::<f64>() / (self.held_out.len() - 1) as f64
    }

    /// The likeliest character after the prompt, and so on.
    pub fn write(&self, request: &GenerateRequest) -> String {
        let last = request.prompt.chars().next_back();
        let mut last = last.and_then(|c| self.alphabet.binary_search(&c).ok());
        let next = |before: &mut usize| {
            let row = self.row(*before).iter().enumerate();
            *before = row.max_by(|a, b| a.1.total_cmp(b.1))?.0;
            Some(self.alphabet[*before])
        };
        (0..request.max_tokens)
            .map_while(|_| last.as_mut().and_then(next))
            .collect()
    }

    pub fn files(&self) -> Vec<ModelFile> {
        vec![ModelFile {
            path: "counts/counts.json".to_owned(),
            bytes: json!(self.table).to_string().into_bytes(),
        }]
    }
}
