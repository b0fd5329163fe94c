//! Pretraining: a decoder learns to predict the next token of a text.

use super::learner::SupervisedLearner;
use super::task::{Evaluation, Task};
use crate::learning::step::{Evaluated, Portion};
use crate::run::context::{RunContext, TrainingData};
use crate::run::folders::in_folder;
use crate::run::learner::Learner;
use crate::run::prompts::Prompt;
use crate::run::strategy::{Strategy, read_config, resolved};
use async_trait::async_trait;
use burn::module::Module;
use lab_model::corpus::{Batch, Corpus, covering_batches};
use lab_model::decoder::Decoder;
use lab_model::formats::WeightForm;
use lab_model::formats::model_folder;
use lab_model::memory::{MemoryNeeded, PassSize};
use lab_model::parameters;
use lab_model::prompts::PromptFormat;
use lab_model::tokenizer::Tokenizer;
use lab_protocol::{
    GenerateRequest, LabError, ModelFile, PretrainingConfig, RunInfo, StrategyConfig,
    TokenizerKind, TrainingConfig,
};
use std::cell::RefCell;

/// Trains a decoder from random weights on the run's text.
pub struct PretrainingStrategy {
    config: PretrainingConfig,
    /// The results of the data's check, with the data's hash, so the run need not compute them again.
    prepared: RefCell<Option<(String, Tokenizer, Corpus)>>,
}

impl PretrainingStrategy {
    /// Reads the strategy's part of an experiment; missing settings take their defaults.
    pub fn new(config: &StrategyConfig) -> Result<Self, LabError> {
        Ok(Self {
            config: read_config(config)?,
            prepared: RefCell::default(),
        })
    }

    fn prepare(&self, data: &TrainingData) -> Result<(Tokenizer, Corpus), LabError> {
        let context = self.config.model.context;
        let (tokenizer, corpus) = match &data.village {
            Some(village) => {
                let tokenizer = self.tokenizer(village.tokenizer_texts())?;
                let corpus = Corpus {
                    training: tokenizer.encode_documents(&village.pretraining.training)?,
                    validation: tokenizer.encode_documents(&village.pretraining.held_out)?,
                };
                (tokenizer, corpus)
            }
            None => {
                let tokenizer = match self.config.tokenizer {
                    // Byte pairs are learned from the training part alone; they can still write any text.
                    TokenizerKind::Bpe => {
                        let kept = data.text.len() as f64 * (1.0 - data.validation_fraction);
                        let end = data.text.floor_char_boundary(kept as usize);
                        self.tokenizer([&data.text[..end]])?
                    }
                    TokenizerKind::Character | TokenizerKind::Byte => {
                        self.tokenizer([&data.text])?
                    }
                };
                let corpus = Corpus::split(&data.text, &tokenizer, data.validation_fraction)?;
                (tokenizer, corpus)
            }
        };
        corpus.must_fill(context, data.validation_fraction > 0.0)?;
        if self.config.training.sample_tokens > 0 {
            let training = &self.config.training;
            let prompt = sample_request(training, &tokenizer, &corpus).prompt;
            tokenizer
                .encode(&prompt)
                .map_err(|error| error.at("config.training.sample_prompt"))?;
        }
        Ok((tokenizer, corpus))
    }

    fn tokenizer<T: AsRef<str>>(
        &self,
        texts: impl IntoIterator<Item = T>,
    ) -> Result<Tokenizer, LabError> {
        Tokenizer::train(self.config.tokenizer, self.config.vocabulary, texts)
    }
}

#[async_trait(?Send)]
impl Strategy for PretrainingStrategy {
    fn kind(&self) -> &str {
        "pretraining"
    }

    fn validate(&self, data: &TrainingData) -> Result<(), LabError> {
        self.config.validate().map_err(|error| error.at("config"))?;
        let (tokenizer, corpus) = self.prepare(data)?;
        *self.prepared.borrow_mut() = Some((data.hash.clone(), tokenizer, corpus));
        Ok(())
    }

    async fn begin(&self, run: &RunContext) -> Result<Box<dyn Learner>, LabError> {
        let (tokenizer, corpus) = match self.prepared.take() {
            Some((hash, tokenizer, corpus)) if hash == run.data.hash => (tokenizer, corpus),
            _ => self.prepare(&run.data)?,
        };
        let config = &self.config;
        let task = Pretraining {
            sample: sample_request(&config.training, &tokenizer, &corpus),
            resolved: resolved(config)?,
            config: config.clone(),
            tokenizer,
            corpus,
        };
        let vocabulary = task.tokenizer.vocabulary();
        run.must_fit(MemoryNeeded::weights(
            &config.model,
            vocabulary,
            WeightForm::Floats,
        ))?;
        let model = Decoder::new(&config.model, vocabulary, run.seed, &run.device);
        let (training, dropout) = (&config.training, config.model.dropout);
        let learner = SupervisedLearner::new(task, training, dropout, model, run)?;
        Ok(Box::new(learner))
    }
}

