//! Retrieval: documents are indexed, and a model answers from the passages that are found.

use crate::{Base, Control, RunContext, Strategy, TrainingData, answers, in_folder, read_config};
use async_trait::async_trait;
use burn::module::Module;
use lab_protocol::{
    ErrorCode, LabError, ModelFile, RagConfig, RagDocument, RetrievalMethod, RunInfo, RunResult,
    StopReason, StrategyConfig,
};
use lab_retrieval::evaluate::{Gain, percentile, quality};
use lab_retrieval::read::Format;
use lab_retrieval::{
    Embedder, HashedConfig, HashedEmbedder, Index, IndexConfig, Passage, Request, Silent,
    count_words,
};
use lab_village::Village;
use std::collections::{BTreeMap, HashMap};

/// Documents that are indexed between two looks at what the user wants.
const GROUP: usize = 32;
/// Where the index is among the run's files.
const INDEX: &str = "index/index.bin";
/// Questions whose answers are shown.
const SHOWN: usize = 3;

/// Indexes the run's documents; answers with the model that it starts from.
pub struct RagStrategy {
    config: RagConfig,
    embedder: HashedEmbedder,
    index: Option<Index>,
}

impl RagStrategy {
    /// Reads the strategy's part of an experiment; what is not given takes its default.
    pub fn new(config: &StrategyConfig) -> Result<Self, LabError> {
        Ok(Self {
            config: read_config(config)?,
            embedder: HashedEmbedder::new(HashedConfig::default())?,
            index: None,
        })
    }

    fn empty_index(&self) -> Result<Index, LabError> {
        let config = IndexConfig {
            chunking: self.config.chunking,
            ..Default::default()
        };
        Index::new(config, self.embedder())
    }

    /// Words alone need no vectors.
    fn embedder(&self) -> Option<&dyn Embedder> {
        (self.config.method != RetrievalMethod::Bm25).then_some(&self.embedder)
    }

    async fn search(&self, query: &str, k: usize) -> Result<Vec<Passage>, LabError> {
        let Some(index) = &self.index else {
            return Err(LabError::internal("questions came before the documents"));
        };
        let request = Request {
            threshold: (self.config.threshold > 0.0).then_some(self.config.threshold as f32),
            ..Request::new(query, k, self.config.method)
        };
        index.search(&request, self.embedder()).await
    }

    /// A question with the passages found for it before it, a line each. Passages are left out, the last
    /// first, until the answer fits the context; the question never is.
    async fn prompt(&self, question: &str, base: &Base) -> Result<String, LabError> {
        let found = self.search(question, self.config.passages).await?;
        let mut passages: Vec<String> = found
            .iter()
            .map(|passage| passage.chunk.text.replace('\n', " "))
            .collect();
        let room = base.shape.context.saturating_sub(self.config.answer_tokens);
        loop {
            let prompt = lab_village::prompt(&passages, question);
            if passages.is_empty() || base.tokenizer.encode(&prompt)?.len() <= room {
                return Ok(prompt);
            }
            passages.pop();
        }
    }

