//! Pretraining's configuration, and the settings that all training shares.

use crate::model::MAX_VOCABULARY;
use crate::{ABOVE_ZERO, LabError, ModelConfig, Settings, text};
use serde::{Deserialize, Serialize};

/// Settings of `PretrainingStrategy`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Settings)]
#[serde(default, deny_unknown_fields)]
#[settings(check = Self::stride_fits)]
pub struct PretrainingConfig {
    /// Shape of the model.
    pub model: ModelConfig,
    /// Pieces that the text is cut into.
    #[setting(label = "Tokens")]
    pub tokenizer: TokenizerKind,
    /// Pieces that are learned from the text, at most.
    #[setting(range = 257..=MAX_VOCABULARY, default = 1024, when(tokenizer = "bpe"))]
    pub vocabulary: usize,
    /// Settings of the training.
    pub training: TrainingConfig,
}

impl PretrainingConfig {
    fn stride_fits(&self) -> Result<(), LabError> {
        let stride = self.training.final_evaluation_stride;
        if stride <= self.model.context {
            return Ok(());
        }
        Err(LabError::config(
            "training.final_evaluation_stride",
            text!(
                "a stride of {stride} tokens leaves tokens out between windows of {context}",
                stride = stride,
                context = self.model.context,
            ),
            "Use at most the model's context.",
        ))
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Settings)]
#[serde(rename_all = "snake_case")]
pub enum TokenizerKind {
    /// One token for each character that occurs in the text.
    #[default]
    #[setting(label = "Characters")]
    Character,
    /// One token for each byte of UTF-8, 256 in all.
    #[setting(label = "Bytes")]
    Byte,
    /// Pieces of words: bytes, merged by how often they occur together (byte-pair encoding, as GPT-2).
    #[setting(label = "Pieces of words")]
    Bpe,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Settings)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Half a cosine from the highest to the lowest rate.
    #[default]
    Cosine,
    Linear,
    Constant,
}

/// Settings of the training of a model. The defaults are the ones of the quick start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Settings)]
#[serde(default, deny_unknown_fields)]
#[settings(check = Self::rates_fall)]
pub struct TrainingConfig {
    /// Updates of the weights.
    #[setting(range = 1..=10_000_000, default = 500)]
    pub steps: usize,
    /// Sequences in a micro-batch.
    #[setting(label = "Batch", range = 1..=4096, default = 8)]
    pub batch_size: usize,
    /// Micro-batches whose gradients are summed before an update.
    #[setting(label = "Micro-batches", range = 1..=4096, default = 1, group = Optimiser)]
    pub gradient_accumulation: usize,
    /// The maximum learning rate, reached after the warm-up.
    #[setting(range = 0.0..=10.0, default = 2e-3)]
    pub learning_rate: f64,
    /// Learning rate at the end of the schedule.
    #[setting(label = "Lowest rate", range = 0.0..=10.0, default = 2e-4, group = Optimiser)]
    pub minimum_learning_rate: f64,
    /// Steps in which the rate rises from 0.
    #[setting(label = "Warm-up steps", range = 0.., default = 40, group = Optimiser)]
    pub warmup_steps: usize,
    /// Step at which the schedule ends; 0 is the last.
    #[setting(range = 0.., group = Optimiser)]
    pub decay_steps: usize,
    /// The decrease of the learning rate after the warm-up.
    #[setting(group = Optimiser)]
    pub schedule: Schedule,
    /// Memory of AdamW's mean.
    #[setting(label = "Beta 1", range = 0.0..=0.999_999, default = 0.9, group = Optimiser)]
    pub beta1: f64,
    /// Memory of AdamW's variance.
    #[setting(label = "Beta 2", range = 0.0..=0.999_999, default = 0.99, group = Optimiser)]
    pub beta2: f64,
    /// Keeps AdamW from dividing by 0.
    #[setting(range = ABOVE_ZERO..=1.0, default = 1e-8, group = Optimiser)]
    pub epsilon: f64,
    /// Pull of matrices and embeddings towards 0.
    ///
    /// Decoupled (Loshchilov and Hutter 2019).
    #[setting(range = 0.0..=10.0, default = 0.1, group = Optimiser)]
    pub weight_decay: f64,
    /// Largest global norm of the gradient; 0 is no limit.
    #[setting(range = 0.0..=1e6, default = 1.0, group = Optimiser)]
    pub gradient_clip: f64,
    /// Steps between evaluations on held-out data; 0 is at the end only.
    #[setting(label = "Evaluate every", range = 0.., default = 50, unit = "steps", group = Evaluation)]
    pub evaluation_interval: usize,
    /// Pieces of held-out text in an evaluation while training, the same ones every time; 0 is all.
    #[setting(label = "Windows", range = 0.., default = 32, group = Evaluation)]
    pub evaluation_windows: usize,
    /// Windows of the evaluation at the end, whose loss is the result; 0 is all.
    #[setting(label = "Windows at the end", range = 0.., group = Evaluation)]
    pub final_evaluation_windows: usize,
    /// Tokens from one of those windows to the next, at most the context; 0 is the context: no windows overlap.
    ///
    /// With a smaller stride, each token is predicted from more text before it.
    #[setting(label = "Stride at the end", range = 0.., unit = "tokens", group = Evaluation)]
    pub final_evaluation_stride: usize,
    /// Evaluations without a better loss before training stops; 0 is never.
    #[setting(label = "Patience", range = 0.., group = Evaluation)]
    pub early_stopping_patience: usize,
    /// Steps between samples; 0 is at the end only.
    #[setting(label = "Sample every", range = 0.., default = 50, unit = "steps", group = Samples)]
    pub sample_interval: usize,
    /// Text at the beginning of samples; \n is a new line. Empty is a new line too.
    ///
    /// If the text has no new line, empty is the text's first character.
    #[setting(label = "Prompt", group = Samples)]
    pub sample_prompt: String,
    /// Tokens in a sample.
    #[setting(label = "Length", range = 0..=100_000, default = 120, unit = "tokens", group = Samples)]
    pub sample_tokens: usize,
    /// A higher temperature draws samples more freely; 0 takes the likeliest token every time.
    #[setting(label = "Temperature", range = 0.0..=100.0, default = 0.8, group = Samples)]
    pub sample_temperature: f64,
    /// Steps between states from which a run can be continued; 0 is none.
    #[setting(label = "Checkpoint every", range = 0.., default = 100, unit = "steps", group = Evaluation)]
    pub checkpoint_interval: usize,
}

impl TrainingConfig {
    pub fn decay_steps(&self) -> usize {
        if self.decay_steps == 0 {
            self.steps
        } else {
            self.decay_steps
        }
    }

    fn rates_fall(&self) -> Result<(), LabError> {
        rates_fall(self.learning_rate, self.minimum_learning_rate)
    }
}

/// An error unless a schedule ends at a rate that is at most the highest.
pub(crate) fn rates_fall(highest: f64, lowest: f64) -> Result<(), LabError> {
    if lowest <= highest {
        return Ok(());
    }
    Err(LabError::config(
        "minimum_learning_rate",
        text!(
            "the lowest rate {lowest} is above the highest, {highest}",
            lowest = lowest,
            highest = highest,
        ),
        "Lower it, or raise learning_rate.",
    ))
}
