//! Fine-tuning: a pretrained decoder learns to answer, from prompts and responses.

use super::examples::{Examples, Reading, conversations, documents, preview};
use super::learner::SupervisedLearner;
use super::task::{Evaluation, Task};
use crate::asking::answers::exact_match;
use crate::learning::step::{Evaluated, Portion};
use crate::run::base::Base;
use crate::run::context::{RunContext, TrainingData};
use crate::run::learner::Learner;
use crate::run::prompts::Prompt;
use crate::run::strategy::{Strategy, read_config, resolved};
use async_trait::async_trait;
use burn::module::Module;
use lab_model::decoder::Decoder;
use lab_model::examples::{BatchOrder, Example, ExampleBatch};
use lab_model::formats::WeightForm;
use lab_model::memory::{MemoryNeeded, PassSize};
use lab_model::parameters;
use lab_model::prompts::PromptFormat;
use lab_protocol::{
    FineTuningConfig, FineTuningMethod, GenerateRequest, LabError, LoraConfig, ModelFile, RunInfo,
    StrategyConfig,
};
use lab_village::Question;

/// Trains a model further on prompts and responses: all its weights, or an adapter.
pub struct FineTuningStrategy {
    config: FineTuningConfig,
}

impl FineTuningStrategy {
    /// Reads the strategy's part of an experiment; missing settings take their defaults.
    pub fn new(config: &StrategyConfig) -> Result<Self, LabError> {
        let config: FineTuningConfig = read_config(config)?;
        Ok(Self { config })
    }

    /// The form in which the base is read: a base in 4 bits never has all its floats in memory.
    fn form(&self) -> WeightForm {
        match self.config.method {
            FineTuningMethod::Full | FineTuningMethod::Lora => WeightForm::Floats,
            FineTuningMethod::Qlora => WeightForm::Nf4,
        }
    }
}

#[async_trait(?Send)]
impl Strategy for FineTuningStrategy {
    fn kind(&self) -> &str {
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
        conversations(data, self.config.on_error, 0).map(|_| ())
    }

    async fn begin(&self, run: &RunContext) -> Result<Box<dyn Learner>, LabError> {
        let config = &self.config;
        let base = Base::load(run, self.form()).await?;
        base.end()?;
        let reading = Reading {
            too_long: config.too_long,
            on_error: config.on_error,
            seed: run.seed,
        };
        let examples = Examples::new(&run.data, &base, reading)?;
        for warning in examples.warnings(base.shape.context) {
            run.warn(warning);
        }
        let replayed = if config.replay > 0.0 {
            documents(&run.data, &base)?
        } else {
            Vec::new()
        };
        let model = base.to_train(lora(config), run.seed, &run.device)?;
        let (training, dropout) = (&config.training, base.shape.dropout);
        let (new, replay) = batch_sizes(config, &examples.training, &replayed);
        let task = FineTuning {
            resolved: resolved(config)?,
            config: config.clone(),
            order: BatchOrder::new(new, run.seed),
            replay_order: BatchOrder::new(replay, run.seed),
            base,
            examples,
            replayed,
        };
        let learner = SupervisedLearner::new(task, training, dropout, model, run)?;
        Ok(Box::new(learner))
    }
}

/// New and replayed examples of a micro-batch, at least one of each that is wanted. Every token weighs nearly the same
/// when the tokens of both are as many as their shares in the loss say.
fn batch_sizes(config: &FineTuningConfig, new: &[Example], replayed: &[Example]) -> (usize, usize) {
    let batch = config.training.batch_size;
    if config.replay <= 0.0 || replayed.is_empty() {
        return (batch, 0);
    }
    let mean = |examples: &[Example]| {
        let tokens: usize = examples.iter().map(Example::learned_tokens).sum();
        tokens as f64 / examples.len().max(1) as f64
    };
    let parts = (
        config.replay * mean(new),
        (1.0 - config.replay) * mean(replayed),
    );
    let share = parts.0 / (parts.0 + parts.1);
    let replayed = (batch as f64 * share).round() as usize;
    let replayed = replayed.clamp(1, batch.saturating_sub(1).max(1));
    (batch.saturating_sub(replayed).max(1), replayed)
}

