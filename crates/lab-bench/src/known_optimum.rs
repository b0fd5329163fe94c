//! A task whose best policy is known exactly, to measure learning from rewards: texts of a fixed number of tokens of
//! a small vocabulary, a reference that gives all of them the same probability, and as reward the number of times
//! that one token occurs. With the penalty β·KL the best policy is `reference · exp(reward / β) / Z`, the same
//! distribution at every position.

use lab_model::burn::module::Module;
use lab_model::burn::tensor::{Device, Int, Tensor, TensorData};
use lab_model::decoder::Decoder;
use lab_model::dropout::Dropout;
use lab_model::formats::{model_folder, read_adapter, read_config, read_weights};
use lab_model::parameters;
use lab_model::random::{Purpose, Random};
use lab_model::tokenizer::Tokenizer;
use lab_protocol::{
    ExperimentConfig, LabError, ModelConfig, ModelFile, TokenizerKind, from_value, text,
};
use serde_json::{Value, json};

/// The task: tokens are the letters from `a` on, the prompt is `a`, and each `b` is worth 1.
#[derive(Clone, Copy, Debug)]
pub struct KnownOptimum {
    pub vocabulary: usize,
    /// Tokens of an answer.
    pub length: usize,
    /// β.
    pub kl_coefficient: f64,
}

/// The exact value of a policy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Worth {
    /// Mean score minus β times the divergence from the reference.
    pub objective: f64,
    pub score: f64,
    /// KL(policy ‖ reference) of whole answers, in nats.
    pub kl: f64,
    /// KL(policy ‖ best policy) of whole answers, in nats.
    pub kl_to_optimum: f64,
}

/// Prefixes that are looked at in one pass.
const ROWS: usize = 4096;

impl KnownOptimum {
    /// Vocabulary 8, 8 tokens, β = 0.5: the best is 2.34811, the start 1.
    pub const STANDARD: Self = Self {
        vocabulary: 8,
        length: 8,
        kl_coefficient: 0.5,
    };

    /// Mean score minus β·KL of the best policy.
    pub fn optimum(&self) -> f64 {
        let tokens = self.vocabulary as f64;
        let mean = ((1.0 / self.kl_coefficient).exp() + tokens - 1.0) / tokens;
        self.length as f64 * self.kl_coefficient * mean.ln()
    }

    /// Log-probability with which the best policy writes the rewarded token, and each of the others.
    fn best(&self) -> (f64, f64) {
        let weight = (1.0 / self.kl_coefficient).exp();
        let sum = weight + self.vocabulary as f64 - 1.0;
        ((weight / sum).ln(), (1.0 / sum).ln())
    }

    fn alphabet(&self) -> String {
        ('a'..).take(self.vocabulary).collect()
    }

    /// A small transformer with a head of zeros, which finds every token equally likely: the files of a run.
    pub async fn base(&self, seed: u64, device: &Device) -> Result<Vec<ModelFile>, LabError> {
        let shape = ModelConfig {
            layers: 1,
            heads: 2,
            width: 16,
            context: self.length + 1,
            tied_head: false,
            ..Default::default()
        };
        let tokenizer =
            Tokenizer::train(TokenizerKind::Character, self.vocabulary, [self.alphabet()])?;
        let model = Decoder::new(&shape, self.vocabulary, seed, device);
        let mut weights = parameters::to_host(&model).await?;
        if let Some(head) = weights.get_mut("head") {
            head.values.fill(0.0);
        }
        let files = model_folder(&shape, &tokenizer, &weights)?.into_iter();
        let moved = |file: ModelFile| ModelFile {
            path: format!("model/{}", file.path),
            ..file
        };
        Ok(files.map(moved).collect())
    }

    /// An experiment of one strategy on the task.
    pub fn experiment(
        &self,
        strategy: &str,
        config: Value,
        seed: u64,
    ) -> Result<ExperimentConfig, LabError> {
        from_value(json!({
            "name": "known optimum",
            "seed": seed,
            "backend": "cpu",
            "data": {"source": "user", "validation_fraction": 0.0},
            "strategies": [{"name": "improve", "strategy": strategy, "config": config}],
        }))
    }

    /// The prompt, as data of strategies that write answers of their own.
    pub fn prompts(&self) -> String {
        "{\"prompt\": \"a\"}\n".to_owned()
    }

