//! The index of documents: their chunks, vectors and terms, which are searched together and change together.

use super::bm25::{Bm25, Bm25Config};
use super::fuse::{diversify, fuse};
use crate::store::{Filter, Hit, MemoryStore, StoreConfig, VectorEntry, VectorQuery, check_k};
use crate::text::{Chunk, Embedder, Progress, TextKind, chunk, embed_all};
use lab_protocol::{
    ChunkConfig, ErrorCode, LabError, Metadata, RagDocument, RetrievalMethod, Text, text,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

/// Settings of an index. They are stored with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IndexConfig {
    pub chunking: ChunkConfig,
    pub store: StoreConfig,
    pub bm25: Bm25Config,
}

/// A document in the index.
#[derive(Clone, Debug)]
pub struct Entry {
    pub metadata: Rc<Metadata>,
    pub chunks: Vec<Chunk>,
}

/// A search in an index.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    pub query: &'a str,
    pub k: usize,
    pub method: RetrievalMethod,
    pub filter: Option<&'a Filter>,
    /// The minimum score, by the scale of the method: the similarity of vectors, BM25's sum, or the sum of
    /// reciprocal ranks.
    pub threshold: Option<f32>,
    /// The weight of relevance against variety, from 0 to 1 (maximal marginal relevance); none for relevance
    /// alone.
    pub diversity_balance: Option<f32>,
    /// `ef` of the search; 0 for the default of the index.
    pub effort: usize,
}

impl<'a> Request<'a> {
    pub fn new(query: &'a str, k: usize, method: RetrievalMethod) -> Self {
        Self {
            query,
            k,
            method,
            filter: None,
            threshold: None,
            diversity_balance: None,
            effort: 0,
        }
    }
}

/// A chunk that was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Passage {
    pub chunk: Chunk,
    pub score: f32,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: Metadata,
}

/// The minimum length of the two rankings that a hybrid search fuses.
const FUSED: usize = 100;
/// Candidates for each passage of a search with variety.
const CANDIDATES: usize = 4;
/// Texts that are embedded at once.
const BATCH: usize = 32;

pub struct Index {
    pub(super) config: IndexConfig,
    /// The description of the embedder; none for an index of terms alone.
    pub(super) embedder: Option<Value>,
    pub(super) documents: BTreeMap<String, Entry>,
    pub(super) store: Option<MemoryStore>,
    pub(super) bm25: Bm25,
}

impl Index {
    /// An empty index for the vectors of an embedder, or for terms alone.
    pub fn new(config: IndexConfig, embedder: Option<&dyn Embedder>) -> Result<Self, LabError> {
        config
            .chunking
            .validate()
            .map_err(|error| error.at("chunking"))?;
        let store = match embedder {
            Some(embedder) => Some(
                MemoryStore::new(embedder.dimensions(), config.store)
                    .map_err(|error| error.at("store"))?,
            ),
            None => None,
        };
        Ok(Self {
            config,
            embedder: embedder.map(Embedder::description),
            documents: BTreeMap::new(),
            store,
            bm25: Bm25::new(config.bm25),
        })
    }

    pub fn config(&self) -> &IndexConfig {
        &self.config
    }

    /// The description of the embedder of its vectors.
    pub fn embedder(&self) -> Option<&Value> {
        self.embedder.as_ref()
    }

    pub fn documents(&self) -> &BTreeMap<String, Entry> {
        &self.documents
    }

    pub fn chunks(&self) -> usize {
        self.bm25.len()
    }

    pub fn store(&self) -> Option<&MemoryStore> {
        self.store.as_ref()
    }

    /// The chunks that documents would become.
    pub fn preview(
        &self,
        documents: &[RagDocument],
        count: &dyn Fn(&str) -> usize,
    ) -> Result<Vec<Chunk>, LabError> {
        let mut chunks = Vec::new();
        for document in documents {
            chunks.extend(chunk(document, &self.config.chunking, count)?);
        }
        Ok(chunks)
    }

