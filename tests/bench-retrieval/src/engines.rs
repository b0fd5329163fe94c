//! The engines behind one trait. Each keeps its vectors by number.

use hnsw_rs::prelude::{DistDot, Hnsw};
use lab_retrieval::{MemoryStore, StoreConfig, VectorEntry, VectorQuery};
use std::error::Error;
use std::rc::Rc;
use usearch::{Index, IndexOptions, MetricKind, ScalarKind};

type Fallible<T> = Result<T, Box<dyn Error>>;

pub trait Engine {
    fn name(&self) -> &'static str;
    fn build(&mut self, vectors: &[f32]) -> Fallible<()>;
    fn search(&mut self, query: &[f32], k: usize, effort: usize) -> Fallible<Vec<usize>>;
    /// Bytes in memory, if the engine reports them.
    fn bytes(&self) -> Option<usize>;
}

pub struct Labs {
    store: MemoryStore,
}

impl Labs {
    pub fn new(dimensions: usize) -> Fallible<Self> {
        Ok(Self { store: MemoryStore::new(dimensions, StoreConfig::default())? })
    }
}

impl Engine for Labs {
    fn name(&self) -> &'static str {
        "LLM Labs"
    }

    fn build(&mut self, vectors: &[f32]) -> Fallible<()> {
        let dimensions = self.store.dimensions();
        let entries = vectors.chunks_exact(dimensions).enumerate().map(|(id, vector)| VectorEntry {
            id: id.to_string(),
            vector: vector.to_vec(),
            metadata: Rc::default(),
        });
        Ok(self.store.put(entries.collect())?)
    }

    fn search(&mut self, query: &[f32], k: usize, effort: usize) -> Fallible<Vec<usize>> {
        let request = VectorQuery { effort, ..VectorQuery::new(query, k) };
        let hits = self.store.search(&request)?;
        Ok(hits.iter().filter_map(|hit| hit.id.parse().ok()).collect())
    }

    fn bytes(&self) -> Option<usize> {
        Some(self.store.bytes())
    }
}

pub struct HnswRs {
    index: Hnsw<'static, f32, DistDot>,
}

impl HnswRs {
    /// M 16 and efConstruction 200, as its examples have them.
    pub fn new(vectors: usize) -> Self {
        Self { index: Hnsw::new(16, vectors, 16, 200, DistDot {}) }
    }
}

impl Engine for HnswRs {
    fn name(&self) -> &'static str {
        "hnsw_rs"
    }

    fn build(&mut self, vectors: &[f32]) -> Fallible<()> {
        for (id, vector) in vectors.chunks_exact(super::DIMENSIONS).enumerate() {
            self.index.insert((vector, id));
        }
        self.index.set_searching_mode(true);
        Ok(())
    }

    fn search(&mut self, query: &[f32], k: usize, effort: usize) -> Fallible<Vec<usize>> {
        Ok(self.index.search(query, k, effort).iter().map(|found| found.d_id).collect())
    }

    fn bytes(&self) -> Option<usize> {
        None
    }
}

pub struct USearch {
    index: Index,
    bytes: bool,
}

impl USearch {
    /// Its default settings, with floats or with 8-bit numbers. The vectors have length 1, so with floats the scalar
    /// product equals the cosine, and is faster.
    pub fn new(dimensions: usize, bytes: bool) -> Fallible<Self> {
        let options = IndexOptions {
            dimensions,
            metric: if bytes { MetricKind::Cos } else { MetricKind::IP },
            quantization: if bytes { ScalarKind::I8 } else { ScalarKind::F32 },
            ..IndexOptions::default()
        };
        Ok(Self { index: Index::new(&options)?, bytes })
    }
}

impl Engine for USearch {
    fn name(&self) -> &'static str {
        if self.bytes { "usearch 8-bit" } else { "usearch" }
    }

    fn build(&mut self, vectors: &[f32]) -> Fallible<()> {
        self.index.reserve(vectors.len() / super::DIMENSIONS)?;
        for (id, vector) in vectors.chunks_exact(super::DIMENSIONS).enumerate() {
            self.index.add(id as u64, vector)?;
        }
        Ok(())
    }

    fn search(&mut self, query: &[f32], k: usize, effort: usize) -> Fallible<Vec<usize>> {
        self.index.change_expansion_search(effort);
        let found = self.index.search(query, k)?;
        Ok(found.keys.iter().map(|key| *key as usize).collect())
    }

    fn bytes(&self) -> Option<usize> {
        Some(self.index.memory_usage())
    }
}
