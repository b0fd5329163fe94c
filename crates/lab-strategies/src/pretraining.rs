//! Pretraining: a decoder learns to predict the next token of a text.

use crate::trainer::{self, StepSettings};
use crate::{Control, RunContext, Strategy, TrainingData, in_folder};
use async_trait::async_trait;
use burn::module::Module;
use lab_model::corpus::{Batch, Corpus, covering_batches};
use lab_model::decoder::Decoder;
use lab_model::formats::{CheckpointState, model_folder, read_checkpoint, write_checkpoint};
use lab_model::optimizer::{AdamW, learning_rate};
use lab_model::parameters;
use lab_model::tokenizer::Tokenizer;
use lab_protocol::{
    ErrorCode, GenerateRequest, LabError, PretrainingConfig, RunInfo, RunResult, StopReason,
    StrategyConfig, TokenizerKind, from_value,
};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

/// Trains a decoder from random weights on the run's text.
pub struct PretrainingStrategy {
    config: PretrainingConfig,
    /// What the check of the data has made, with the data's hash, so that the run need not make it again.
    prepared: RefCell<Option<(String, Tokenizer, Corpus)>>,
}

impl PretrainingStrategy {
    /// Reads the strategy's part of an experiment; what is not given takes its default.
    pub fn new(config: &StrategyConfig) -> Result<Self, LabError> {
        let value = if config.config.is_null() {
            serde_json::json!({})
        } else {
            config.config.clone()
        };
        Ok(Self {
            config: from_value(value).map_err(|error| error.at("config"))?,
            prepared: RefCell::default(),
        })
    }

