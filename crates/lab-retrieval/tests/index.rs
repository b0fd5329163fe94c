//! The whole index: documents that are added and removed, saved and loaded, against a simple model.

use async_trait::async_trait;
use lab_protocol::{ChunkConfig, ChunkMethod, LabError, RagDocument, RetrievalMethod};
use lab_retrieval::{
    Embedder, Filter, HashedConfig, HashedEmbedder, Index, IndexConfig, Progress, Request, Silent,
    StoreConfig, TextKind, count_words,
};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

fn embedder() -> HashedEmbedder {
    HashedEmbedder::new(HashedConfig {
        dimensions: 64,
        ..HashedConfig::default()
    })
    .unwrap()
}

fn config(exact_below: usize) -> IndexConfig {
    IndexConfig {
        chunking: ChunkConfig {
            method: ChunkMethod::Tokens,
            size: 6,
            overlap: 1,
        },
        store: StoreConfig {
            exact_below,
            ..StoreConfig::default()
        },
        ..IndexConfig::default()
    }
}

fn document(id: &str, content: &str) -> RagDocument {
    RagDocument {
        id: id.into(),
        content: content.into(),
        metadata: [("id".into(), id.into())].into(),
    }
}

fn put(index: &mut Index, documents: Vec<RagDocument>) -> Result<bool, LabError> {
    pollster::block_on(index.put(documents, &count_words, Some(&embedder()), &mut Silent))
}

fn found(index: &Index, query: &str, k: usize, method: RetrievalMethod) -> Vec<String> {
    let request = Request::new(query, k, method);
    let passages = pollster::block_on(index.search(&request, Some(&embedder()))).unwrap();
    passages
        .into_iter()
        .map(|passage| passage.chunk.document)
        .collect()
}

#[test]
fn each_method_finds_what_it_should() {
    let mut index = Index::new(config(1000), Some(&embedder())).unwrap();
    let texts = [
        "the baker bakes bread",
        "the miller grinds corn",
        "a fisher mends nets",
        "bread is sold by the baker's wife",
    ];
    let documents = texts
        .iter()
        .enumerate()
        .map(|(i, text)| document(&format!("d{i}"), text));
    assert!(put(&mut index, documents.collect()).unwrap());
    for method in [
        RetrievalMethod::Bm25,
        RetrievalMethod::Dense,
        RetrievalMethod::Hybrid,
    ] {
        assert_eq!(
            found(&index, "who mends the nets", 1, method),
            ["d2"],
            "{method:?}"
        );
        let filter = Filter::Not(Box::new(Filter::Equals {
            key: "id".into(),
            value: "d0".into(),
        }));
        let request = Request {
            filter: Some(&filter),
            ..Request::new("baker bakes bread", 4, method)
        };
        let passages = pollster::block_on(index.search(&request, Some(&embedder()))).unwrap();
        assert_eq!(passages[0].chunk.document, "d3", "{method:?}");
        assert!(
            passages
                .iter()
                .all(|passage| passage.chunk.document != "d0")
        );
    }
    let request = Request {
        threshold: Some(0.99),
        ..Request::new("zebra", 3, RetrievalMethod::Dense)
    };
    assert!(
        pollster::block_on(index.search(&request, Some(&embedder())))
            .unwrap()
            .is_empty()
    );
    let request = Request {
        diversity_balance: Some(0.3),
        ..Request::new("bread baker", 3, RetrievalMethod::Hybrid)
    };
    assert_eq!(
        pollster::block_on(index.search(&request, Some(&embedder())))
            .unwrap()
            .len(),
        3
    );
}

#[test]
fn bad_requests_are_said_plainly() {
    let mut index = Index::new(config(1000), Some(&embedder())).unwrap();
    put(&mut index, vec![]).unwrap();
    assert!(
        found(&index, "anything", 3, RetrievalMethod::Hybrid).is_empty(),
        "an empty set"
    );
    put(
        &mut index,
        vec![document("a", "one"), document("empty", "")],
    )
    .unwrap();
    let twice = put(
        &mut index,
        vec![document("b", "two"), document("b", "three")],
    )
    .unwrap_err();
    assert!(twice.message.contains("\"b\""), "{twice}");
    assert_eq!(index.documents().len(), 2);
    let search = |request: Request, embedder: Option<&dyn Embedder>| {
        pollster::block_on(index.search(&request, embedder))
            .map(|_| ())
            .unwrap_err()
    };
    let own = embedder();
    assert!(
        search(Request::new("  ", 3, RetrievalMethod::Bm25), Some(&own))
            .code
            .is_input()
    );
    assert!(
        search(Request::new("one", 0, RetrievalMethod::Bm25), Some(&own))
            .code
            .is_input()
    );
    let other = HashedEmbedder::new(HashedConfig {
        dimensions: 65,
        ..HashedConfig::default()
    })
    .unwrap();
    let error = search(Request::new("one", 1, RetrievalMethod::Dense), Some(&other));
    assert_eq!(error.field.as_deref(), Some("embedder"));
    assert!(
        search(Request::new("one", 1, RetrievalMethod::Dense), None)
            .code
            .is_input()
    );
    assert_eq!(
        found(&index, "one", 99, RetrievalMethod::Hybrid),
        ["a"],
        "k beyond the set"
    );
    let words = Index::new(config(1000), None).unwrap();
    let request = Request::new("one", 1, RetrievalMethod::Dense);
    assert!(pollster::block_on(words.search(&request, None)).is_err());
}

