//! The index of a run's documents, and questions answered from it.

use super::embedders::IndexEmbedder;
use crate::asking::generator::{Asked, Generator};
use crate::run::context::RunContext;
use lab_protocol::{
    AnswerOutcome, ErrorCode, GroundedAnswer, Grounds, LabError, MapPoint, RagConfig, RagDocument,
    SearchPath, UsedPassage, VectorMap, from_json,
};
use lab_retrieval::measures::supported;
use lab_retrieval::{
    Embedder, Filter, Index, IndexConfig, Passage, Plane, Progress, Request, StoreConfig, TextKind,
    VectorQuery,
};

/// Maximum number of chunks that are shown in two dimensions; of more, evenly spaced ones are shown.
const POINTS: usize = 2000;

pub(crate) struct RagIndex {
    pub config: RagConfig,
    filter: Option<Filter>,
    /// `None` for search by terms alone.
    embedder: Option<IndexEmbedder>,
    pub index: Index,
    /// The plane in which vectors are shown, once the index is complete.
    plane: Option<Plane>,
}

impl RagIndex {
    /// An empty index for the vectors of the embedder that the configuration chooses.
    pub fn new(config: &RagConfig, embedder: Option<IndexEmbedder>) -> Result<Self, LabError> {
        if let Some(embedder) = &embedder {
            embedder
                .check_chunk_size(config.chunking.size)
                .map_err(|error| error.at("config.chunking"))?;
        }
        let settings = IndexConfig {
            chunking: config.chunking,
            store: StoreConfig {
                exact_below: config.exact_below,
                ..StoreConfig::default()
            },
            ..IndexConfig::default()
        };
        let index = Index::new(settings, embedder.as_ref().map(IndexEmbedder::as_dyn))?;
        Ok(Self {
            filter: filter(config).map_err(|error| error.at("config"))?,
            config: config.clone(),
            embedder,
            index,
            plane: None,
        })
    }

    /// Takes the index of an earlier run. Its settings and its embedder must be the same: vectors of different
    /// embedders cannot be compared.
    pub fn load(&mut self, bytes: &[u8]) -> Result<(), LabError> {
        let earlier = Index::from_bytes(bytes)?;
        let message = if earlier.embedder() != self.index.embedder() {
            "the index was made with a different embedder"
        } else if earlier.config() != self.index.config() {
            "the index was made with different settings"
        } else {
            self.index = earlier;
            return Ok(());
        };
        Err(LabError::new(
            ErrorCode::InvalidCheckpoint,
            message,
            "Use the configuration and the model of before, or start the run again.",
        ))
    }

    /// The embedder; `None` for search by terms alone.
    pub fn embedder(&self) -> Option<&dyn Embedder> {
        self.embedder.as_ref().map(IndexEmbedder::as_dyn)
    }

    /// Adds documents to the index. Returns false, with the index unchanged, if `progress` said to stop.
    pub async fn add(
        &mut self,
        documents: &[RagDocument],
        count: &dyn Fn(&str) -> usize,
        progress: &mut dyn Progress,
    ) -> Result<bool, LabError> {
        let count = |text: &str| match &self.embedder {
            // The embedder's window limits the chunks, by its own tokenizer.
            Some(embedder @ (IndexEmbedder::Encoder(_) | IndexEmbedder::Model(_))) => {
                embedder.count(text)
            }
            _ => count(text),
        };
        let embedder = self.embedder.as_ref().map(IndexEmbedder::as_dyn);
        let put = self
            .index
            .put(documents.to_vec(), &count, embedder, progress)
            .await;
        put.map_err(|error| error.at("data"))
    }

    pub async fn search(&self, query: &str, k: usize) -> Result<Vec<Passage>, LabError> {
        let request = Request {
            filter: self.filter.as_ref(),
            // A balance of 1 means relevance alone: the ranking itself.
            diversity_balance: (self.config.diversity_balance < 1.0)
                .then_some(self.config.diversity_balance as f32),
            threshold: (self.config.threshold > 0.0).then_some(self.config.threshold as f32),
            ..Request::new(query, k, self.config.method)
        };
        self.index.search(&request, self.embedder()).await
    }

    /// At most `count` passages for a question, the best first; none is cited by an answer yet.
    pub async fn passages(
        &self,
        question: &str,
        count: usize,
    ) -> Result<Vec<UsedPassage>, LabError> {
        let found = self.search(question.trim(), count).await?;
        let mut passages = self.used("", &found);
        for passage in &mut passages {
            passage.cited = false;
        }
        Ok(passages)
    }