    /// Pairs of answers of the reference, and which of them is preferred: by the reward's difference with
    /// the probability that Bradley and Terry (1952) give it.
    pub fn preferences(&self, pairs: usize, seed: u64) -> String {
        let letters: Vec<char> = self.alphabet().chars().collect();
        let mut random = Random::new(seed, Purpose::Samples, 1);
        let mut text = String::new();
        let mut written = 0;
        while written < pairs {
            let mut answer = || -> (String, f64) {
                let drawn = (0..self.length).map(|_| random.below(letters.len() as u64) as usize);
                let text: String = drawn.filter_map(|index| letters.get(index)).collect();
                let reward = text.matches('b').count() as f64;
                (text, reward)
            };
            let (first, second) = (answer(), answer());
            let first_wins = 1.0 / (1.0 + (second.1 - first.1).exp());
            let (chosen, rejected) = if random.uniform() < first_wins {
                (first.0, second.0)
            } else {
                (second.0, first.0)
            };
            if chosen != rejected {
                let line = json!({"prompt": "a", "chosen": chosen, "rejected": rejected});
                text.push_str(&line.to_string());
                text.push('\n');
                written += 1;
            }
        }
        text
    }

    /// The value of the policy in a run's files, from the probabilities of the next token after every beginning of
    /// an answer.
    pub async fn worth(&self, files: &[ModelFile], device: &Device) -> Result<Worth, LabError> {
        let policy = self.policy(files, device)?;
        let (best_rewarded, best_other) = self.best();
        let (vocabulary, length) = (self.vocabulary, self.length);
        let beginnings = vocabulary.pow(length as u32 - 1);
        let uniform = -(vocabulary as f64).ln();
        let mut worth = Worth {
            objective: 0.0,
            score: 0.0,
            kl: 0.0,
            kl_to_optimum: 0.0,
        };
        // Log-probabilities of the next token after the latest beginning of each length.
        let mut next: Vec<Vec<f64>> = vec![Vec::new(); length];
        for first in (0..beginnings).step_by(ROWS) {
            let rows = ROWS.min(beginnings - first);
            // The prompt, then the digits of the beginning's number.
            let digit = |row: usize, place: usize| {
                (first + row) / vocabulary.pow((length - 2 - place) as u32) % vocabulary
            };
            let token = |row: usize, column: usize| match column {
                0 => 0,
                _ => digit(row, column - 1) as i32,
            };
            let ids: Vec<i32> = (0..rows)
                .flat_map(|row| (0..length).map(move |column| token(row, column)))
                .collect();
            let device = device.clone().inner();
            let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [rows, length]), &device);
            let logits = policy.forward(ids, &mut Dropout::off());
            let logits = parameters::read(vec![logits]).await?.concat();
            for (row, logits) in logits.chunks(length * vocabulary).enumerate() {
                let mut beginning = 0.0;
                for (place, logits) in logits.chunks(vocabulary).enumerate() {
                    // A beginning shorter than the row is in many rows, and counts in the first.
                    if (place..length - 1).all(|later| digit(row, later) == 0) {
                        next[place] = log_softmax(logits);
                        let probability = f64::exp(beginning);
                        for (token, log_probability) in next[place].iter().enumerate() {
                            let share = probability * log_probability.exp();
                            let best = if token == 1 {
                                best_rewarded
                            } else {
                                best_other
                            };
                            worth.score += share * f64::from(u8::from(token == 1));
                            worth.kl += share * (log_probability - uniform);
                            worth.kl_to_optimum += share * (log_probability - best);
                        }
                    }
                    if place < length - 1 {
                        let written = next[place].get(digit(row, place));
                        beginning += written.copied().unwrap_or(0.0);
                    }
                }
            }
        }
        worth.objective = worth.score - self.kl_coefficient * worth.kl;
        Ok(worth)
    }

    fn policy(&self, files: &[ModelFile], device: &Device) -> Result<Decoder, LabError> {
        let file = |path: &str| {
            let found = files.iter().find(|file| file.path == path);
            found
                .map(|file| file.bytes.as_slice())
                .ok_or_else(|| LabError::internal(text!("the run has no {path}", path)))
        };
        let config = serde_json::from_slice(file("model/config.json")?)
            .map_err(|error| LabError::internal(error.to_string()))?;
        let (shape, vocabulary) = read_config(&config)?;
        let weights = read_weights(&shape, file("model/model.safetensors")?)?;
        let model = Decoder::new(&shape, vocabulary, 0, device);
        let model = parameters::from_host(model, &weights, device)?;
        let of_adapter = |file: &ModelFile| {
            let name = file.path.strip_prefix("adapter/")?.to_owned();
            let bytes = file.bytes.clone();
            Some(ModelFile { path: name, bytes })
        };
        let adapter: Vec<ModelFile> = files.iter().filter_map(of_adapter).collect();
        if adapter.is_empty() {
            return Ok(model.valid());
        }
        let adapter = read_adapter(&shape, &adapter)?;
        Ok(model.with_adapter(&shape, &adapter, device)?.valid())
    }
}

fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let shifted = logits.iter().map(|&logit| f64::from(logit - highest));
    let sum: f64 = shifted.clone().map(f64::exp).sum();
    shifted.map(|logit| logit - sum.ln()).collect()
}