/// The task of pretraining: the text as tokens, and the settings.
struct Pretraining {
    config: PretrainingConfig,
    resolved: serde_json::Value,
    tokenizer: Tokenizer,
    corpus: Corpus,
    sample: GenerateRequest,
}

#[async_trait(?Send)]
impl Task for Pretraining {
    type Batch = Batch;

    /// Windows at random positions.
    fn batches(&mut self, seed: u64, step: usize) -> Vec<Portion<Batch>> {
        let PretrainingConfig {
            model, training, ..
        } = &self.config;
        let batch = |micro| {
            let (rows, columns) = (training.batch_size, model.context);
            self.corpus.batch(rows, columns, seed, step, micro)
        };
        Portion::whole((0..training.gradient_accumulation).map(batch).collect())
    }

    fn step_memory(&self, model: &Decoder) -> MemoryNeeded {
        let (rows, columns) = (self.config.training.batch_size, self.config.model.context);
        let size = PassSize {
            rows,
            columns,
            predicted: rows * columns,
        };
        MemoryNeeded::step(model, &self.config.model, self.tokenizer.vocabulary(), size)
    }

    fn memory_beside(&self) -> MemoryNeeded {
        MemoryNeeded::default()
    }

    fn held_out(&self, evaluation: Evaluation) -> Vec<Batch> {
        let PretrainingConfig {
            model, training, ..
        } = &self.config;
        let (stride, limit) = match evaluation {
            Evaluation::Watched => (0, training.evaluation_windows),
            Evaluation::Final => (
                training.final_evaluation_stride,
                training.final_evaluation_windows,
            ),
        };
        let stride = if stride == 0 { model.context } else { stride };
        covering_batches(
            &self.corpus.validation,
            training.batch_size,
            model.context,
            stride,
            limit,
        )
    }

    fn step_metrics(&self, portions: &[Evaluated]) -> Vec<(&'static str, f64)> {
        let loss = portions.first().map(|portion| portion.loss);
        loss.into_iter()
            .flat_map(|loss| [("loss", loss), ("perplexity", loss.exp())])
            .collect()
    }

    fn held_out_metrics(&self, found: &Evaluated) -> Vec<(&'static str, f64)> {
        validation_metrics(found.loss, &self.corpus, &self.tokenizer).to_vec()
    }

    fn samples(&self, seed: u64) -> Vec<(Prompt, GenerateRequest)> {
        let request = GenerateRequest {
            seed,
            ..self.sample.clone()
        };
        vec![(self.prompt(&request.prompt), request)]
    }

    fn prompt(&self, text: &str) -> Prompt {
        Prompt::Text(text.to_owned())
    }

    fn format(&self) -> PromptFormat<'_> {
        PromptFormat {
            tokenizer: &self.tokenizer,
            template: None,
            ends: &[],
        }
    }

    fn info(&self, model: &Decoder) -> RunInfo {
        let PretrainingConfig {
            model: shape,
            training,
            ..
        } = &self.config;
        RunInfo {
            config: self.resolved.clone(),
            steps: training.steps,
            parameters: model.num_params(),
            vocabulary: self.tokenizer.vocabulary(),
            training_tokens: self.corpus.training.len(),
            validation_tokens: self.corpus.validation.len(),
            tokens_per_step: training.batch_size * training.gradient_accumulation * shape.context,
            ..RunInfo::default()
        }
    }

    async fn files(&self, model: &Decoder) -> Result<Vec<ModelFile>, LabError> {
        let weights = parameters::to_host(model).await?;
        let files = model_folder(&self.config.model, &self.tokenizer, &weights)?;
        Ok(in_folder("model", files))
    }
}

/// The prompt of samples.
fn sample_request(
    training: &TrainingConfig,
    tokenizer: &Tokenizer,
    corpus: &Corpus,
) -> GenerateRequest {
    let has_lines = || {
        let line = tokenizer.encode("\n").unwrap_or_default();
        !line.is_empty() && corpus.training.windows(line.len()).any(|ids| ids == line)
    };
    let prompt = match training.sample_prompt.as_str() {
        "" if has_lines() => "\n".to_owned(),
        "" => tokenizer.decode(&corpus.training[..1]),
        given => given.to_owned(),
    };
    GenerateRequest {
        prompt,
        max_tokens: training.sample_tokens,
        temperature: training.sample_temperature,
        ..Default::default()
    }
}

/// Loss and perplexity a token, and bits a byte, which compares across tokenizers: nats become bits,
/// tokens become bytes by the mean length of the held-out tokens.
fn validation_metrics(
    loss: f64,
    corpus: &Corpus,
    tokenizer: &Tokenizer,
) -> [(&'static str, f64); 3] {
    let bytes: usize = corpus
        .validation
        .iter()
        .map(|&id| tokenizer.bytes_of(id))
        .sum();
    let bytes_per_token = bytes as f64 / corpus.validation.len().max(1) as f64;
    [
        ("validation_loss", loss),
        ("validation_perplexity", loss.exp()),
        (
            "bits_per_byte",
            loss / std::f64::consts::LN_2 / bytes_per_token,
        ),
    ]
}
