//! Retrieval: documents are indexed, and a model answers from the passages that are found.

use crate::asking::answers::answers;
use crate::asking::endpoint::Endpoint;
use crate::asking::generator::{Generator, LabModel};
use crate::learning::base::{Base, in_folder};
use crate::rag::library::Library;
use crate::run::context::{Control, RunContext, TrainingData};
use crate::run::strategy::{Strategy, read_config};
use async_trait::async_trait;
use burn::module::Module;
use lab_protocol::{
    ErrorCode, LabError, ModelFile, RagConfig, RagDocument, RunInfo, RunResult, StopReason,
    StrategyConfig,
};
use lab_retrieval::count_words;
use lab_retrieval::read::Format;
use lab_village::I_DO_NOT_KNOW;
use std::collections::{BTreeMap, HashSet};

/// Documents that are indexed between two looks at what the user wants.
const GROUP: usize = 32;
/// Where the index is among the run's files.
const INDEX: &str = "index/index.bin";
/// Questions of the village whose answers are shown.
const SHOWN: usize = 3;

/// Indexes the run's documents; answers with the model that it starts from, or by an endpoint.
pub struct RagStrategy {
    config: RagConfig,
    library: Option<Library>,
}

impl RagStrategy {
    /// Reads the strategy's part of an experiment; what is not given takes its default.
    pub fn new(config: &StrategyConfig) -> Result<Self, LabError> {
        Ok(Self {
            config: read_config(config)?,
            library: None,
        })
    }

    /// Adds the documents that the library lacks. Returns how many it has, in how many milliseconds the
    /// others came in, and whether the run was told to stop meanwhile.
    async fn index(
        &self,
        library: &mut Library,
        documents: &[RagDocument],
        base: Option<&Base>,
        generator: &dyn Generator,
        run: &mut RunContext,
    ) -> Result<(usize, f64, StopReason), LabError> {
        let count = |text: &str| match base {
            Some(base) => base
                .tokenizer
                .encode(text)
                .map_or(usize::MAX, |ids| ids.len()),
            None => count_words(text),
        };
        let all = documents.len();
        let mut done = library.index.documents().len();
        let mut milliseconds = 0.0;
        for group in documents.get(done..).unwrap_or_default().chunks(GROUP) {
            loop {
                match run.control(done).await {
                    Control::Continue => break,
                    Control::Stop => return Ok((done, milliseconds, StopReason::Stopped)),
                    Control::Checkpoint => run.checkpoint(done, library.index.to_bytes()?),
                    // What is asked in the midst is answered from what is there.
                    Control::Generate(request) => {
                        match library.answer(&request.prompt, generator, run).await {
                            Ok(Some(answer)) => run.grounded_sample(done, answer),
                            Ok(None) => {}
                            Err(error) => run.warn(format!("{}. {}", error.message, error.hint)),
                        }
                    }
                }
            }
            run.step_begins();
            let begun = run.now();
            library.add(group, &count).await?;
            milliseconds += run.now() - begun;
            done += group.len();
            run.step_done(
                done,
                all,
                group.iter().map(|d| count_words(&d.content)).sum(),
            );
            run.record_metrics(
                done,
                &[
                    ("documents_indexed", done as f64),
                    ("chunks_indexed", library.index.chunks() as f64),
                    ("index_ms", milliseconds),
                ],
            );
            run.step_made(done);
        }
        Ok((done, milliseconds, StopReason::Completed))
    }
}