/// The task of fine-tuning: the base, and the examples as tokens.
struct FineTuning {
    config: FineTuningConfig,
    resolved: serde_json::Value,
    base: Base,
    examples: Examples,
    order: BatchOrder,
    /// Texts that the base was trained on.
    replayed: Vec<Example>,
    replay_order: BatchOrder,
}

/// Number of examples that are shown token by token.
const SHOWN: usize = 3;
/// Number of held-out prompts that samples answer.
const SAMPLES: usize = 3;

impl FineTuning {
    fn batch(&self, examples: &[&Example]) -> ExampleBatch {
        if self.config.packing {
            ExampleBatch::packed(examples)
        } else {
            ExampleBatch::rows(examples, self.base.shape.context)
        }
    }
}

#[async_trait(?Send)]
impl Task for FineTuning {
    type Batch = ExampleBatch;

    /// The examples and, with replay, a second portion of it.
    fn batches(&mut self, _seed: u64, step: usize) -> Vec<Portion<ExampleBatch>> {
        let micro = self.config.training.gradient_accumulation;
        let mut portions = Vec::new();
        for (examples, order, share) in [
            (
                &self.examples.training,
                &mut self.order,
                1.0 - self.config.replay,
            ),
            (&self.replayed, &mut self.replay_order, self.config.replay),
        ] {
            if share > 0.0 && !examples.is_empty() {
                let chosen = (step - 1) * micro..step * micro;
                let chosen = chosen.map(|index| order.batch(examples, index)).collect();
                portions.push((share, chosen));
            }
        }
        let portion = |(share, chosen): (f64, Vec<Vec<&Example>>)| Portion {
            batches: chosen.iter().map(|examples| self.batch(examples)).collect(),
            share,
        };
        portions.into_iter().map(portion).collect()
    }

    /// For one micro-batch of the longest examples.
    fn step_memory(&self, model: &Decoder) -> MemoryNeeded {
        let all = || self.examples.training.iter().chain(&self.replayed);
        let rows = self.config.training.batch_size;
        let learned = all().map(Example::learned_tokens).max().unwrap_or(0);
        let size = PassSize {
            rows,
            columns: all().map(Example::length).max().unwrap_or(0),
            predicted: rows * learned,
        };
        self.base.step_memory(model, size)
    }

    fn memory_beside(&self) -> MemoryNeeded {
        MemoryNeeded::frozen(&self.base.model)
    }

    /// Examples, spread evenly if not all are wanted.
    fn held_out(&self, evaluation: Evaluation) -> Vec<ExampleBatch> {
        let (training, all) = (&self.config.training, &self.examples.validation);
        let limit = match evaluation {
            Evaluation::Watched => training.evaluation_windows,
            Evaluation::Final => training.final_evaluation_windows,
        };
        let count = if limit == 0 {
            all.len()
        } else {
            limit.min(all.len())
        };
        let mut chosen: Vec<&Example> = (0..count).map(|i| &all[i * all.len() / count]).collect();
        chosen.sort_by_key(|example| example.length());
        chosen
            .chunks(training.batch_size)
            .map(|examples| self.batch(examples))
            .collect()
    }

