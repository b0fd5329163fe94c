//! Pretraining: a decoder learns to predict the next token of a text.

use crate::learning::base::in_folder;
use crate::learning::{self, Evaluated, Evaluation, Plan, Task};
use crate::run::context::{RunContext, TrainingData};
use crate::run::strategy::{Strategy, read_config};
use async_trait::async_trait;
use burn::module::Module;
use lab_model::corpus::{Batch, Corpus, covering_batches};
use lab_model::decoder::Decoder;
use lab_model::formats::model_folder;
use lab_model::memory::{Workload, memory_needed};
use lab_model::parameters;
use lab_model::tokenizer::Tokenizer;
use lab_protocol::{
    GenerateRequest, LabError, PretrainingConfig, RunInfo, RunResult, StrategyConfig, TokenizerKind,
};
use std::cell::RefCell;

/// Trains a decoder from random weights on the run's text.
pub struct PretrainingStrategy {
    config: PretrainingConfig,
    /// What the check of the data has made, with the data's hash, so that the run need not make it again.
    prepared: RefCell<Option<(String, Tokenizer, Corpus)>>,
}

impl PretrainingStrategy {
    /// Reads the strategy's part of an experiment; what is not given takes its default.
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
                    // Byte pairs are learned without a look at what is held out; any text can be written
                    // with them all the same.
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
            let prompt = self.sample_request(&tokenizer, &corpus, 0).prompt;
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

    fn sample_request(&self, tokenizer: &Tokenizer, corpus: &Corpus, seed: u64) -> GenerateRequest {
        let training = &self.config.training;
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
            seed,
            ..Default::default()
        }
    }
}

#[async_trait(?Send)]
impl Strategy for PretrainingStrategy {
    fn name(&self) -> &'static str {
        "pretraining"
    }

    fn validate(&self, data: &TrainingData) -> Result<(), LabError> {
        self.config.validate().map_err(|error| error.at("config"))?;
        let (tokenizer, corpus) = self.prepare(data)?;
        let workload = Workload::Training {
            rows: self.config.training.batch_size,
        };
        // A browser's addresses end at 4 GiB.
        memory_needed(&self.config.model, tokenizer.vocabulary(), workload)
            .must_fit(usize::MAX as u64)
            .map_err(|error| error.at("config.model"))?;
        *self.prepared.borrow_mut() = Some((data.hash.clone(), tokenizer, corpus));
        Ok(())
    }

    async fn train(&mut self, run: &mut RunContext) -> Result<RunResult, LabError> {
        let (tokenizer, corpus) = match self.prepared.take() {
            Some((hash, tokenizer, corpus)) if hash == run.data.hash => (tokenizer, corpus),
            _ => self.prepare(&run.data)?,
        };
        let shape = self.config.model.clone();
        let model = Decoder::new(&shape, tokenizer.vocabulary(), run.seed, &run.device);
        let config = serde_json::to_value(&self.config)
            .map_err(|error| LabError::internal(error.to_string()))?;
        let task = Pretraining {
            strategy: self,
            tokenizer,
            corpus,
            config: config.clone(),
        };
        let plan = Plan {
            training: &self.config.training,
            dropout: shape.dropout,
            config,
        };
        let trained = learning::train(&task, &plan, model, run).await?;
        let weights = parameters::to_host(&trained.model).await?;
        let files = model_folder(&shape, &task.tokenizer, &weights)?;
        Ok(RunResult {
            declared: Vec::new(),
            strategy: run.strategy.clone(),
            stop_reason: trained.stop_reason,
            steps: trained.steps,
            best_step: trained.best_step,
            seconds: run.seconds(),
            metrics: trained.metrics,
            files: in_folder("model", files),
        })
    }
}

/// The text as tokens, and what is made of it.
struct Pretraining<'a> {
    strategy: &'a PretrainingStrategy,
    tokenizer: Tokenizer,
    corpus: Corpus,
    config: serde_json::Value,
}

impl Task for Pretraining<'_> {
    type Batch = Batch;

    /// Windows at random places.
    fn batches(&self, seed: u64, step: usize) -> Vec<Batch> {
        let PretrainingConfig {
            model, training, ..
        } = &self.strategy.config;
        (0..training.gradient_accumulation)
            .map(|micro| {
                self.corpus
                    .batch(training.batch_size, model.context, seed, step, micro)
            })
            .collect()
    }

    fn held_out(&self, evaluation: Evaluation) -> Vec<Batch> {
        let PretrainingConfig {
            model, training, ..
        } = &self.strategy.config;
        let (stride, most) = match evaluation {
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
            most,
        )
    }

    fn loss_metrics(&self, loss: f64, _accuracy: Option<f64>) -> Vec<(&'static str, f64)> {
        vec![("loss", loss), ("perplexity", loss.exp())]
    }

    fn held_out_metrics(&self, found: &Evaluated) -> Vec<(&'static str, f64)> {
        validation_metrics(found.loss, &self.corpus, &self.tokenizer).to_vec()
    }

    fn samples(&self, seed: u64) -> Vec<GenerateRequest> {
        let Self {
            tokenizer, corpus, ..
        } = self;
        vec![self.strategy.sample_request(tokenizer, corpus, seed)]
    }

    fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    fn info(&self, model: &Decoder, first_step: usize) -> RunInfo {
        let PretrainingConfig {
            model: shape,
            training,
            ..
        } = &self.strategy.config;
        RunInfo {
            strategy: self.strategy.name().to_owned(),
            config: self.config.clone(),
            steps: training.steps,
            first_step,
            parameters: model.num_params(),
            vocabulary: self.tokenizer.vocabulary(),
            training_tokens: self.corpus.training.len(),
            validation_tokens: self.corpus.validation.len(),
            tokens_per_step: training.batch_size * training.gradient_accumulation * shape.context,
            examples: Vec::new(),
        }
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
