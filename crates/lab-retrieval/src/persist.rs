//! An index as bytes: a mark, a version, the content, and a checksum over all of it. What is read is checked
//! wholly before it is used, for a checksum keeps out accidents and not ill will.

use crate::bm25::Bm25;
use crate::bytes::{Reader, Writer, corrupt};
use crate::chunk::Chunk;
use crate::graph::{Graph, Links};
use crate::index::{Entry, Index, IndexConfig, key};
use crate::memory::{MAX_DIMENSIONS, MemoryStore, Segment, check_vector};
use lab_protocol::{ErrorCode, LabError, Metadata};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

const MARK: &[u8; 8] = b"LLMLABIX";
/// Raised when an old reader would misunderstand a new file.
const VERSION: usize = 1;

/// Everything but numbers.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    config: IndexConfig,
    embedder: Option<Value>,
    documents: Vec<Document>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    id: String,
    metadata: Metadata,
    chunks: Vec<Chunk>,
}

impl Index {
    /// The index as the bytes of a file.
    pub fn to_bytes(&self) -> Result<Vec<u8>, LabError> {
        let documents = self.documents.iter().map(|(id, entry)| Document {
            id: id.clone(),
            metadata: (*entry.metadata).clone(),
            chunks: entry.chunks.clone(),
        });
        let head = Head {
            config: self.config,
            embedder: self.embedder.clone(),
            documents: documents.collect(),
        };
        let head = serde_json::to_string(&head).map_err(|e| LabError::internal(e.to_string()))?;
        let mut writer = Writer {
            bytes: MARK.to_vec(),
        };
        writer.number(VERSION);
        writer.text(&head);
        if let Some(store) = &self.store {
            write_store(store, &mut writer);
        }
        let sum = crc32fast::hash(&writer.bytes);
        writer.bytes.extend(sum.to_le_bytes());
        Ok(writer.bytes)
    }

    /// The index of a file. Its search by words is made anew from the chunks.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LabError> {
        let Some(content) = bytes.strip_prefix(MARK) else {
            return Err(LabError::new(
                ErrorCode::InvalidData,
                "the file is not an index of LLM Labs",
                "Make one with `lab index`.",
            )
            .at("index"));
        };
        let mut reader = Reader::new(content);
        let version = reader.number()?;
        if version != VERSION {
            return Err(LabError::new(
                ErrorCode::InvalidData,
                format!("the index has layout version {version}, this program reads {VERSION}"),
                "Make the index anew from its documents.",
            )
            .at("index"));
        }
        let (all, sum) = bytes
            .split_last_chunk::<4>()
            .ok_or_else(|| corrupt("it ends too soon"))?;
        if crc32fast::hash(all) != u32::from_le_bytes(*sum) {
            return Err(corrupt("its checksum is wrong"));
        }
        let mut reader = Reader::new(all.get(MARK.len() + 8..).unwrap_or_default());
        let head: Head = serde_json::from_str(reader.text()?)
            .map_err(|error| corrupt(&format!("its head cannot be read ({error})")))?;
        let config = head.config;
        config
            .chunking
            .validate()
            .map_err(|error| error.at("index"))?;
        let documents = documents(head.documents)?;
        let store = match head.embedder {
            Some(_) => Some(read_store(&mut reader, &config, &documents)?),
            None => None,
        };
        reader.end()?;
        let mut bm25 = Bm25::new(config.bm25);
        for chunk in documents.values().flat_map(|entry| &entry.chunks) {
            bm25.put(&key(chunk), &chunk.text);
        }
        Ok(Self {
            config,
            embedder: head.embedder,
            documents,
            store,
            bm25,
        })
    }
}

/// By id, with chunks that are theirs and numbered from 0.
fn documents(list: Vec<Document>) -> Result<BTreeMap<String, Entry>, LabError> {
    let mut documents = BTreeMap::new();
    for document in list {
        let own = document.chunks.iter().enumerate().all(|(number, chunk)| {
            chunk.document == document.id && chunk.number == number && chunk.start <= chunk.end
        });
        let entry = Entry {
            metadata: Rc::new(document.metadata),
            chunks: document.chunks,
        };
        if !own || documents.insert(document.id, entry).is_some() {
            return Err(corrupt("its chunks and documents do not fit"));
        }
    }
    Ok(documents)
}

fn write_store(store: &MemoryStore, writer: &mut Writer) {
    writer.number(store.dimensions());
    writer.f32s(&store.rows.full);
    writer.number(store.ids.len());
    for (id, &live) in store.ids.iter().zip(&store.live) {
        writer.text(id);
        writer.number(usize::from(live));
    }
    writer.number(store.segments.len());
    for segment in &store.segments {
        writer.number(segment.rows.end);
        let (of, rows): (Vec<u32>, Vec<u32>) = segment.twins.iter().copied().unzip();
        writer.u32s(&of);
        writer.u32s(&rows);
        writer.number(segment.graph.layers.len());
        for links in &segment.graph.layers {
            writer.u32s(&links.offsets);
            writer.u32s(&links.targets);
        }
    }
}