    /// How well the village's questions find their documents, and how long a search takes.
    async fn measure(
        &self,
        village: &Village,
        run: &RunContext,
    ) -> Result<BTreeMap<String, f64>, LabError> {
        let depth = self.config.evaluation_depth;
        let mut found = HashMap::new();
        let mut milliseconds = Vec::new();
        for question in &village.library.questions {
            let begun = run.now();
            let passages = self.search(&question.text, depth).await?;
            milliseconds.push(run.now() - begun);
            let mut documents: Vec<String> = Vec::new();
            for passage in passages {
                if !documents.contains(&passage.chunk.document) {
                    documents.push(passage.chunk.document);
                }
            }
            found.insert(question.id.clone(), documents);
        }
        let mut judged: BTreeMap<String, lab_retrieval::evaluate::Judgements> = BTreeMap::new();
        for relevance in &village.library.relevance {
            let of_question = judged.entry(relevance.question.clone()).or_default();
            // A passage about the right person that does not hold the answer is of no use to it.
            if relevance.grade >= lab_village::ANSWERS {
                of_question.insert(relevance.document.clone(), relevance.grade as i32);
            }
        }
        let cutoffs = [self.config.passages.min(depth), depth];
        let mut metrics = quality(&found, &judged, &cutoffs, Gain::default(), depth).means;
        for (name, percent) in [("retrieval_ms_p50", 50.0), ("retrieval_ms_p95", 95.0)] {
            if let Some(value) = percentile(&milliseconds, percent) {
                metrics.insert(name.to_owned(), value);
            }
        }
        Ok(metrics)
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
        let base = Base::load(run).await?;
        let documents = documents(&run.data)?;
        let all = documents.len();
        let words: usize = documents.iter().map(|d| count_words(&d.content)).sum();
        run.started(RunInfo {
            strategy: self.name().to_owned(),
            config: serde_json::to_value(&self.config)
                .map_err(|error| LabError::internal(error.to_string()))?,
            steps: all,
            first_step: 0,
            parameters: base.model.num_params(),
            vocabulary: base.tokenizer.vocabulary(),
            training_tokens: words,
            validation_tokens: 0,
            tokens_per_step: words / all.max(1),
        });
        let mut index = self.empty_index()?;
        let count = |text: &str| {
            base.tokenizer
                .encode(text)
                .map_or(usize::MAX, |ids| ids.len())
        };
        let mut milliseconds = 0.0;
        let mut done = 0;
        let mut stop_reason = StopReason::Completed;
        for group in documents.chunks(GROUP) {
            match run.control(done).await {
                Control::Continue => {}
                Control::Stop => {
                    stop_reason = StopReason::Stopped;
                    break;
                }
                // An index is made again sooner than it is continued.
                Control::Checkpoint | Control::Generate(_) => {}
            }
            run.step_begins();
            let begun = run.now();
            index
                .put(group.to_vec(), &count, self.embedder(), &mut Silent)
                .await
                .map_err(|error| error.at("data"))?;
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
                    ("chunks_indexed", index.chunks() as f64),
                    ("index_ms", milliseconds),
                ],
            );
            run.step_made(done);
        }
        let bytes = index.to_bytes()?;
        let mut metrics = BTreeMap::from([
            ("documents_indexed".to_owned(), done as f64),
            ("chunks_indexed".to_owned(), index.chunks() as f64),
            ("index_ms".to_owned(), milliseconds),
            ("index_bytes".to_owned(), bytes.len() as f64),
        ]);
        self.index = Some(index);
        if let Some(village) = run.data.village.clone()
            && stop_reason == StopReason::Completed
        {
            metrics.extend(self.measure(&village, run).await?);
            let values: Vec<(&str, f64)> = metrics.iter().map(|(n, v)| (&n[..], *v)).collect();
            run.record_metrics(done, &values);
            let shown: Vec<String> = village
                .library
                .questions
                .iter()
                .take(SHOWN)
                .map(|question| question.prompt())
                .collect();
            if let Some(texts) = self.answer(&base, &shown, run).await? {
                for (question, text) in shown.iter().zip(texts) {
                    let prompt = self.prompt(question.trim_end(), &base).await?;
                    run.sample(done, prompt, text);
                }
            }
        }
        let mut files = in_folder("model", base.files.clone());
        files.push(ModelFile {
            path: INDEX.to_owned(),
            bytes,
        });
        Ok(RunResult {
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
        self.index = Some(Index::from_bytes(&kept.bytes)?);
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
        let mut with_passages = Vec::with_capacity(prompts.len());
        for prompt in prompts {
            let question = prompt.trim_end();
            with_passages.push(if question.contains('\n') || question.is_empty() {
                prompt.clone()
            } else {
                self.prompt(question, base).await?
            });
        }
        let model = base.model.valid();
        let most = self.config.answer_tokens;
        answers(
            &model,
            &base.tokenizer,
            &with_passages,
            base.end()?,
            most,
            run,
        )
        .await
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
            read.map_err(|error| error.at("data"))?
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
    Ok(documents)
}