#[async_trait(?Send)]
impl Strategy for RagStrategy {
    fn name(&self) -> &'static str {
        "rag"
    }

    fn validate(&self, data: &TrainingData) -> Result<(), LabError> {
        self.config.validate().map_err(|error| error.at("config"))?;
        documents(data).map(|_| ())
    }

    async fn train(&mut self, run: &mut RunContext) -> Result<RunResult, LabError> {
        let most = self.config.answer_tokens;
        let base = match self.config.endpoint {
            Some(_) => None,
            None => Some(Base::load(run).await?),
        };
        let generator: Box<dyn Generator + '_> = match (&self.config.endpoint, &base) {
            (Some(endpoint), _) => {
                let key = run.host().key(&endpoint.key_variable)?;
                Box::new(Endpoint::new(endpoint, key, most)?)
            }
            (None, Some(base)) => Box::new(LabModel { base, most }),
            (None, None) => return Err(LabError::internal("nobody is there to answer")),
        };
        let documents = documents(&run.data)?;
        let all = documents.len();
        let words: usize = documents.iter().map(|d| count_words(&d.content)).sum();
        let mut library = Library::new(&self.config, run.checkpoint.as_deref())?;
        run.started(RunInfo {
            strategy: self.name().to_owned(),
            config: serde_json::to_value(&self.config)
                .map_err(|error| LabError::internal(error.to_string()))?,
            steps: all,
            first_step: library.index.documents().len(),
            parameters: base.as_ref().map_or(0, |base| base.model.num_params()),
            vocabulary: base.as_ref().map_or(0, |base| base.tokenizer.vocabulary()),
            training_tokens: words,
            validation_tokens: 0,
            tokens_per_step: words / all.max(1),
            examples: Vec::new(),
        });
        let indexed = self.index(&mut library, &documents, base.as_ref(), &*generator, run);
        let (done, milliseconds, mut stop_reason) = indexed.await?;
        let bytes = library.index.to_bytes()?;
        let mut metrics = BTreeMap::from([
            ("documents_indexed".to_owned(), done as f64),
            ("chunks_indexed".to_owned(), library.index.chunks() as f64),
            ("index_ms".to_owned(), milliseconds),
            ("index_bytes".to_owned(), bytes.len() as f64),
        ]);
        let mut answered = Vec::new();
        if stop_reason == StopReason::Completed {
            if !self.config.questions.is_empty() {
                // What is not answered can be asked again without indexing again.
                run.checkpoint(done, bytes.clone());
            }
            if let Some(map) = library.map() {
                run.map(map);
            }
            let mut questions = self.config.questions.clone();
            if let Some(village) = run.data.village.clone() {
                metrics.extend(library.measure(&village, run).await?);
                let asked = &village.library.questions;
                // An endpoint's answers cost time and money: it is asked what the user asks.
                if base.is_some()
                    && let Some(found) = library.measure_answers(asked, &*generator, run).await?
                {
                    metrics.extend(found);
                }
                let values: Vec<(&str, f64)> = metrics.iter().map(|(n, v)| (&n[..], *v)).collect();
                run.record_metrics(done, &values);
                let shown = asked.iter().take(SHOWN);
                questions.extend(shown.map(|question| question.text.clone()));
            }
            for question in &questions {
                let Some(answer) = library.answer(question, &*generator, run).await? else {
                    stop_reason = StopReason::Stopped;
                    break;
                };
                run.grounded_sample(done, answer.clone());
                answered.push(answer);
            }
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
        if let Some(base) = &base {
            files.extend(in_folder("model", base.files.clone()));
        }
        drop(generator);
        self.library = Some(library);
        Ok(RunResult {
            declared: Vec::new(),
            strategy: run.strategy.clone(),
            stop_reason,
            steps: done,
            best_step: done,
            seconds: run.seconds(),
            metrics,
            files,
        })
    }

    fn restore(&mut self, files: &[ModelFile]) -> Result<(), LabError> {
        let kept = files.iter().find(|file| file.path == INDEX);
        let kept = kept.ok_or_else(|| {
            LabError::new(
                ErrorCode::InvalidData,
                format!("the run has no {INDEX}"),
                "Run the strategy again.",
            )
        })?;
        self.library = Some(Library::new(&self.config, Some(&kept.bytes))?);
        Ok(())
    }

    /// Answers from the passages that are found for each question; a prompt that brings passages of its
    /// own is left as it is.
    async fn answer(
        &self,
        base: &Base,
        prompts: &[String],
        run: &mut RunContext,
    ) -> Result<Option<Vec<String>>, LabError> {
        let Some(library) = &self.library else {
            return Err(LabError::internal("questions came before the documents"));
        };
        let most = self.config.answer_tokens;
        let generator = LabModel { base, most };
        let mut found = vec![I_DO_NOT_KNOW.to_owned(); prompts.len()];
        let (mut places, mut with_passages) = (Vec::new(), Vec::new());
        for (place, prompt) in prompts.iter().enumerate() {
            let question = prompt.trim_end();
            let prompt = if question.contains('\n') || question.is_empty() {
                prompt.clone()
            } else {
                match library.ground(question, &generator).await? {
                    Some(asked) => asked.prompt(),
                    None => continue,
                }
            };
            places.push(place);
            with_passages.push(prompt);
        }
        let (model, end) = (base.model.valid(), base.end()?);
        let written = answers(&model, &base.tokenizer, &with_passages, end, most, run).await?;
        let Some(written) = written else {
            return Ok(None);
        };
        for (place, text) in places.into_iter().zip(written) {
            found[place] = text;
        }
        Ok(Some(found))
    }
}

/// The documents of the data: the village's library, or the user's as JSON Lines.
fn documents(data: &TrainingData) -> Result<Vec<RagDocument>, LabError> {
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
            // The text is one field, whatever in it is wrong.
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
            format!("two documents have the id \"{}\"", twice.id),
            "Give every document an id of its own.",
        )
        .at("data"));
    }
    Ok(documents)
}
