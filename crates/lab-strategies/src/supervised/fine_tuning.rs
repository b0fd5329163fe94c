//! Fine-tuning: a pretrained decoder learns to answer, from prompts and responses.

use crate::asking::answers::exact_match;
use crate::examples::{Examples, conversations, documents, preview};
use crate::learning::base::Base;
use crate::learning::base::in_folder;
use crate::learning::{self, Evaluated, Evaluation, Plan, Task, Trained};
use crate::run::context::{RunContext, TrainingData};
use crate::run::strategy::{Strategy, read_config};
use async_trait::async_trait;
use burn::module::Module;
use lab_model::decoder::Decoder;
use lab_model::examples::{Example, ExampleBatch, examples_of_batch};
use lab_model::formats::adapter_folder;
use lab_model::parameters;
use lab_model::tokenizer::Tokenizer;
use lab_protocol::{
    FineTuningConfig, FineTuningMethod, GenerateRequest, LabError, ModelFile, RunInfo, RunResult,
    StopReason, StrategyConfig,
};

/// Trains a model further on prompts and responses: all its weights, or an adapter.
pub struct FineTuningStrategy {
    config: FineTuningConfig,
}

impl FineTuningStrategy {
    /// Reads the strategy's part of an experiment; what is not given takes its default.
    pub fn new(config: &StrategyConfig) -> Result<Self, LabError> {
        let config: FineTuningConfig = read_config(config)?;
        Ok(Self { config })
    }

    /// The model as it is trained: whole, or frozen with an adapter on top.
    async fn model(&self, base: &Base, run: &RunContext) -> Result<Decoder, LabError> {
        let FineTuningConfig { method, lora, .. } = &self.config;
        let place = |error: LabError| error.at("config.lora");
        let frozen = match method {
            FineTuningMethod::Full => return Ok(base.model.clone()),
            FineTuningMethod::Lora => base.model.clone(),
            FineTuningMethod::Qlora => base.model.clone().quantized(&run.device).await?,
        };
        frozen
            .with_new_adapter(&base.shape, lora, run.seed, &run.device)
            .map_err(place)
    }

    /// The result as folders: `model/`, and `adapter/` where only that was trained.
    async fn files(&self, base: Base, trained: &Decoder) -> Result<Vec<ModelFile>, LabError> {
        if self.config.method == FineTuningMethod::Full {
            return Ok(in_folder("model", base.folder(trained).await?));
        }
        let adapter = trained.adapter(&self.config.lora).await?;
        let adapter_files = adapter_folder(&base.shape, &adapter)?;
        let mut files = in_folder("model", base.files);
        files.extend(in_folder("adapter", adapter_files));
        Ok(files)
    }
}

#[async_trait(?Send)]
impl Strategy for FineTuningStrategy {
    fn name(&self) -> &'static str {
        "fine_tuning"
    }

    fn validate(&self, data: &TrainingData) -> Result<(), LabError> {
        self.config.validate().map_err(|error| error.at("config"))?;
        if self.config.replay > 0.0 && data.village.is_none() {
            return Err(LabError::config(
                "config.replay",
                "the data have no text that the base was pretrained on",
                "Set replay to 0, or use a village.",
            ));
        }
        conversations(data).map(|_| ())
    }

    async fn train(&mut self, run: &mut RunContext) -> Result<RunResult, LabError> {
        let base = Base::load(run).await?;
        let examples = Examples::new(&run.data, &base, self.config.too_long)?;
        if let Some(warning) = examples.too_long.warning(base.shape.context) {
            run.warn(warning);
        }
        let replayed = if self.config.replay > 0.0 {
            documents(&run.data, &base)?
        } else {
            Vec::new()
        };
        let model = self.model(&base, run).await?;
        let config = serde_json::to_value(&self.config)
            .map_err(|error| LabError::internal(error.to_string()))?;
        let task = FineTuning {
            config: &self.config,
            settings: config.clone(),
            tokenizer: &base.tokenizer,
            context: base.shape.context,
            end: base.end()?,
            examples,
            replayed,
        };
        let plan = Plan {
            training: &self.config.training,
            dropout: base.shape.dropout,
            config,
        };
        let sizes = [
            ("parameters", model.parameter_count()),
            ("trainable_parameters", trainable_parameters(&model)),
            ("weight_bytes", model.weight_bytes()),
        ];
        let Trained {
            model,
            stop_reason,
            steps,
            best_step,
            mut metrics,
        } = learning::train(&task, &plan, model, run).await?;
        let named = |(name, size): (&str, usize)| (name.to_owned(), size as f64);
        metrics.extend(sizes.map(named));
        let end = task.end;
        let village = run.data.village.clone();
        if let Some(village) = village.filter(|_| stop_reason != StopReason::Stopped) {
            let (model, questions) = (model.valid(), &village.questions);
            let found = exact_match(&model, &base.tokenizer, questions, end, run).await?;
            metrics.extend(found.map(|share| ("exact_match".to_owned(), share)));
        }
        Ok(RunResult {
            declared: Vec::new(),
            strategy: run.strategy.clone(),
            stop_reason,
            steps,
            best_step,
            seconds: run.seconds(),
            metrics,
            files: self.files(base, &model).await?,
        })
    }
}