    fn prepare(&self, data: &TrainingData) -> Result<(Tokenizer, Corpus), LabError> {
        let context = self.config.model.context;
        let (tokenizer, corpus) = match &data.village {
            Some(village) => {
                let tokenizer = self.tokenizer(village.tokenizer_texts())?;
                let tokens = |text: String| tokenizer.encode(&text);
                let corpus = Corpus {
                    training: tokens(village.pretraining.training_text())?,
                    validation: tokens(village.pretraining.held_out_text())?,
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
        let prompt = match training.sample_prompt.as_str() {
            "" if tokenizer.encode("\n").is_ok() => "\n".to_owned(),
            "" => tokenizer.decode(&corpus.training[..1]),
            given => given.to_owned(),
        };
        GenerateRequest {
            prompt,
            max_tokens: training.sample_tokens,
            temperature: training.sample_temperature,
            seed,
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
        *self.prepared.borrow_mut() = Some((data.hash.clone(), tokenizer, corpus));
        Ok(())
    }

    async fn train(&mut self, run: &mut RunContext) -> Result<RunResult, LabError> {
        let (tokenizer, corpus) = match self.prepared.take() {
            Some((hash, tokenizer, corpus)) if hash == run.data.hash => (tokenizer, corpus),
            _ => self.prepare(&run.data)?,
        };
        let PretrainingConfig {
            model: shape,
            training,
            ..
        } = self.config.clone();
        let device = run.device.clone();
        let mut model = Decoder::new(&shape, tokenizer.vocabulary(), run.seed, &device);
        let mut optimizer = AdamW::new(&training, &model, &device);
        let mut progress = Progress::default();
        let mut best = model.clone();
        if let Some(bytes) = run.checkpoint.take() {
            (model, best, progress) = self.restore(&bytes, model, &mut optimizer, run)?;
        }
        run.started(self.info(&model, &tokenizer, &corpus, progress.step)?);

        let windows = |stride, most| {
            let stride = if stride == 0 { shape.context } else { stride };
            covering_batches(
                &corpus.validation,
                training.batch_size,
                shape.context,
                stride,
                most,
            )
        };
        let watched = windows(shape.context, training.evaluation_windows);
        let mut stop_reason = StopReason::Completed;
        let mut loss = f64::NAN;
        while progress.step < training.steps {
            match run.control(progress.step).await {
                Control::Continue => {}
                Control::Stop => {
                    stop_reason = StopReason::Stopped;
                    if progress.step > 0 {
                        let state = self.save(&model, &best, &optimizer, progress, run).await?;
                        run.checkpoint(progress.step, state);
                    }
                    break;
                }
                Control::Checkpoint => {
                    let state = self.save(&model, &best, &optimizer, progress, run).await?;
                    run.checkpoint(progress.step, state);
                    continue;
                }
                Control::Generate(request) => {
                    // A prompt that cannot be read must not end the run.
                    match trainer::write(&model, &tokenizer, shape.context, &request, run).await {
                        Ok(text) => run.sample(progress.step, request.prompt, text),
                        Err(error) if error.code.is_input() => run.warn(error.to_string()),
                        Err(error) => return Err(error),
                    }
                    continue;
                }
            }

            run.step_begins();
            let step = progress.step + 1;
            let batches: Vec<Batch> = (0..training.gradient_accumulation)
                .map(|micro| {
                    corpus.batch(training.batch_size, shape.context, run.seed, step, micro)
                })
                .collect();
            let rate = learning_rate(&training, step);
            let settings = StepSettings {
                device: &device,
                learning_rate: rate,
                dropout: shape.dropout,
                seed: run.seed,
                step,
            };
            let (updated, values) =
                trainer::train_step(model, &mut optimizer, &batches, &settings).await?;
            model = updated;
            loss = values.loss;
            progress.step = step;
            progress.tokens += values.tokens;
            let tokens_per_second = run.step_done(step, training.steps, values.tokens);
            run.record_metrics(
                step,
                &[
                    ("loss", values.loss),
                    ("perplexity", values.loss.exp()),
                    ("token_count", progress.tokens as f64),
                    ("learning_rate", rate),
                    ("gradient_norm", values.gradient_norm),
                    ("tokens_per_second", tokens_per_second),
                ],
            );

            let last = step == training.steps;
            let due = |interval: usize| interval > 0 && step.is_multiple_of(interval);
            if !watched.is_empty()
                && (due(training.evaluation_interval) || last)
                && let Some(validation_loss) = trainer::evaluate(&model, &watched, run).await?
            {
                run.record_metrics(
                    step,
                    &validation_metrics(validation_loss, &corpus, &tokenizer),
                );
                if progress.best_loss.is_none_or(|best| validation_loss < best) {
                    progress.best_loss = Some(validation_loss);
                    progress.best_step = step;
                    progress.evaluations_without_gain = 0;
                    best = model.clone();
                } else {
                    progress.evaluations_without_gain += 1;
                }
            }
            if due(training.sample_interval) && training.sample_tokens > 0 {
                let request =
                    self.sample_request(&tokenizer, &corpus, run.seed.wrapping_add(step as u64));
                let text = trainer::write(&model, &tokenizer, shape.context, &request, run).await?;
                run.sample(step, request.prompt, text);
            }
            if due(training.checkpoint_interval) && !last {
                let state = self.save(&model, &best, &optimizer, progress, run).await?;
                run.checkpoint(step, state);
            }
            run.step_made(step);
            if training.early_stopping_patience > 0
                && progress.evaluations_without_gain >= training.early_stopping_patience
            {
                stop_reason = StopReason::EarlyStopping;
                break;
            }
        }

        // Without a held-out part, or before its first evaluation, the last weights are the best known.
        if progress.best_loss.is_none() {
            best = model;
            progress.best_step = progress.step;
        }
        let mut metrics = BTreeMap::from([("token_count".to_owned(), progress.tokens as f64)]);
        if loss.is_finite() {
            metrics.extend([
                ("loss".to_owned(), loss),
                ("perplexity".to_owned(), loss.exp()),
            ]);
        }
        // Who stopped the run does not want to wait for the whole part.
        let stopped = stop_reason == StopReason::Stopped;
        let judged = if stopped {
            windows(shape.context, training.evaluation_windows)
        } else {
            windows(
                training.final_evaluation_stride,
                training.final_evaluation_windows,
            )
        };
        if !judged.is_empty()
            && let Some(validation_loss) = trainer::evaluate(&best, &judged, run).await?
        {
            metrics.extend(
                validation_metrics(validation_loss, &corpus, &tokenizer)
                    .map(|(name, value)| (name.to_owned(), value)),
            );
            metrics.insert(
                "validation_tokens".into(),
                judged.iter().map(|batch| batch.tokens).sum::<usize>() as f64,
            );
        }
        if !stopped && training.sample_tokens > 0 {
            let request = self.sample_request(
                &tokenizer,
                &corpus,
                run.seed.wrapping_add(progress.step as u64),
            );
            let text = trainer::write(&best, &tokenizer, shape.context, &request, run).await?;
            run.sample(progress.best_step, request.prompt, text);
        }
        let weights = parameters::to_host(&best).await?;
        Ok(RunResult {
            strategy: run.strategy.clone(),
            stop_reason,
            steps: progress.step,
            best_step: progress.best_step,
            seconds: run.seconds(),
            metrics,
            files: in_folder("model", model_folder(&shape, &tokenizer, &weights)?),
        })
    }
}

/// Where a run stands; with the weights and moments it is all that a resume needs, since batches,
/// dropout and samples follow from seed and step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Progress {
    step: usize,
    tokens: usize,
    best_step: usize,
    best_loss: Option<f64>,
    evaluations_without_gain: usize,
}

/// What a checkpoint remembers beside tensors.
#[derive(Serialize, Deserialize)]
struct State {
    progress: Progress,
    updates: usize,
    config: PretrainingConfig,
    seed: u64,
    data_hash: String,
}

impl PretrainingStrategy {
    async fn save(
        &self,
        model: &Decoder,
        best: &Decoder,
        optimizer: &AdamW,
        progress: Progress,
        run: &RunContext,
    ) -> Result<Vec<u8>, LabError> {
        let (moments, updates) = optimizer.to_host().await?;
        let groups = HashMap::from([
            ("model".to_owned(), parameters::to_host(model).await?),
            ("best".to_owned(), parameters::to_host(best).await?),
            ("optimizer".to_owned(), moments),
        ]);
        let state = State {
            progress,
            updates,
            config: self.config.clone(),
            seed: run.seed,
            data_hash: run.data.hash.clone(),
        };
        write_checkpoint(CheckpointState { groups, state })
    }

    fn restore(
        &self,
        bytes: &[u8],
        model: Decoder,
        optimizer: &mut AdamW,
        run: &RunContext,
    ) -> Result<(Decoder, Decoder, Progress), LabError> {
        let CheckpointState { mut groups, state } = read_checkpoint::<State>(bytes)?;
        let differs = [
            ("configuration", state.config != self.config),
            ("seed", state.seed != run.seed),
            ("text", state.data_hash != run.data.hash),
        ];
        if let Some((what, _)) = differs.iter().find(|(_, differs)| *differs) {
            return Err(LabError::new(
                ErrorCode::InvalidCheckpoint,
                format!("the checkpoint was written with another {what}"),
                "Continue with the same experiment, seed and text, or start a new run.",
            )
            .at("checkpoint"));
        }
        let mut group = |name: &str| groups.remove(name).unwrap_or_default();
        let best = parameters::from_host(model.clone(), &group("best"), &run.device)?;
        let model = parameters::from_host(model, &group("model"), &run.device)?;
        optimizer.load(group("optimizer"), state.updates, &run.device)?;
        Ok((model, best, state.progress))
    }

    fn info(
        &self,
        model: &Decoder,
        tokenizer: &Tokenizer,
        corpus: &Corpus,
        first_step: usize,
    ) -> Result<RunInfo, LabError> {
        let PretrainingConfig {
            model: shape,
            training,
            ..
        } = &self.config;
        Ok(RunInfo {
            strategy: self.name().to_owned(),
            config: serde_json::to_value(&self.config)
                .map_err(|error| LabError::internal(error.to_string()))?,
            steps: training.steps,
            first_step,
            parameters: model.num_params(),
            vocabulary: tokenizer.vocabulary(),
            training_tokens: corpus.training.len(),
            validation_tokens: corpus.validation.len(),
            tokens_per_step: training.batch_size * training.gradient_accumulation * shape.context,
        })
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