fn read_store(
    reader: &mut Reader,
    config: &IndexConfig,
    documents: &BTreeMap<String, Entry>,
) -> Result<MemoryStore, LabError> {
    let dimensions = reader.number()?;
    if !(1..=MAX_DIMENSIONS).contains(&dimensions) {
        return Err(corrupt("its vectors have an impossible length"));
    }
    let mut store =
        MemoryStore::new(dimensions, config.store).map_err(|error| error.at("index"))?;
    let full = reader.f32s()?;
    if full.len() % dimensions != 0 {
        return Err(corrupt("a vector is cut short"));
    }
    for vector in full.chunks_exact(dimensions) {
        check_vector(vector, dimensions, "a vector").map_err(|error| corrupt(&error.message))?;
        store.rows.push(vector);
    }
    // An id takes at least its length and its mark.
    let number = reader.count(16)?;
    if number != store.rows.len() {
        return Err(corrupt("it has not as many ids as vectors"));
    }
    for row in 0..number {
        let id = reader.text()?.to_owned();
        let live = match reader.number()? {
            0 => false,
            1 => true,
            _ => return Err(corrupt("a mark is neither yes nor no")),
        };
        if live && store.places.insert(id.clone(), row as u32).is_some() {
            return Err(corrupt("an id comes twice"));
        }
        let entry = id
            .rsplit_once('#')
            .and_then(|(document, _)| documents.get(document));
        store.metadata.push(
            entry
                .map(|entry| entry.metadata.clone())
                .unwrap_or_default(),
        );
        store.ids.push(id);
        store.live.push(live);
    }
    check_keys(&store, documents)?;
    // A segment takes at least five numbers.
    for _ in 0..reader.count(40)? {
        let segment = read_segment(reader, &store)?;
        store.segments.push(segment);
    }
    Ok(store)
}

/// The vectors are those of the chunks, one each.
fn check_keys(store: &MemoryStore, documents: &BTreeMap<String, Entry>) -> Result<(), LabError> {
    let keys: HashSet<String> = documents
        .values()
        .flat_map(|entry| entry.chunks.iter().map(key))
        .collect();
    if keys.len() != store.len() || !store.places.keys().all(|id| keys.contains(id)) {
        return Err(corrupt("its chunks and vectors do not fit"));
    }
    Ok(())
}

fn read_segment(reader: &mut Reader, store: &MemoryStore) -> Result<Segment, LabError> {
    let start = store.in_graphs();
    let end = reader.number()?;
    if end <= start || end > store.rows.len() {
        return Err(corrupt("the bounds of a graph are wrong"));
    }
    let (of, rows) = (reader.u32s()?, reader.u32s()?);
    let mut layers = Vec::new();
    // A layer takes at least its two counts.
    for _ in 0..reader.count(16)? {
        layers.push(Links {
            offsets: reader.u32s()?,
            targets: reader.u32s()?,
        });
    }
    let graph = Graph { layers };
    check_graph(&graph)?;
    // Nodes first, then the copies, each of which belongs to a node.
    let nodes = graph.nodes();
    let copies: HashSet<u32> = rows.iter().copied().collect();
    let fits = of.len() == rows.len()
        && nodes + rows.len() == end - start
        && copies.len() == rows.len()
        && rows
            .iter()
            .all(|&row| (start + nodes..end).contains(&(row as usize)))
        && of.iter().all(|&node| (node as usize) < nodes)
        && of.is_sorted();
    if !fits {
        return Err(corrupt("the copies in a graph are wrong"));
    }
    let dead = store.live[start..end].iter().filter(|live| !**live).count();
    Ok(Segment {
        rows: start..end,
        graph,
        twins: of.into_iter().zip(rows).collect(),
        dead,
    })
}

/// Every link leads to a node of its layer, and every layer is within the one below.
fn check_graph(graph: &Graph) -> Result<(), LabError> {
    let mut below = usize::MAX;
    for links in &graph.layers {
        let nodes = links.nodes();
        let whole = links.offsets.first() == Some(&0)
            && links.offsets.is_sorted()
            && links
                .offsets
                .last()
                .is_some_and(|&last| last as usize == links.targets.len());
        let inside = links
            .targets
            .iter()
            .all(|&target| (target as usize) < nodes);
        if !whole || !inside || nodes == 0 || nodes > below {
            return Err(corrupt("the links of a graph are wrong"));
        }
        below = nodes;
    }
    if graph.layers.is_empty() {
        Err(corrupt("a graph has no layer"))
    } else {
        Ok(())
    }
}
