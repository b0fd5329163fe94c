//! The store in memory. New vectors go to a buffer that is searched exactly. A large buffer becomes a segment
//! with a graph, together with segments that are not much larger, to keep the number of segments small. Removed and
//! replaced vectors stay as tombstones until their segment is rebuilt.

use super::graph::{Graph, build};
use super::rows::{Facts, Rows};
use super::vector_store::{Hit, VectorEntry, VectorQuery, VectorStore};
use async_trait::async_trait;
use lab_protocol::checks::whole;
use lab_protocol::{ErrorCode, LabError, Metadata, Similarity, Text, text};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::rc::Rc;

/// Settings of a store.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    pub similarity: Similarity,
    /// With fewer vectors there is no graph: exact search is as fast.
    pub exact_below: usize,
    /// Candidates while a graph is built (`efConstruction`): more make a better graph, more slowly.
    pub build_effort: usize,
    /// Candidates while a graph is searched (`ef`), unless the query has its own number.
    pub effort: usize,
    /// The same seed and the same vectors in the same order give the same graph.
    pub seed: u64,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            similarity: Similarity::default(),
            exact_below: 4096,
            build_effort: 100,
            effort: 64,
            seed: 1337,
        }
    }
}

impl StoreConfig {
    pub fn validate(&self) -> Result<(), LabError> {
        // A graph needs a few nodes for its layers.
        whole("exact_below", self.exact_below, 2, 1 << 30)?;
        whole("build_effort", self.build_effort, 1, 10_000)?;
        whole("effort", self.effort, 1, 1_000_000)
    }
}

/// The maximum length of a vector.
pub(super) const MAX_DIMENSIONS: usize = 65_536;
/// A segment is rebuilt when more than this percentage of its vectors is removed.
const MAX_REMOVED_PERCENT: usize = 35;

#[derive(Clone, Debug)]
pub struct MemoryStore {
    pub(super) config: StoreConfig,
    pub(super) rows: Rows,
    /// The id of each row.
    pub(super) ids: Vec<String>,
    pub(super) metadata: Vec<Rc<Metadata>>,
    pub(super) live: Vec<bool>,
    /// In the order of their rows, without gaps. The rows after the last segment are the buffer.
    pub(super) segments: Vec<Segment>,
    /// The row of each live id.
    pub(super) places: HashMap<String, u32>,
}

/// Rows with a graph.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub rows: Range<usize>,
    /// Node i is row `rows.start + i`.
    pub graph: Graph,
    /// Rows after the nodes with the same vector as a node: (node, row), sorted.
    pub duplicates: Vec<(u32, u32)>,
    /// Number of tombstones.
    pub removed: usize,
}

impl MemoryStore {
    pub fn new(dimensions: usize, config: StoreConfig) -> Result<Self, LabError> {
        config.validate()?;
        if !(1..=MAX_DIMENSIONS).contains(&dimensions) {
            return Err(LabError::config(
                "dimensions",
                text!("vectors of {dimensions} numbers", dimensions),
                text!("Use vectors of 1 to {most} numbers.", most = MAX_DIMENSIONS),
            ));
        }
        Ok(Self {
            config,
            rows: Rows::new(dimensions, config.similarity),
            ids: Vec::new(),
            metadata: Vec::new(),
            live: Vec::new(),
            segments: Vec::new(),
            places: HashMap::new(),
        })
    }

    pub fn dimensions(&self) -> usize {
        self.rows.dimensions
    }

    pub fn len(&self) -> usize {
        self.places.len()
    }

    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub fn contains(&self, id: &str) -> bool {
        self.places.contains_key(id)
    }

    /// The vector of an id as stored: of length 1 with cosine.
    pub fn vector(&self, id: &str) -> Option<&[f32]> {
        self.places
            .get(id)
            .map(|&row| self.rows.vector(row as usize))
    }

    /// Number of rows in graphs; the others are searched exactly.
    pub fn in_graphs(&self) -> usize {
        self.sealed()
    }

    /// Bytes of vectors and graphs in memory, without ids and metadata.
    pub fn bytes(&self) -> usize {
        let row = 5 * self.rows.dimensions + size_of::<Facts>();
        let graphs: usize = self
            .segments
            .iter()
            .map(|segment| segment.graph.bytes() + 8 * segment.duplicates.len())
            .sum();
        self.rows.len() * row + graphs
    }