    /// The metrics of the examples alone, and separately the loss of the replay.
    fn step_metrics(&self, portions: &[Evaluated]) -> Vec<(&'static str, f64)> {
        let examples = portions.first();
        let values = [
            examples.map(|found| ("loss", found.loss)),
            examples.and_then(|found| Some(("accuracy", found.accuracy?))),
            portions.get(1).map(|found| ("replay_loss", found.loss)),
        ];
        values.into_iter().flatten().collect()
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

    /// Answers to held-out prompts, or to the configured prompt.
    fn samples(&self, seed: u64) -> Vec<(Prompt, GenerateRequest)> {
        let training = &self.config.training;
        let request = GenerateRequest {
            max_tokens: training.sample_tokens,
            temperature: training.sample_temperature,
            seed,
            ..Default::default()
        };
        if !training.sample_prompt.is_empty() {
            return vec![(self.prompt(&training.sample_prompt), request)];
        }
        let prompts = &self.examples.prompts;
        let apart = (prompts.len() / SAMPLES).max(1);
        let chosen = prompts.iter().step_by(apart).take(SAMPLES);
        chosen
            .map(|prompt| (prompt.clone(), request.clone()))
            .collect()
    }

    fn prompt(&self, text: &str) -> Prompt {
        Prompt::question(text)
    }

    fn samples_before(&self) -> bool {
        true
    }

    fn format(&self) -> PromptFormat<'_> {
        self.base.format()
    }

    fn info(&self, model: &Decoder) -> RunInfo {
        let tokens = |examples: &[Example]| examples.iter().map(Example::learned_tokens).sum();
        let training = &self.config.training;
        let all: usize = tokens(&self.examples.training);
        let batch = training.batch_size * training.gradient_accumulation;
        RunInfo {
            config: self.resolved.clone(),
            steps: training.steps,
            parameters: model.parameter_count(),
            vocabulary: self.base.tokenizer.vocabulary(),
            training_tokens: all,
            validation_tokens: tokens(&self.examples.validation),
            tokens_per_step: all * batch / self.examples.training.len().max(1),
            examples: preview(&self.examples.training, &self.base.tokenizer, SHOWN),
            skipped_rows: self.examples.skipped.report(),
            ..RunInfo::default()
        }
    }

    /// Sizes, and the share of the village's test questions that are answered right.
    async fn final_metrics(
        &self,
        model: &Decoder,
        stopped: bool,
        run: &RunContext,
    ) -> Result<Vec<(&'static str, f64)>, LabError> {
        let mut metrics = vec![
            ("parameters", model.parameter_count() as f64),
            ("trainable_parameters", trainable_parameters(model) as f64),
            ("weight_bytes", model.weight_bytes() as f64),
        ];
        if let Some(village) = run.data.village.clone().filter(|_| !stopped) {
            let test: Vec<Question> = village.test_questions().cloned().collect();
            let found = exact_match(&model.valid(), &self.format(), &test, run).await?;
            metrics.extend(found.map(|share| ("exact_match", share)));
        }
        Ok(metrics)
    }

    async fn files(&self, model: &Decoder) -> Result<Vec<ModelFile>, LabError> {
        self.base.trained_files(model, lora(&self.config)).await
    }
}

/// The adapter to train; `None` if all weights are trained.
fn lora(config: &FineTuningConfig) -> Option<&LoraConfig> {
    (config.method != FineTuningMethod::Full).then_some(&config.lora)
}

fn trainable_parameters(model: &Decoder) -> usize {
    let shapes = parameters::trainable_shapes(model);
    let size = |(_, shape): (String, Vec<usize>)| shape.iter().product::<usize>();
    shapes.into_iter().map(size).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lab_protocol::TrainingConfig;

    #[test]
    fn a_batch_has_as_many_tokens_of_each_kind_as_their_shares_say() {
        let example = |tokens: usize| Example::new(vec![1], vec![2; tokens - 1], 0);
        let (short, long) = (vec![example(10); 3], vec![example(60); 3]);
        let sizes = |replay, batch_size| {
            let config = FineTuningConfig {
                replay,
                training: TrainingConfig {
                    batch_size,
                    ..Default::default()
                },
                ..Default::default()
            };
            batch_sizes(&config, &short, &long)
        };
        assert_eq!(sizes(0.0, 16), (16, 0));
        // 12 · 10 tokens of examples, 4 · 60 of other text.
        assert_eq!(sizes(2.0 / 3.0, 16), (12, 4));
        assert_eq!(sizes(0.1, 16), (15, 1));
        assert_eq!(sizes(0.9, 16), (6, 10));
        assert_eq!(sizes(0.5, 1), (1, 1));
    }
}
