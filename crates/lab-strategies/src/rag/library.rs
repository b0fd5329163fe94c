//! The documents of a run, searchable, and questions answered from them.

use crate::asking::generator::{Asked, Generator};
use crate::run::context::RunContext;
use lab_protocol::{
    AnswerOutcome, ErrorCode, GroundedAnswer, Grounds, LabError, MapPoint, RagConfig, RagDocument,
    RetrievalMethod, SearchPath, UsedPassage, VectorMap,
};
use lab_retrieval::measures::supported;
use lab_retrieval::{
    Embedder, HashedConfig, HashedEmbedder, Index, IndexConfig, Passage, Plane, Request, Silent,
    StoreConfig, TextKind, VectorQuery,
};

/// Chunks that are shown in two dimensions; of more, evenly spaced ones.
const POINTS: usize = 2000;

pub(crate) struct Library {
    pub config: RagConfig,
    embedder: HashedEmbedder,
    pub index: Index,
    /// In which vectors are shown, once the index is whole.
    plane: Option<Plane>,
}

impl Library {
    /// An empty one, or that of an earlier run's checkpoint.
    pub fn new(config: &RagConfig, checkpoint: Option<&[u8]>) -> Result<Self, LabError> {
        let embedder = HashedEmbedder::new(HashedConfig::default())?;
        let settings = IndexConfig {
            chunking: config.chunking,
            store: StoreConfig {
                exact_below: config.exact_below,
                ..StoreConfig::default()
            },
            ..IndexConfig::default()
        };
        // Words alone need no vectors.
        let by_vectors = config.method != RetrievalMethod::Bm25;
        let mut index = Index::new(settings, by_vectors.then_some(&embedder as &dyn Embedder))?;
        if let Some(state) = checkpoint {
            let earlier = Index::from_bytes(state)?;
            if earlier.config() != index.config() || earlier.embedder() != index.embedder() {
                return Err(LabError::new(
                    ErrorCode::InvalidCheckpoint,
                    "the index that is to be continued was made with other settings",
                    "Continue with the settings as they were, or begin anew.",
                ));
            }
            index = earlier;
        }
        Ok(Self {
            config: config.clone(),
            embedder,
            index,
            plane: None,
        })
    }

    /// The embedder, where there are vectors.
    pub fn embedder(&self) -> Option<&dyn Embedder> {
        self.index.store().map(|_| &self.embedder as &dyn Embedder)
    }

    pub async fn add(
        &mut self,
        documents: &[RagDocument],
        count: &dyn Fn(&str) -> usize,
    ) -> Result<(), LabError> {
        let embedder = self
            .index
            .store()
            .is_some()
            .then_some(&self.embedder as &dyn Embedder);
        let put = self
            .index
            .put(documents.to_vec(), count, embedder, &mut Silent)
            .await;
        put.map_err(|error| error.at("data")).map(|_| ())
    }

    pub async fn search(&self, query: &str, k: usize) -> Result<Vec<Passage>, LabError> {
        let request = Request {
            threshold: (self.config.threshold > 0.0).then_some(self.config.threshold as f32),
            ..Request::new(query, k, self.config.method)
        };
        self.index.search(&request, self.embedder()).await
    }

    /// The index in two dimensions; none for words alone. Searches are shown in the same plane from now on.
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

    /// A question with the passages that were found for it, the last ones left out until the generator can
    /// be given all; the question never is. None where no passage is close enough.
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

    /// Answers a question, with what the answer rests on. `None` if the run was told to stop meanwhile.
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

    /// The passages of an answer. Those count as cited whose numbers it has in brackets; where it has none,
    /// those with the greater part of its words.
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

    /// Where a chunk lies in the plane.
    fn place(&self, key: &str) -> Option<[f32; 2]> {
        let vector = self.index.store()?.vector(key)?;
        Some(self.plane.as_ref()?.place(vector))
    }

    /// Where the search for a question by vectors goes, once there is a plane to show it in.
    async fn path(&self, question: &str) -> Result<Option<SearchPath>, LabError> {
        let (Some(store), Some(plane)) = (self.index.store(), &self.plane) else {
            return Ok(None);
        };
        let vectors = self.embedder.embed(&[question], TextKind::Query).await?;
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