    /// A number that differs if the graphs differ.
    pub fn fingerprint(&self) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        for segment in &self.segments {
            for links in &segment.graph.layers {
                for number in links.offsets.iter().chain(&links.targets) {
                    hasher.update(&number.to_le_bytes());
                }
            }
            self.ids[segment.rows.clone()]
                .iter()
                .for_each(|id| hasher.update(id.as_bytes()));
        }
        hasher.finalize()
    }

    pub(super) fn sealed(&self) -> usize {
        self.segments.last().map_or(0, |segment| segment.rows.end)
    }

    /// Adds or replaces vectors. An error leaves the store as it was.
    pub fn put(&mut self, entries: Vec<VectorEntry>) -> Result<(), LabError> {
        let mut names = HashSet::new();
        for entry in &entries {
            check_vector(&entry.vector, self.dimensions(), Some(&entry.id))?;
            if !names.insert(entry.id.as_str()) {
                return Err(invalid(
                    text!("the id \"{id}\" comes twice", id = entry.id),
                    "Give every vector an id of its own.",
                ));
            }
        }
        if self.rows.len() + entries.len() > 1 << 30 {
            return Err(invalid("too many vectors", "Keep them in several stores."));
        }
        for entry in entries {
            self.mark_removed(&entry.id);
            let row = self.rows.len() as u32;
            let vector = self.rows.normalized(&entry.vector);
            self.rows.push(&vector);
            self.places.insert(entry.id.clone(), row);
            self.ids.push(entry.id);
            self.metadata.push(entry.metadata);
            self.live.push(true);
        }
        self.maintain()
    }

    /// Removes vectors. Returns how many it had.
    pub fn remove(&mut self, ids: &[&str]) -> Result<usize, LabError> {
        let removed = ids.iter().filter(|id| self.mark_removed(id)).count();
        self.maintain()?;
        Ok(removed)
    }

    /// Leaves a tombstone. Returns whether the id was there.
    fn mark_removed(&mut self, id: &str) -> bool {
        let Some(row) = self.places.remove(id) else {
            return false;
        };
        let row = row as usize;
        self.live[row] = false;
        self.ids[row] = String::new();
        self.metadata[row] = Rc::default();
        if let Some(segment) = self
            .segments
            .iter_mut()
            .find(|segment| segment.rows.contains(&row))
        {
            segment.removed += 1;
        }
        true
    }

    /// Rebuilds segments with too many tombstones, and gives a large buffer a graph.
    fn maintain(&mut self) -> Result<(), LabError> {
        let needs_rebuild =
            |segment: &Segment| segment.removed * 100 > segment.rows.len() * MAX_REMOVED_PERCENT;
        let mut from = self
            .segments
            .iter()
            .find(|s| needs_rebuild(s))
            .map(|s| s.rows.start);
        let buffer = self.live[self.sealed()..]
            .iter()
            .filter(|live| **live)
            .count();
        if buffer >= self.config.exact_below {
            // A segment that is at most twice as large as all that follows it joins the new one.
            let mut size = buffer;
            let mut start = self.sealed();
            for segment in self.segments.iter().rev() {
                let live = segment.rows.len() - segment.removed;
                if live > 2 * size {
                    break;
                }
                size += live;
                start = segment.rows.start;
            }
            from = Some(from.map_or(start, |from| from.min(start)));
        } else if self.rows.len() - self.sealed() > 2 * buffer + 64 {
            from = Some(from.unwrap_or(self.sealed()));
        }
        match from {
            Some(from) => self.rebuild(from),
            None => Ok(()),
        }
    }

    /// Drops the removed rows from `from` on, and gives the others a graph if they are enough. Changes nothing
    /// until the graph is built.
    fn rebuild(&mut self, from: usize) -> Result<(), LabError> {
        let alive: Vec<u32> = (from..self.rows.len())
            .filter(|&row| self.live[row])
            .map(|row| row as u32)
            .collect();
        let (mut order, mut duplicates, mut graph) = (alive, Vec::new(), None);
        if order.len() >= self.config.exact_below {
            let (distinct, copies) = self.distinct(&order);
            let (built, nodes) = build(
                &self.rows,
                &distinct,
                self.config.seed,
                self.config.build_effort,
            )?;
            let node_of: HashMap<u32, u32> = nodes
                .iter()
                .enumerate()
                .map(|(node, &row)| (row, node as u32))
                .collect();
            order = nodes;
            for (row, copy) in copies {
                duplicates.push((
                    node_of.get(&row).copied().unwrap_or(0),
                    (from + order.len()) as u32,
                ));
                order.push(copy);
            }
            duplicates.sort_unstable();
            graph = Some(built);
        }
        let rows = self.rows.select(&order);
        let ids: Vec<String> = order
            .iter()
            .map(|&row| std::mem::take(&mut self.ids[row as usize]))
            .collect();
        let metadata: Vec<Rc<Metadata>> = order
            .iter()
            .map(|&row| self.metadata[row as usize].clone())
            .collect();
        self.rows.truncate(from);
        self.rows.append(rows);
        self.ids.truncate(from);
        self.ids.extend(ids);
        self.metadata.truncate(from);
        self.metadata.extend(metadata);
        self.live.truncate(from);
        self.live.resize(self.rows.len(), true);
        for row in from..self.rows.len() {
            self.places.insert(self.ids[row].clone(), row as u32);
        }
        self.segments.retain(|segment| segment.rows.start < from);
        if let Some(graph) = graph {
            self.segments.push(Segment {
                rows: from..self.rows.len(),
                graph,
                duplicates,
                removed: 0,
            });
        }
        Ok(())
    }

    /// Rows with distinct vectors, and for every copy (row of the first, row of the copy).
    fn distinct(&self, rows: &[u32]) -> (Vec<u32>, Vec<(u32, u32)>) {
        let mut first: HashMap<Vec<u32>, u32> = HashMap::new();
        let (mut distinct, mut copies) = (Vec::new(), Vec::new());
        for &row in rows {
            // Minus zero is zero.
            let bits = self
                .rows
                .vector(row as usize)
                .iter()
                .map(|v| (v + 0.0).to_bits())
                .collect();
            match first.entry(bits) {
                std::collections::hash_map::Entry::Occupied(entry) => {
                    copies.push((*entry.get(), row))
                }
                std::collections::hash_map::Entry::Vacant(entry) => {
                    entry.insert(row);
                    distinct.push(row);
                }
            }
        }
        (distinct, copies)
    }
}