/// Gives up after the first batch, or returns invalid vectors.
struct Faulty(f32, usize);

#[async_trait(?Send)]
impl Embedder for Faulty {
    fn description(&self) -> Value {
        embedder().description()
    }
    fn dimensions(&self) -> usize {
        64
    }
    async fn embed(&self, texts: &[&str], _: TextKind) -> Result<Vec<Vec<f32>>, LabError> {
        Ok(vec![vec![self.0; self.1]; texts.len()])
    }
}

struct StopAt(usize);

#[async_trait(?Send)]
impl Progress for StopAt {
    async fn report(&mut self, done: usize, _: usize) -> bool {
        done < self.0
    }
}

#[test]
fn what_is_stopped_or_fails_leaves_the_index_as_it_was() {
    let mut index = Index::new(config(1000), Some(&embedder())).unwrap();
    put(&mut index, vec![document("a", "one two")]).unwrap();
    let before = index.to_bytes().unwrap();
    let many: Vec<RagDocument> = (0..100)
        .map(|i| document(&format!("m{i}"), "words"))
        .collect();
    let stopped = pollster::block_on(index.put(
        many.clone(),
        &count_words,
        Some(&embedder()),
        &mut StopAt(40),
    ));
    assert!(!stopped.unwrap());
    assert_eq!(index.to_bytes().unwrap(), before);
    for faulty in [Faulty(f32::NAN, 64), Faulty(1.0, 63)] {
        let failed =
            pollster::block_on(index.put(many.clone(), &count_words, Some(&faulty), &mut Silent));
        assert!(failed.is_err());
        assert_eq!(index.to_bytes().unwrap(), before);
    }
}

const WORDS: [&str; 12] = [
    "mill", "bread", "river", "boat", "goose", "lamp", "stone", "winter", "song", "gate", "clay",
    "wolf",
];

#[derive(Clone, Debug)]
enum Action {
    Put(Vec<(u8, Vec<u8>)>),
    Remove(Vec<u8>),
    Search(Vec<u8>, usize, u8),
    SaveAndLoad,
}

fn action() -> impl Strategy<Value = Action> {
    let words = || prop::collection::vec(0u8..12, 0..14);
    prop_oneof![
        4 => prop::collection::vec((0u8..30, words()), 1..12).prop_map(Action::Put),
        2 => prop::collection::vec(0u8..30, 1..8).prop_map(Action::Remove),
        4 => (prop::collection::vec(0u8..12, 1..4), 1usize..12, 0u8..3).prop_map(|(q, k, m)| Action::Search(q, k, m)),
        1 => Just(Action::SaveAndLoad),
    ]
}

