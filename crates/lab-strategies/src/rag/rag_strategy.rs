//! Retrieval: documents are indexed, and a model answers from the passages that are found.

use super::choice::{ENCODER, embedder, encoder_files, kind};
use super::indexing::{INDEX, RagLearner, documents};
use super::rag_index::{RagIndex, filter};
use crate::asking::answers::{ROWS, answers};
use crate::asking::endpoint::Endpoint;
use crate::asking::generator::{Generator, LabModel};
use crate::run::base::Base;
use crate::run::commands::StopSignal;
use crate::run::context::{RunContext, TrainingData};
use crate::run::files::RunFiles;
use crate::run::learner::Learner;
use crate::run::prompts::Prompt;
use crate::run::strategy::{Answers, Strategy, read_config};
use async_trait::async_trait;
use burn::module::Module;
use lab_model::formats::WeightForm;
use lab_model::memory::MemoryNeeded;
use lab_protocol::{EmbedderKind, LabError, RagConfig, StrategyConfig, UsedPassage};
use lab_village::I_DO_NOT_KNOW;
use std::rc::Rc;

/// Indexes the run's documents; answers with the model that it starts from, or by an endpoint.
pub struct RagStrategy {
    config: RagConfig,
}

impl RagStrategy {
    /// Reads the strategy's part of an experiment; missing settings take their defaults.
    pub fn new(config: &StrategyConfig) -> Result<Self, LabError> {
        Ok(Self {
            config: read_config(config)?,
        })
    }

    fn generator(&self, base: Rc<Base>) -> LabModel {
        LabModel {
            base,
            max_tokens: self.config.answer_tokens,
            template: self.config.prompt_template.clone(),
        }
    }
}

#[async_trait(?Send)]
impl Strategy for RagStrategy {
    fn kind(&self) -> &str {
        "rag"
    }

    fn validate(&self, data: &TrainingData) -> Result<(), LabError> {
        self.config.validate().map_err(|error| error.at("config"))?;
        filter(&self.config).map_err(|error| error.at("config"))?;
        documents(data).map(|_| ())
    }

    async fn begin(&self, run: &RunContext) -> Result<Box<dyn Learner>, LabError> {
        let config = &self.config;
        let needs_base = config.endpoint.is_none() || kind(config) == Some(EmbedderKind::Model);
        let base = match needs_base {
            true => Some(Rc::new(Base::load(run, WeightForm::Floats).await?)),
            false => None,
        };
        if let Some(base) = &base {
            let writing = base.writing_memory(ROWS, base.shape.context);
            run.must_fit(MemoryNeeded::frozen(&base.model).and(writing))?;
        }
        let encoder = encoder_files(config, run).await?;
        let embedder = embedder(config, base.as_deref(), &encoder, &run.device).await?;
        let rag_index = RagIndex::new(config, embedder)?;
        let (base, generator): (_, Box<dyn Generator>) = match (&config.endpoint, base) {
            (Some(endpoint), _) => {
                let key = run.network.key(&endpoint.key_variable)?;
                (None, Box::new(Endpoint::new(endpoint, key, config)?))
            }
            (None, Some(base)) => {
                let model = self.generator(base.clone());
                (Some(base), Box::new(model))
            }
            (None, None) => {
                return Err(LabError::internal(
                    "no model or endpoint is configured to answer",
                ));
            }
        };
        let learner = RagLearner::new(rag_index, base, generator, encoder, &run.data)?;
        Ok(Box::new(learner))
    }

    /// An endpoint is not opened: its answers cost time and money, so it answers only the user's questions.
    async fn open(&self, files: &RunFiles<'_>) -> Result<Option<Box<dyn Answers>>, LabError> {
        let index = files.bytes(INDEX)?;
        let Some(base) = files.model().await? else {
            return Ok(None);
        };
        let config = &self.config;
        let embedder =
            embedder(config, Some(&base), &files.folder(ENCODER), files.device()).await?;
        let mut rag_index = RagIndex::new(config, embedder)?;
        rag_index.load(index)?;
        let generator = self.generator(base);
        Ok(Some(Box::new(GroundedAnswers {
            rag_index,
            generator,
        })))
    }
}

/// Answers from the passages that are found for each question.
struct GroundedAnswers {
    rag_index: RagIndex,
    generator: LabModel,
}

#[async_trait(?Send)]
impl Answers for GroundedAnswers {
    /// A prompt that already has passages, or asks nothing, stays unchanged.
    async fn answer(
        &self,
        prompts: &[Prompt],
        stop: &StopSignal,
    ) -> Result<Option<Vec<String>>, LabError> {
        let LabModel {
            base, max_tokens, ..
        } = &self.generator;
        let mut found = vec![I_DO_NOT_KNOW.to_owned(); prompts.len()];
        let (mut places, mut with_passages) = (Vec::new(), Vec::new());
        for (place, prompt) in prompts.iter().enumerate() {
            let prompt = match prompt.to_search() {
                None => prompt.clone(),
                Some(question) => match self.rag_index.ground(question, &self.generator).await? {
                    Some(asked) => self.generator.prompt(&asked.question, &asked.passages),
                    None => continue,
                },
            };
            places.push(place);
            with_passages.push(prompt);
        }
        base.end()?;
        let (model, format) = (base.model.valid(), base.format());
        let written = answers(&model, &format, &with_passages, *max_tokens, stop).await?;
        let Some(written) = written else {
            return Ok(None);
        };
        for (place, text) in places.into_iter().zip(written) {
            found[place] = text;
        }
        Ok(Some(found))
    }

    async fn retrieve(
        &self,
        question: &str,
        count: usize,
    ) -> Result<Option<Vec<UsedPassage>>, LabError> {
        self.rag_index.passages(question, count).await.map(Some)
    }
}