    /// Adds documents. A document replaces an earlier one with the same id. Returns false if `progress` said to
    /// stop; then, as after an error, the index is unchanged.
    pub async fn put(
        &mut self,
        documents: Vec<RagDocument>,
        count: &dyn Fn(&str) -> usize,
        embedder: Option<&dyn Embedder>,
        progress: &mut dyn Progress,
    ) -> Result<bool, LabError> {
        let mut ids = HashSet::new();
        if let Some(twice) = documents
            .iter()
            .find(|document| !ids.insert(document.id.as_str()))
        {
            return Err(invalid(
                text!("two documents have the id \"{id}\"", id = twice.id),
                "Give every document an id of its own.",
            ));
        }
        let chunks = self.preview(&documents, count)?;
        let texts: Vec<&str> = chunks.iter().map(|chunk| chunk.text.as_str()).collect();
        let vectors = match self.check_embedder(embedder)? {
            Some(embedder) => {
                embed_all(embedder, &texts, TextKind::Passage, BATCH, progress).await?
            }
            None => Some(Vec::new()),
        };
        let Some(vectors) = vectors else {
            return Ok(false);
        };
        self.store_chunks(documents, chunks, vectors)?;
        Ok(true)
    }

    fn store_chunks(
        &mut self,
        documents: Vec<RagDocument>,
        chunks: Vec<Chunk>,
        vectors: Vec<Vec<f32>>,
    ) -> Result<(), LabError> {
        let metadata: Vec<(String, Rc<Metadata>)> = documents
            .into_iter()
            .map(|document| (document.id, Rc::new(document.metadata)))
            .collect();
        let of: BTreeMap<&str, &Rc<Metadata>> = metadata
            .iter()
            .map(|(id, metadata)| (id.as_str(), metadata))
            .collect();
        let new: HashSet<String> = chunks.iter().map(key).collect();
        // Chunks of replaced documents that the new documents do not have.
        let gone: Vec<String> = metadata
            .iter()
            .filter_map(|(id, _)| self.documents.get(id))
            .flat_map(|entry| entry.chunks.iter().map(key))
            .filter(|key| !new.contains(key))
            .collect();
        if let Some(store) = &mut self.store {
            let entries = chunks
                .iter()
                .zip(vectors)
                .map(|(chunk, vector)| VectorEntry {
                    id: key(chunk),
                    vector,
                    metadata: of
                        .get(chunk.document.as_str())
                        .map(|m| Rc::clone(m))
                        .unwrap_or_default(),
                })
                .collect();
            store.put(entries)?;
            store.remove(&gone.iter().map(String::as_str).collect::<Vec<_>>())?;
        }
        for key in &gone {
            self.bm25.remove(key);
        }
        for chunk in &chunks {
            self.bm25.put(&key(chunk), &chunk.text);
        }
        for (id, metadata) in metadata {
            self.documents.insert(
                id,
                Entry {
                    metadata,
                    chunks: Vec::new(),
                },
            );
        }
        for chunk in chunks {
            if let Some(entry) = self.documents.get_mut(&chunk.document) {
                entry.chunks.push(chunk);
            }
        }
        Ok(())
    }

    /// Removes documents. Returns how many the index had.
    pub fn remove(&mut self, ids: &[&str]) -> Result<usize, LabError> {
        let mut removed = 0;
        let mut keys = Vec::new();
        for id in ids {
            if let Some(entry) = self.documents.remove(*id) {
                removed += 1;
                keys.extend(entry.chunks.iter().map(key));
            }
        }
        for key in &keys {
            self.bm25.remove(key);
        }
        if let Some(store) = &mut self.store {
            store.remove(&keys.iter().map(String::as_str).collect::<Vec<_>>())?;
        }
        Ok(removed)
    }

