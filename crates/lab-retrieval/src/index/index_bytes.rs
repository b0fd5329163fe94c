//! An index as bytes: magic bytes, a version, the content, and a checksum over all of it. Reading checks all of
//! the content before using it: a checksum protects from accidents, not from malice.

use super::bm25::Bm25;
use super::document_index::{Entry, Index, IndexConfig, document_of, key};
use crate::store::MemoryStore;
use crate::store::bytes::{Reader, Writer, corrupt};
use crate::text::Chunk;
use lab_protocol::{ErrorCode, LabError, Metadata, text};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

const MAGIC: &[u8; 8] = b"LLMLABIX";
/// Raised when an old reader would misread a new file.
const VERSION: usize = 1;

/// The content without the numbers.
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
            bytes: MAGIC.to_vec(),
        };
        writer.number(VERSION);
        writer.text(&head);
        if let Some(store) = &self.store {
            store.write(&mut writer);
        }
        let sum = crc32fast::hash(&writer.bytes);
        writer.bytes.extend(sum.to_le_bytes());
        Ok(writer.bytes)
    }

    /// Reads an index. Its terms are counted again from the chunks.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LabError> {
        let Some(content) = bytes.strip_prefix(MAGIC) else {
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
                text!(
                    "the index has layout version {version}, this program reads {known}",
                    version,
                    known = VERSION
                ),
                "Index the documents again.",
            )
            .at("index"));
        }
        let (all, sum) = bytes
            .split_last_chunk::<4>()
            .ok_or_else(|| corrupt("the index file is damaged: it ends too soon"))?;
        if crc32fast::hash(all) != u32::from_le_bytes(*sum) {
            return Err(corrupt("the index file is damaged: its checksum is wrong"));
        }
        let mut reader = Reader::new(all.get(MAGIC.len() + 8..).unwrap_or_default());
        let head: Head = serde_json::from_str(reader.text()?).map_err(|error| {
            corrupt(text!(
                "the index file is damaged: its head cannot be read ({error})",
                error
            ))
        })?;
        let config = head.config;
        config
            .chunking
            .validate()
            .map_err(|error| error.at("index"))?;
        let documents = documents(head.documents)?;
        let store = match head.embedder {
            Some(_) => {
                let metadata = |id: &str| {
                    let entry = document_of(id).and_then(|document| documents.get(document));
                    entry
                        .map(|entry| Rc::clone(&entry.metadata))
                        .unwrap_or_default()
                };
                let store = MemoryStore::read(&mut reader, config.store, &metadata)?;
                check_keys(&store, &documents)?;
                Some(store)
            }
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

/// The documents by id. Their chunks must be their own and numbered from 0.
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
            return Err(corrupt(
                "the index file is damaged: its chunks and documents do not fit",
            ));
        }
    }
    Ok(documents)
}

/// Checks that each chunk has one vector.
fn check_keys(store: &MemoryStore, documents: &BTreeMap<String, Entry>) -> Result<(), LabError> {
    let keys: HashSet<String> = documents
        .values()
        .flat_map(|entry| entry.chunks.iter().map(key))
        .collect();
    if keys.len() != store.len() || !keys.iter().all(|key| store.contains(key)) {
        return Err(corrupt(
            "the index file is damaged: its chunks and vectors do not fit",
        ));
    }
    Ok(())
}
