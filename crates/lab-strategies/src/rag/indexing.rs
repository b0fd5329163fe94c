//! The learner of retrieval: documents are indexed group by group, then questions are answered.

use super::choice::ENCODER;
use super::rag_index::RagIndex;
use crate::asking::generator::Generator;
use crate::run::base::Base;
use crate::run::context::{RunContext, TrainingData};
use crate::run::folders::in_folder;
use crate::run::learner::{Learned, Learner, Step, named};
use crate::run::sample::Sample;
use crate::run::snapshot::Snapshot;
use crate::run::strategy::resolved;
use async_trait::async_trait;
use burn::module::Module;
use lab_protocol::{
    ErrorCode, GenerateRequest, GroundedAnswer, LabError, ModelFile, RagConfig, RagDocument,
    RunInfo, StopReason, text,
};
use lab_retrieval::read::Format;
use lab_retrieval::{Progress, count_words};
use serde_json::Value;
use std::collections::HashSet;
use std::rc::Rc;

/// The maximum number of documents in a step.
const GROUP: usize = 32;
/// A step ends when its documents have this many words, so the run hears commands between steps.
const GROUP_WORDS: usize = 4000;
/// Path of the index in the run's files.
pub(super) const INDEX: &str = "index/index.bin";
/// Number of village questions whose answers are shown.
const SHOWN: usize = 3;

/// Indexes documents; each document counts as a step.
pub(super) struct RagLearner {
    config: RagConfig,
    /// The model that answers; `None` if an endpoint does.
    base: Option<Rc<Base>>,
    generator: Box<dyn Generator>,
    /// The files of the encoder, if the configuration chooses one.
    encoder: Vec<ModelFile>,
    documents: Vec<RagDocument>,
    rag_index: RagIndex,
    /// Time spent on indexing.
    milliseconds: f64,
    info: RunInfo,
}

impl RagLearner {
    /// Starts with the empty index `rag_index`. `base` is the generator's model, if it has one, and `encoder` are the
    /// files of the index's embedder, if it is an encoder.
    pub(super) fn new(
        rag_index: RagIndex,
        base: Option<Rc<Base>>,
        generator: Box<dyn Generator>,
        encoder: Vec<ModelFile>,
        data: &TrainingData,
    ) -> Result<Self, LabError> {
        let config = &rag_index.config;
        let documents = documents(data)?;
        let words: usize = documents.iter().map(|d| count_words(&d.content)).sum();
        Ok(Self {
            info: RunInfo {
                config: resolved(config)?,
                steps: documents.len(),
                parameters: base.as_ref().map_or(0, |base| base.model.num_params()),
                vocabulary: base.as_ref().map_or(0, |base| base.tokenizer.vocabulary()),
                training_tokens: words,
                tokens_per_step: words / documents.len().max(1),
                ..RunInfo::default()
            },
            config: config.clone(),
            rag_index,
            base,
            generator,
            encoder,
            documents,
            milliseconds: 0.0,
        })
    }

    fn size(&self) -> [(&'static str, f64); 3] {
        let index = &self.rag_index.index;
        [
            ("documents_indexed", index.documents().len() as f64),
            ("chunks_indexed", index.chunks() as f64),
            ("index_ms", self.milliseconds),
        ]
    }

    /// Answers the questions of the configuration and some of the village's, until told to stop.
    async fn answer_questions(&self, run: &RunContext) -> Result<Vec<GroundedAnswer>, LabError> {
        let mut questions = self.config.questions.clone();
        if let Some(village) = &run.data.village {
            let shown = village.library.questions.iter().take(SHOWN);
            questions.extend(shown.map(|question| question.text.clone()));
        }
        let mut answered = Vec::new();
        for question in &questions {
            let answer = self
                .rag_index
                .answer(question, &*self.generator, run)
                .await?;
            let Some(answer) = answer else { break };
            run.sample(self.documents.len(), answer.clone().into());
            answered.push(answer);
        }
        Ok(answered)
    }
}

#[async_trait(?Send)]
impl Learner for RagLearner {
    fn info(&self) -> RunInfo {
        self.info.clone()
    }

    /// The generator is not part of it: the index is the same whatever endpoint answers.
    fn origin(&self) -> Value {
        let mut config = self.info.config.clone();
        if let Some(settings) = config.as_object_mut() {
            settings.remove("endpoint");
        }
        config
    }