#[async_trait(?Send)]
impl VectorStore for MemoryStore {
    async fn put(&mut self, entries: Vec<VectorEntry>) -> Result<(), LabError> {
        MemoryStore::put(self, entries)
    }

    async fn remove(&mut self, ids: &[&str]) -> Result<usize, LabError> {
        MemoryStore::remove(self, ids)
    }

    async fn search(&self, query: &VectorQuery<'_>) -> Result<Vec<Hit>, LabError> {
        MemoryStore::search(self, query)
    }

    async fn count(&self) -> Result<usize, LabError> {
        Ok(self.len())
    }
}

/// Numbers beyond this overflow when they are squared.
pub(super) const LARGEST: f32 = 1e15;

pub(super) fn is_usable(vector: &[f32]) -> bool {
    let usable = |value: &f32| value.is_finite() && value.abs() <= LARGEST;
    vector.iter().all(usable)
}

/// An error unless the vector called `id`, or a query's, has so many numbers, and all can be used.
pub(super) fn check_vector(
    vector: &[f32],
    dimensions: usize,
    id: Option<&str>,
) -> Result<(), LabError> {
    let numbers = vector.len();
    if numbers != dimensions {
        let message = match id {
            Some(id) => text!(
                "the vector of \"{id}\" has {numbers} numbers, not {dimensions}",
                id,
                numbers,
                dimensions
            ),
            None => text!(
                "the query's vector has {numbers} numbers, not {dimensions}",
                numbers,
                dimensions
            ),
        };
        return Err(invalid(message, "Embed all texts with the same embedder."));
    }
    if !is_usable(vector) {
        let largest = format!("{LARGEST:e}");
        let message = match id {
            Some(id) => text!(
                "the vector of \"{id}\" has a number that is not finite, or beyond {largest}",
                id,
                largest
            ),
            None => text!(
                "the query's vector has a number that is not finite, or beyond {largest}",
                largest
            ),
        };
        return Err(invalid(message, "Check the embedder: it gave this vector."));
    }
    Ok(())
}

pub(crate) fn check_k(k: usize) -> Result<(), LabError> {
    if k > 0 {
        return Ok(());
    }
    Err(LabError::config("k", "k is 0", "Use at least 1."))
}

fn invalid(message: impl Into<Text>, hint: &str) -> LabError {
    LabError::new(ErrorCode::InvalidData, message, hint).at("vectors")
}
