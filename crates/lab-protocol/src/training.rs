//! Pretraining's configuration, and what all training has in common.

use crate::checks::{number, whole};
use crate::model::MAX_VOCABULARY;
use crate::{LabError, ModelConfig};
use serde::{Deserialize, Serialize};

/// `PretrainingStrategy`'s configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct PretrainingConfig {
    pub model: ModelConfig,
    pub tokenizer: TokenizerKind,
    /// The most tokens that byte-pair encoding learns; the other kinds follow from the text.
    pub vocabulary: usize,
    pub training: TrainingConfig,
}

impl Default for PretrainingConfig {
    fn default() -> Self {
        Self {
            model: ModelConfig::default(),
            tokenizer: TokenizerKind::default(),
            vocabulary: 1024,
            training: TrainingConfig::default(),
        }
    }
}

impl PretrainingConfig {
    pub fn validate(&self) -> Result<(), LabError> {
        self.model.validate().map_err(|e| e.at("model"))?;
        self.training.validate().map_err(|e| e.at("training"))?;
        whole("vocabulary", self.vocabulary, 257, MAX_VOCABULARY)?;
        let stride = self.training.final_evaluation_stride;
        whole("final_evaluation_stride", stride, 0, self.model.context)
            .map_err(|e| e.at("training"))
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TokenizerKind {
    /// One token for each character that occurs in the text.
    #[default]
    Character,
    /// One token for each byte of UTF-8, 256 in all.
    Byte,
    /// Pieces of words: bytes, merged by how often they stand together (byte-pair encoding, as GPT-2).
    Bpe,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Half a cosine from the highest to the lowest rate.
    #[default]
    Cosine,
    Linear,
    Constant,
}

/// How a model is trained. The defaults are those of the quick start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct TrainingConfig {
    pub steps: usize,
    /// Sequences in a micro-batch.
    pub batch_size: usize,
    /// Micro-batches whose gradients are summed before an update.
    pub gradient_accumulation: usize,
    pub learning_rate: f64,
    /// Where the schedule ends.
    pub minimum_learning_rate: f64,
    pub warmup_steps: usize,
    /// Step at which the schedule ends; 0 means `steps`.
    pub decay_steps: usize,
    pub schedule: Schedule,
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    /// Decoupled decay (Loshchilov and Hutter 2019), on matrices and embeddings only.
    pub weight_decay: f64,
    /// Largest global norm of the gradient; 0 means no clipping.
    pub gradient_clip: f64,
    /// Steps between evaluations on the held-out part; 0 means at the end only.
    pub evaluation_interval: usize,
    /// Windows of the held-out part in an evaluation while training, the same ones every time; 0 means all.
    pub evaluation_windows: usize,
    /// The same for the evaluation at the end, whose loss is the result.
    pub final_evaluation_windows: usize,
    /// Tokens between the starts of the windows at the end, at most the context; 0 means the context:
    /// windows that do not overlap. With less, each token is judged with more text before it.
    pub final_evaluation_stride: usize,
    /// Evaluations without a better loss after which training stops; 0 means never.
    pub early_stopping_patience: usize,
    /// Steps between samples; 0 means none but at the end.
    pub sample_interval: usize,
    /// What samples begin with; empty means a new line, or the text's first character if it has none.
    pub sample_prompt: String,
    pub sample_tokens: usize,
    pub sample_temperature: f64,
    /// Steps between checkpoints to resume from; 0 means none.
    pub checkpoint_interval: usize,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            steps: 500,
            batch_size: 8,
            gradient_accumulation: 1,
            learning_rate: 2e-3,
            minimum_learning_rate: 2e-4,
            warmup_steps: 40,
            decay_steps: 0,
            schedule: Schedule::Cosine,
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 1e-8,
            weight_decay: 0.1,
            gradient_clip: 1.0,
            evaluation_interval: 50,
            evaluation_windows: 32,
            final_evaluation_windows: 0,
            final_evaluation_stride: 0,
            early_stopping_patience: 0,
            sample_interval: 50,
            sample_prompt: String::new(),
            sample_tokens: 120,
            sample_temperature: 0.8,
            checkpoint_interval: 100,
        }
    }
}

impl TrainingConfig {
    pub fn decay_steps(&self) -> usize {
        if self.decay_steps == 0 {
            self.steps
        } else {
            self.decay_steps
        }
    }

    pub fn validate(&self) -> Result<(), LabError> {
        whole("steps", self.steps, 1, 10_000_000)?;
        whole("batch_size", self.batch_size, 1, 4096)?;
        whole("gradient_accumulation", self.gradient_accumulation, 1, 4096)?;
        number("learning_rate", self.learning_rate, 0.0, 10.0)?;
        number(
            "minimum_learning_rate",
            self.minimum_learning_rate,
            0.0,
            10.0,
        )?;
        if self.minimum_learning_rate > self.learning_rate {
            return Err(LabError::config(
                "minimum_learning_rate",
                format!(
                    "the lowest rate {} is above the highest, {}",
                    self.minimum_learning_rate, self.learning_rate
                ),
                "Lower it, or raise learning_rate.",
            ));
        }
        number("beta1", self.beta1, 0.0, 0.999_999)?;
        number("beta2", self.beta2, 0.0, 0.999_999)?;
        number("epsilon", self.epsilon, f64::MIN_POSITIVE, 1.0)?;
        number("weight_decay", self.weight_decay, 0.0, 10.0)?;
        number("gradient_clip", self.gradient_clip, 0.0, 1e6)?;
        whole("sample_tokens", self.sample_tokens, 0, 100_000)?;
        number("sample_temperature", self.sample_temperature, 0.0, 100.0)
    }
}