/// The examples as tokens, and what is made of them.
struct FineTuning<'a> {
    config: &'a FineTuningConfig,
    settings: serde_json::Value,
    tokenizer: &'a Tokenizer,
    context: usize,
    end: u32,
    examples: Examples,
    /// What the base was trained on.
    replayed: Vec<Example>,
}

/// Examples that are shown token by token.
const SHOWN: usize = 3;
/// Held-out prompts that samples answer.
const SAMPLES: usize = 3;

impl FineTuning<'_> {
    fn batch(&self, examples: &[&Example]) -> ExampleBatch {
        if self.config.packing {
            ExampleBatch::packed(examples)
        } else {
            ExampleBatch::rows(examples, self.context)
        }
    }
}

impl Task for FineTuning<'_> {
    type Batch = ExampleBatch;

    fn batches(&self, seed: u64, step: usize) -> Vec<ExampleBatch> {
        let training = &self.config.training;
        let micro = training.gradient_accumulation;
        let replayed = (training.batch_size as f64 * self.config.replay).round() as usize;
        let new = (training.batch_size - replayed).max(1);
        ((step - 1) * micro..step * micro)
            .map(|index| {
                let mut batch = examples_of_batch(&self.examples.training, new, seed, index);
                if replayed > 0 {
                    batch.extend(examples_of_batch(&self.replayed, replayed, seed, index));
                }
                self.batch(&batch)
            })
            .collect()
    }

    /// Examples, spread evenly where not all are wanted.
    fn held_out(&self, evaluation: Evaluation) -> Vec<ExampleBatch> {
        let (training, all) = (&self.config.training, &self.examples.held_out);
        let most = match evaluation {
            Evaluation::Watched => training.evaluation_windows,
            Evaluation::Final => training.final_evaluation_windows,
        };
        let count = if most == 0 {
            all.len()
        } else {
            most.min(all.len())
        };
        let mut chosen: Vec<&Example> = (0..count).map(|i| &all[i * all.len() / count]).collect();
        chosen.sort_by_key(|example| example.length());
        chosen
            .chunks(training.batch_size)
            .map(|examples| self.batch(examples))
            .collect()
    }

    fn loss_metrics(&self, loss: f64, accuracy: Option<f64>) -> Vec<(&'static str, f64)> {
        let accuracy = accuracy.map(|accuracy| ("accuracy", accuracy));
        [("loss", loss)].into_iter().chain(accuracy).collect()
    }

    fn held_out_metrics(&self, found: &Evaluated) -> Vec<(&'static str, f64)> {
        let accuracy = found
            .accuracy
            .map(|accuracy| ("validation_accuracy", accuracy));
        [("validation_loss", found.loss)]
            .into_iter()
            .chain(accuracy)
            .collect()
    }

    /// Answers to held-out prompts, or to the one that is configured.
    fn samples(&self, seed: u64) -> Vec<GenerateRequest> {
        let training = &self.config.training;
        let request = |prompt: &String| GenerateRequest {
            prompt: prompt.clone(),
            max_tokens: training.sample_tokens,
            temperature: training.sample_temperature,
            seed,
            ..Default::default()
        };
        if !training.sample_prompt.is_empty() {
            return vec![request(&training.sample_prompt)];
        }
        let prompts = &self.examples.prompts;
        let apart = (prompts.len() / SAMPLES).max(1);
        prompts
            .iter()
            .step_by(apart)
            .take(SAMPLES)
            .map(request)
            .collect()
    }

    fn samples_before(&self) -> bool {
        true
    }

    fn tokenizer(&self) -> &Tokenizer {
        self.tokenizer
    }

    fn end(&self) -> Option<u32> {
        Some(self.end)
    }

    fn info(&self, model: &Decoder, first_step: usize) -> RunInfo {
        let tokens = |examples: &[Example]| examples.iter().map(Example::learned).sum();
        let training = &self.config.training;
        let all: usize = tokens(&self.examples.training);
        let batch = training.batch_size * training.gradient_accumulation;
        RunInfo {
            strategy: "fine_tuning".to_owned(),
            config: self.settings.clone(),
            steps: training.steps,
            first_step,
            parameters: model.parameter_count(),
            vocabulary: self.tokenizer.vocabulary(),
            training_tokens: all,
            validation_tokens: tokens(&self.examples.held_out),
            tokens_per_step: all * batch / self.examples.training.len().max(1),
            examples: preview(&self.examples.training, self.tokenizer, SHOWN),
        }
    }
}

fn trainable_parameters(model: &Decoder) -> usize {
    let shapes = parameters::trainable_shapes(model);
    let size = |(_, shape): (String, Vec<usize>)| shape.iter().product::<usize>();
    shapes.into_iter().map(size).sum()
}