fn sentence(words: &[u8]) -> String {
    words
        .iter()
        .map(|&word| WORDS[word as usize])
        .collect::<Vec<_>>()
        .join(" ")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn an_index_agrees_with_a_plain_list(actions in prop::collection::vec(action(), 1..20), small in any::<bool>()) {
        let mut index = Index::new(config(if small { 24 } else { 1000 }), Some(&embedder())).unwrap();
        let mut model: BTreeMap<String, String> = BTreeMap::new();
        for action in actions {
            match action {
                Action::Put(new) => {
                    let new: BTreeMap<String, String> =
                        new.iter().map(|(id, words)| (format!("d#{id}"), sentence(words))).collect();
                    put(&mut index, new.iter().map(|(id, text)| document(id, text)).collect()).unwrap();
                    model.extend(new);
                }
                Action::Remove(ids) => {
                    let ids: Vec<String> = ids.iter().map(|id| format!("d#{id}")).collect();
                    let there = ids.iter().filter(|id| model.remove(*id).is_some()).count();
                    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
                    prop_assert_eq!(index.remove(&ids).unwrap(), there);
                }
                Action::Search(words, k, method) => {
                    let query = sentence(&words);
                    let method = [RetrievalMethod::Bm25, RetrievalMethod::Dense, RetrievalMethod::Hybrid][method as usize];
                    let passages = pollster::block_on(index.search(&Request::new(&query, k, method), Some(&embedder()))).unwrap();
                    for passage in &passages {
                        let Some(text) = model.get(&passage.chunk.document) else {
                            return Err(TestCaseError::fail("a removed document came back"));
                        };
                        let part: String = text.chars().skip(passage.chunk.start).take(passage.chunk.end - passage.chunk.start).collect();
                        prop_assert_eq!(&passage.chunk.text, &part);
                        prop_assert_eq!(&passage.metadata["id"], &Value::from(passage.chunk.document.clone()));
                    }
                    let chunks = index.chunks();
                    let expected = match method {
                        // Search by terms finds exactly the chunks with one of the words.
                        RetrievalMethod::Bm25 => index.documents().values().flat_map(|entry| &entry.chunks)
                            .filter(|chunk| query.split(' ').any(|word| chunk.text.split(' ').any(|other| other == word)))
                            .count().min(k),
                        _ => chunks.min(k),
                    };
                    prop_assert_eq!(passages.len(), expected);
                    if method == RetrievalMethod::Dense && index.store().unwrap().in_graphs() == 0 {
                        let best = index.documents().values().flat_map(|entry| &entry.chunks)
                            .map(|chunk| lab_retrieval::dot(&embedder().vector(&chunk.text), &embedder().vector(&query)))
                            .fold(f32::MIN, f32::max);
                        if let Some(first) = passages.first() {
                            prop_assert!((first.score - best).abs() < 1e-5, "exact search finds the nearest");
                        }
                    }
                }
                Action::SaveAndLoad => {
                    let bytes = index.to_bytes().unwrap();
                    index = Index::from_bytes(&bytes).unwrap();
                    prop_assert_eq!(index.to_bytes().unwrap(), bytes);
                }
            }
            let ids: BTreeSet<&String> = index.documents().keys().collect();
            prop_assert_eq!(ids, model.keys().collect::<BTreeSet<_>>());
        }
    }
}

fn saved() -> Vec<u8> {
    let mut index = Index::new(config(24), Some(&embedder())).unwrap();
    let documents =
        (0..60).map(|i| document(&format!("d{i}"), &sentence(&[i % 12, i / 12, i % 7])));
    put(&mut index, documents.collect()).unwrap();
    index.remove(&["d3", "d9"]).unwrap();
    assert!(index.store().unwrap().in_graphs() > 0);
    index.to_bytes().unwrap()
}

#[test]
fn damaged_files_are_refused() {
    let bytes = saved();
    assert!(Index::from_bytes(&bytes).is_ok());
    for length in (0..bytes.len()).step_by(bytes.len() / 200) {
        assert!(
            Index::from_bytes(&bytes[..length]).is_err(),
            "cut at {length}"
        );
    }
    for place in (0..bytes.len()).step_by(bytes.len() / 500) {
        let mut bytes = bytes.clone();
        bytes[place] ^= 0x10;
        let error = Index::from_bytes(&bytes)
            .map(|_| ())
            .expect_err("a flipped bit");
        assert!(error.code.is_input());
    }
    assert!(Index::from_bytes(b"PK something else").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]
    /// Files with a right checksum over wrong content: refused, or an index that can be searched.
    #[test]
    fn hostile_files_do_no_harm(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0usize..8), 1..4)) {
        thread_local!(static SAVED: Vec<u8> = saved());
        let mut bytes = SAVED.with(Clone::clone);
        let end = bytes.len() - 4;
        for (place, value, width) in changes {
            // Most harmful values are counts, which have eight bytes.
            let place = 16 + place.index(end - 16);
            bytes[place..(place + width).min(end)].fill(value);
        }
        let sum = checksum(&bytes[..end]).to_le_bytes();
        bytes[end..].copy_from_slice(&sum);
        if let Ok(index) = Index::from_bytes(&bytes) {
            let request = Request::new("mill bread", 5, RetrievalMethod::Hybrid);
            let _ = pollster::block_on(index.search(&request, Some(&embedder())));
        }
    }
}

/// CRC-32 (IEEE 802.3), bit by bit.
fn checksum(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = (sum >> 1) ^ (0xEDB8_8320 & (sum & 1).wrapping_neg());
        }
    }
    !sum
}