    /// The index in two dimensions; `None` for search by terms alone. Later searches are shown in the same plane.
    pub fn map(&mut self) -> Option<VectorMap> {
        let store = self.index.store()?;
        let keys: Vec<(&str, String)> = self
            .index
            .documents()
            .iter()
            .flat_map(|(id, entry)| {
                let keys = entry.chunks.iter().map(lab_retrieval::key);
                keys.map(|key| (id.as_str(), key))
            })
            .collect();
        let shown = keys.iter().step_by(keys.len().div_ceil(POINTS).max(1));
        let shown: Vec<(&str, &[f32])> = shown
            .filter_map(|(id, key)| Some((*id, store.vector(key)?)))
            .collect();
        let vectors: Vec<&[f32]> = shown.iter().map(|(_, vector)| *vector).collect();
        let plane = Plane::new(&vectors)?;
        let points = shown.into_iter().map(|(document, vector)| MapPoint {
            document: document.to_owned(),
            place: plane.place(vector),
        });
        let map = VectorMap {
            points: points.collect(),
        };
        self.plane = Some(plane);
        Some(map)
    }

    /// A question with the passages that were found for it. The last passages are left out until all fit into the
    /// generator's prompt; the question always stays. `None` if no passage is close enough.
    pub async fn ground(
        &self,
        question: &str,
        generator: &dyn Generator,
    ) -> Result<Option<Asked>, LabError> {
        let mut passages = self.search(question, self.config.passages).await?;
        if passages.is_empty() {
            return Ok(None);
        }
        passages.truncate(generator.fitting(question, &passages)?);
        Ok(Some(Asked {
            question: question.to_owned(),
            passages,
        }))
    }

    /// Answers a question, with the passages that the answer rests on. `None` if the run was told to stop meanwhile.
    pub async fn answer(
        &self,
        question: &str,
        generator: &dyn Generator,
        run: &RunContext,
    ) -> Result<Option<GroundedAnswer>, LabError> {
        let (answer, grounds) = match self.ground(question.trim(), generator).await? {
            None => (
                String::new(),
                Grounds {
                    outcome: AnswerOutcome::NoPassage,
                    passages: Vec::new(),
                    search: self.path(question).await?,
                },
            ),
            Some(asked) => {
                let one = std::slice::from_ref(&asked);
                let Some(mut texts) = generator.answer(one, run).await? else {
                    return Ok(None);
                };
                let answer = texts.pop().unwrap_or_default();
                let grounds = Grounds {
                    outcome: AnswerOutcome::Answered,
                    passages: self.used(&answer, &asked.passages),
                    search: self.path(question).await?,
                };
                (answer, grounds)
            }
        };
        Ok(Some(GroundedAnswer {
            question: question.to_owned(),
            answer,
            grounds,
        }))
    }

    /// The passages of an answer. A passage is cited if the answer has its number in brackets. In an answer without
    /// such numbers, a passage is cited if it has most of the answer's words.
    fn used(&self, answer: &str, passages: &[Passage]) -> Vec<UsedPassage> {
        let numbered = |index: usize| answer.contains(&format!("[{}]", index + 1));
        let has_numbers = (0..passages.len()).any(numbered);
        let says_it = |text: &str| supported(answer, &[text]).is_some_and(|share| share >= 1.0);
        passages
            .iter()
            .enumerate()
            .map(|(index, Passage { chunk, score, .. })| UsedPassage {
                document: chunk.document.clone(),
                start: chunk.start,
                end: chunk.end,
                text: chunk.text.clone(),
                score: f64::from(*score),
                cited: if has_numbers {
                    numbered(index)
                } else {
                    says_it(&chunk.text)
                },
                place: self.place(&lab_retrieval::key(chunk)),
            })
            .collect()
    }

    /// The place of a chunk in the plane.
    fn place(&self, key: &str) -> Option<[f32; 2]> {
        let vector = self.index.store()?.vector(key)?;
        Some(self.plane.as_ref()?.place(vector))
    }

    /// The path of a search by vectors for a question; `None` while there is no plane to show it in.
    async fn path(&self, question: &str) -> Result<Option<SearchPath>, LabError> {
        let (Some(store), Some(plane), Some(embedder)) =
            (self.index.store(), &self.plane, self.embedder())
        else {
            return Ok(None);
        };
        let vectors = embedder.embed(&[question], TextKind::Query).await?;
        let vector = vectors.first().map(Vec::as_slice).unwrap_or_default();
        let steps = store.path(&VectorQuery::new(vector, self.config.passages))?;
        Ok(Some(SearchPath {
            query: plane.place(vector),
            steps: steps
                .into_iter()
                .filter_map(|key| self.place(key))
                .collect(),
        }))
    }
}

/// The configuration's condition on the metadata of documents, given as JSON.
pub(super) fn filter(config: &RagConfig) -> Result<Option<Filter>, LabError> {
    match config.filter.trim() {
        "" => Ok(None),
        text => from_json(text)
            .map(Some)
            .map_err(|error| error.at("filter")),
    }
}