    /// The passages for a query, best first: k of them if the filter and the threshold accept as many.
    pub async fn search(
        &self,
        request: &Request<'_>,
        embedder: Option<&dyn Embedder>,
    ) -> Result<Vec<Passage>, LabError> {
        if request.query.trim().is_empty() {
            return Err(invalid("the query is empty", "Give at least one word."));
        }
        check_k(request.k)?;
        if let Some(balance) = request
            .diversity_balance
            .filter(|b| !(0.0..=1.0).contains(b))
        {
            return Err(LabError::config(
                "diversity_balance",
                text!("a balance of {balance}", balance),
                "Use a number from 0 (variety alone) to 1 (relevance alone).",
            ));
        }
        let k = request.k.min(self.chunks());
        let depth = match request.diversity_balance {
            Some(_) => (k * CANDIDATES).max(FUSED),
            None => k,
        };
        let mut hits = match request.method {
            RetrievalMethod::Bm25 => self.words(request, depth),
            RetrievalMethod::Dense => self.dense(request, depth, embedder).await?,
            RetrievalMethod::Hybrid => {
                let depth = depth.max(FUSED);
                let dense = self.dense(request, depth, embedder).await?;
                fuse(&[&dense, &self.words(request, depth)], depth)
            }
        };
        if let Some(threshold) = request.threshold {
            hits.retain(|hit| hit.score >= threshold);
        }
        if let Some(balance) = request.diversity_balance {
            let vector = |id: &str| self.store.as_ref().and_then(|store| store.vector(id));
            hits = diversify(&hits, k, balance, vector);
        }
        hits.truncate(k);
        Ok(hits
            .into_iter()
            .filter_map(|hit| self.passage(hit))
            .collect())
    }

    fn words(&self, request: &Request<'_>, depth: usize) -> Vec<Hit> {
        let allow = |key: &str| {
            let entry = document_of(key).and_then(|id| self.documents.get(id));
            request
                .filter
                .is_none_or(|filter| entry.is_some_and(|e| filter.allows(&e.metadata)))
        };
        self.bm25.search(request.query, depth, &allow)
    }

    async fn dense(
        &self,
        request: &Request<'_>,
        depth: usize,
        embedder: Option<&dyn Embedder>,
    ) -> Result<Vec<Hit>, LabError> {
        let (Some(embedder), Some(store)) = (self.check_embedder(embedder)?, &self.store) else {
            return Err(LabError::config(
                "method",
                "the index has no vectors: it was made for terms alone",
                "Search by \"bm25\", or make the index with an embedder.",
            ));
        };
        if store.is_empty() {
            return Ok(Vec::new());
        }
        let vectors = embedder.embed(&[request.query], TextKind::Query).await?;
        let vector = vectors.first().map(Vec::as_slice).unwrap_or_default();
        store.search(&VectorQuery {
            vector,
            k: depth,
            filter: request.filter,
            threshold: None,
            effort: request.effort,
        })
    }

    fn passage(&self, hit: Hit) -> Option<Passage> {
        let entry = self.documents.get(document_of(&hit.id)?)?;
        let number: usize = hit.id.rsplit_once('#')?.1.parse().ok()?;
        Some(Passage {
            chunk: entry.chunks.get(number)?.clone(),
            score: hit.score,
            metadata: (*entry.metadata).clone(),
        })
    }

    /// The embedder, if it is the one that the index's vectors are from.
    fn check_embedder<'a>(
        &self,
        embedder: Option<&'a dyn Embedder>,
    ) -> Result<Option<&'a dyn Embedder>, LabError> {
        match (&self.embedder, embedder) {
            (None, _) => Ok(None),
            (Some(own), Some(given)) if *own == given.description() => Ok(Some(given)),
            (Some(own), given) => {
                let own = brief(own);
                let message = match given {
                    Some(given) => text!(
                        "the index was made with the embedder {own}, given is {found}",
                        own,
                        found = brief(&given.description()),
                    ),
                    None => text!(
                        "the index was made with the embedder {own}, given is none",
                        own
                    ),
                };
                Err(LabError::config(
                    "embedder",
                    message,
                    "Use the same embedder, or index the documents again.",
                ))
            }
        }
    }
}

/// A description, cut off if it is long.
fn brief(description: &Value) -> String {
    let mut text = description.to_string();
    if text.chars().count() > 120 {
        text = text.chars().take(120).chain(['…']).collect();
    }
    text
}

/// The id of a chunk in the store: its document, `#`, and its number.
pub fn key(chunk: &Chunk) -> String {
    format!("{}#{}", chunk.document, chunk.number)
}

pub(super) fn document_of(key: &str) -> Option<&str> {
    key.rsplit_once('#').map(|(document, _)| document)
}

fn invalid(message: impl Into<Text>, hint: &str) -> LabError {
    LabError::new(ErrorCode::InvalidData, message, hint)
}