    async fn step(&mut self, _step: usize, run: &RunContext) -> Result<Step, LabError> {
        let done = self.rag_index.index.documents().len();
        let left = self.documents.get(done..).unwrap_or_default();
        let mut words = 0;
        let group = left.iter().take(GROUP).take_while(|document| {
            let fits = words < GROUP_WORDS;
            words += count_words(&document.content);
            fits
        });
        let group = left.get(..group.count()).unwrap_or_default();
        let base = self.base.as_ref();
        let count = |text: &str| match base {
            Some(base) => base
                .tokenizer
                .encode(text)
                .map_or(usize::MAX, |ids| ids.len()),
            None => count_words(text),
        };
        let begun = run.now();
        let added = self
            .rag_index
            .add(group, &count, &mut UntilStopped(run))
            .await?;
        self.milliseconds += run.now() - begun;
        if !added {
            return Ok(Step {
                count: 0,
                ..Step::new(0, self.size())
            });
        }
        let words = group.iter().map(|d| count_words(&d.content)).sum();
        Ok(Step {
            count: group.len(),
            ..Step::new(words, self.size())
        })
    }

    /// Questions that are not answered yet can be asked again without indexing again.
    fn checkpoint_due(&self, step: usize) -> bool {
        step == self.documents.len() && !self.config.questions.is_empty()
    }

    async fn save(&self) -> Result<Snapshot, LabError> {
        let mut snapshot = Snapshot::new(&self.milliseconds)?;
        let index = self.rag_index.index.to_bytes()?;
        snapshot.files.insert("index".to_owned(), index);
        Ok(snapshot)
    }

    async fn restore(&mut self, mut snapshot: Snapshot, _run: &RunContext) -> Result<(), LabError> {
        let index = snapshot.take_file("index")?;
        self.rag_index.load(&index)?;
        self.milliseconds = snapshot.state()?;
        Ok(())
    }

    /// A question during the run is answered from the documents indexed so far.
    async fn generate(
        &self,
        request: &GenerateRequest,
        run: &RunContext,
    ) -> Result<Option<Sample>, LabError> {
        let generator = &*self.generator;
        let answer = self
            .rag_index
            .answer(&request.prompt, generator, run)
            .await?;
        Ok(answer.map(Sample::from))
    }

    async fn finish(&mut self, reason: StopReason, run: &RunContext) -> Result<Learned, LabError> {
        let bytes = self.rag_index.index.to_bytes()?;
        let mut metrics = named(self.size());
        metrics.insert("index_bytes".to_owned(), bytes.len() as f64);
        let mut answered = Vec::new();
        if reason == StopReason::Completed {
            if let Some(map) = self.rag_index.map() {
                run.map(map);
            }
            if let Some(village) = &run.data.village {
                metrics.extend(self.rag_index.measure(village, run).await?);
                let (asked, generator) = (&village.library.questions, &*self.generator);
                // An endpoint's answers cost time and money: it answers only the user's questions.
                if self.base.is_some()
                    && let Some(found) = self
                        .rag_index
                        .measure_answers(asked, generator, run)
                        .await?
                {
                    metrics.extend(found);
                }
                run.record(self.documents.len(), metrics.clone());
            }
            answered = self.answer_questions(run).await?;
        }
        let mut files = vec![ModelFile {
            path: INDEX.to_owned(),
            bytes,
        }];
        if !answered.is_empty() {
            files.push(ModelFile {
                path: "answers/answers.json".to_owned(),
                bytes: serde_json::to_vec_pretty(&answered)
                    .map_err(|error| LabError::internal(error.to_string()))?,
            });
        }
        if let Some(base) = &self.base {
            files.extend(in_folder("model", base.files().await?));
        }
        files.extend(in_folder(ENCODER, self.encoder.clone()));
        Ok(Learned {
            best_step: None,
            metrics,
            files,
        })
    }
}

/// Ends the embedding of a group when the run is told to stop.
struct UntilStopped<'a>(&'a RunContext);

#[async_trait(?Send)]
impl Progress for UntilStopped<'_> {
    async fn report(&mut self, _done: usize, _total: usize) -> bool {
        !self.0.stop.requested().await
    }
}

/// The documents of the data: from the village's library, or the user's as JSON Lines.
pub(super) fn documents(data: &TrainingData) -> Result<Vec<RagDocument>, LabError> {
    let documents = match &data.village {
        Some(village) => village
            .library
            .documents
            .iter()
            .map(|document| RagDocument {
                id: document.id.clone(),
                content: document.text.clone(),
                metadata: Default::default(),
            })
            .collect(),
        None => {
            let read = lab_retrieval::read::read("data", data.text.as_bytes(), Format::Jsonl);
            // The text is one field, wherever in it the error is.
            read.map_err(|error| LabError {
                field: Some("data".to_owned()),
                ..error
            })?
        }
    };
    if documents.is_empty() {
        return Err(LabError::new(
            ErrorCode::InvalidData,
            "there is no document to search in",
            "Give documents as JSON Lines: {\"id\": \"…\", \"content\": \"…\"}.",
        )
        .at("data"));
    }
    let mut ids = HashSet::new();
    if let Some(twice) = documents.iter().find(|d| !ids.insert(d.id.as_str())) {
        return Err(LabError::new(
            ErrorCode::InvalidData,
            text!("two documents have the id \"{id}\"", id = twice.id),
            "Give every document an id of its own.",
        )
        .at("data"));
    }
    Ok(documents)
}
