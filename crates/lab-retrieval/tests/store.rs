//! Random sequences of operations on a store, against a plain list with exact search.

use lab_protocol::{Metadata, Similarity};
use lab_retrieval::{Filter, Hit, MemoryStore, StoreConfig, VectorEntry, VectorQuery};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::rc::Rc;

const DIMENSIONS: usize = 12;

#[derive(Clone, Debug)]
enum Action {
    /// Adds or replaces: ids from a small range, so both happen. Coarse values make copies.
    Put(Vec<(u16, [i8; DIMENSIONS])>),
    Remove(Vec<u16>),
    /// Query, k, and whether only ids with an even number may come back.
    Search([i8; DIMENSIONS], usize, bool),
}

fn action() -> impl Strategy<Value = Action> {
    let value = || prop::array::uniform12(-3i8..=3);
    prop_oneof![
        3 => prop::collection::vec((0u16..200, value()), 1..60).prop_map(Action::Put),
        2 => prop::collection::vec(0u16..200, 1..50).prop_map(Action::Remove),
        4 => (value(), 1usize..40, any::<bool>()).prop_map(|(q, k, f)| Action::Search(q, k, f)),
    ]
}

fn vector(values: &[i8; DIMENSIONS]) -> Vec<f32> {
    values
        .iter()
        .map(|value| f32::from(*value) * 0.37)
        .collect()
}

fn score(similarity: Similarity, a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter()
            .zip(b)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum()
    };
    match similarity {
        Similarity::Dot => dot(a, b),
        Similarity::Cosine => {
            let lengths = (dot(a, a) * dot(b, b)).sqrt();
            if lengths > 0.0 {
                dot(a, b) / lengths
            } else {
                0.0
            }
        }
        Similarity::Euclidean => -(dot(a, a) + dot(b, b) - 2.0 * dot(a, b)).max(0.0).sqrt(),
    }
}

/// Scores are right, nothing comes back that must not, and as much as there is. How near to the nearest a
/// graph's answers are is measured elsewhere; without a graph they are the nearest.
fn check(
    hits: &[Hit],
    model: &BTreeMap<u16, Vec<f32>>,
    query: &[f32],
    k: usize,
    even: bool,
    similarity: Similarity,
    exact: bool,
) -> Result<(), TestCaseError> {
    let mut best: Vec<f64> = model
        .iter()
        .filter(|(id, _)| !even || id.is_multiple_of(2))
        .map(|(_, vector)| score(similarity, query, vector))
        .collect();
    best.sort_by(|a, b| b.total_cmp(a));
    best.truncate(k);
    prop_assert_eq!(
        hits.len(),
        best.len(),
        "k results come back when there are k"
    );
    let mut seen = std::collections::HashSet::new();
    let mut before = f32::INFINITY;
    for (hit, best) in hits.iter().zip(best) {
        let id: u16 = hit.id.parse().unwrap();
        prop_assert!(seen.insert(id), "{id} came twice");
        prop_assert!(!even || id.is_multiple_of(2), "{id} was filtered out");
        let Some(vector) = model.get(&id) else {
            return Err(TestCaseError::fail(format!("{id} was removed")));
        };
        let right = score(similarity, query, vector);
        // A root makes small errors near zero larger.
        let tolerance = if similarity == Similarity::Euclidean {
            2e-3
        } else {
            2e-5
        };
        prop_assert!(
            (f64::from(hit.score) - right).abs() < tolerance,
            "{} for {right}",
            hit.score
        );
        prop_assert!(
            !exact || right > best - tolerance,
            "{id} with {right} is not among the nearest"
        );
        prop_assert!(hit.score <= before, "best first");
        before = hit.score;
    }
    Ok(())
}

proptest! {
    // 1,000 sequences, the settings of each drawn.
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_store_agrees_with_a_plain_list(
        actions in prop::collection::vec(action(), 1..25),
        similarity in prop_oneof![Just(Similarity::Cosine), Just(Similarity::Dot), Just(Similarity::Euclidean)],
        exact_below in prop_oneof![Just(1_000usize), Just(40), Just(100)],
        seed in 0u64..1000,
    ) {
        let config = StoreConfig { similarity, exact_below, seed, ..StoreConfig::default() };
        let mut store = MemoryStore::new(DIMENSIONS, config).unwrap();
        let mut model: BTreeMap<u16, Vec<f32>> = BTreeMap::new();
        let filter = Filter::Equals { key: "even".into(), value: true.into() };
        for action in actions {
            match action {
                Action::Put(entries) => {
                    let new: BTreeMap<u16, Vec<f32>> = entries.iter().map(|(id, v)| (*id, vector(v))).collect();
                    store.put(new.iter().map(|(id, vector)| VectorEntry {
                        id: id.to_string(),
                        vector: vector.clone(),
                        metadata: Rc::new(Metadata::from([("even".into(), (id.is_multiple_of(2)).into())])),
                    }).collect()).unwrap();
                    model.extend(new);
                }
                Action::Remove(ids) => {
                    let names: Vec<String> = ids.iter().map(u16::to_string).collect();
                    let names: Vec<&str> = names.iter().map(String::as_str).collect();
                    let there = ids.iter().filter(|id| model.remove(id).is_some()).count();
                    prop_assert_eq!(store.remove(&names).unwrap(), there);
                }
                Action::Search(query, k, even) => {
                    let query = vector(&query);
                    let request = VectorQuery { filter: even.then_some(&filter), ..VectorQuery::new(&query, k) };
                    let exact = store.in_graphs() == 0;
                    check(&store.search(&request).unwrap(), &model, &query, k, even, similarity, exact)?;
                    check(&store.search_exact(&request).unwrap(), &model, &query, k, even, similarity, true)?;
                }
            }
            prop_assert_eq!(store.len(), model.len());
        }
    }
}

/// Made-up vectors around centres, as embeddings are.
fn clustered(number: usize, dimensions: usize) -> Vec<Vec<f32>> {
    let mut state = 1u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let centres: Vec<Vec<f32>> = (0..50)
        .map(|_| (0..dimensions).map(|_| next()).collect())
        .collect();
    (0..number)
        .map(|i| {
            centres[i % 50]
                .iter()
                .map(|centre| centre + 0.6 * next())
                .collect()
        })
        .collect()
}

fn filled(vectors: &[Vec<f32>], config: StoreConfig) -> MemoryStore {
    let mut store = MemoryStore::new(vectors[0].len(), config).unwrap();
    let entries = vectors.iter().enumerate().map(|(i, vector)| VectorEntry {
        id: i.to_string(),
        vector: vector.clone(),
        metadata: Rc::new(Metadata::from([(
            "third".into(),
            i.is_multiple_of(300).into(),
        )])),
    });
    store.put(entries.collect()).unwrap();
    store
}

fn recall(store: &MemoryStore, queries: &[Vec<f32>], filter: Option<&Filter>) -> f64 {
    let found = queries.iter().map(|query| {
        let request = VectorQuery {
            filter,
            ..VectorQuery::new(query, 10)
        };
        let ids = |hits: Vec<Hit>| hits.into_iter().map(|hit| hit.id).collect::<Vec<_>>();
        let (found, exact) = (
            ids(store.search(&request).unwrap()),
            ids(store.search_exact(&request).unwrap()),
        );
        assert_eq!(found.len(), exact.len());
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        let exact: Vec<&str> = exact.iter().map(String::as_str).collect();
        lab_retrieval::measures::index_recall(&found, &exact)
    });
    found.sum::<f64>() / queries.len() as f64
}

#[test]
fn a_graph_finds_nearly_all_of_the_nearest_and_all_that_a_selective_filter_lets_through() {
    let all = clustered(3200, 64);
    let (vectors, queries) = all.split_at(3000);
    for similarity in [Similarity::Cosine, Similarity::Dot, Similarity::Euclidean] {
        let store = filled(
            vectors,
            StoreConfig {
                similarity,
                exact_below: 500,
                ..StoreConfig::default()
            },
        );
        assert_eq!(store.in_graphs(), 3000);
        let plain = recall(&store, queries, None);
        assert!(plain > 0.97, "{similarity:?}: {plain}");
        let filter = Filter::Equals {
            key: "third".into(),
            value: true.into(),
        };
        assert_eq!(
            recall(&store, queries, Some(&filter)),
            1.0,
            "10 of 3,000 pass: exact"
        );
    }
}

#[test]
fn copies_of_a_vector_do_not_hide_its_neighbours() {
    let mut vectors = clustered(1500, 32);
    for i in 0..500 {
        vectors[i * 3] = vectors[0].clone();
    }
    let store = filled(
        &vectors,
        StoreConfig {
            exact_below: 100,
            ..StoreConfig::default()
        },
    );
    let queries = clustered(1600, 32).split_off(1500);
    let recall = recall(&store, &queries, None);
    assert!(recall > 0.97, "{recall}");
}

#[test]
fn the_same_seed_gives_the_same_graph_and_another_seed_another() {
    let vectors = clustered(800, 32);
    let graph = |seed| {
        filled(
            &vectors,
            StoreConfig {
                exact_below: 100,
                seed,
                ..StoreConfig::default()
            },
        )
        .fingerprint()
    };
    assert_eq!(graph(1), graph(1));
    assert_ne!(graph(1), graph(2));
}

#[test]
fn bad_vectors_are_refused_and_leave_the_store_as_it_was() {
    let mut store = filled(&clustered(20, 8), StoreConfig::default());
    let entry = |id: &str, vector: Vec<f32>| VectorEntry {
        id: id.into(),
        vector,
        metadata: Rc::default(),
    };
    for (what, entries) in [
        (
            "a wrong length",
            vec![entry("a", vec![0.0; 8]), entry("b", vec![0.0; 7])],
        ),
        (
            "NaN",
            vec![entry("a", vec![0.0; 8]), entry("b", vec![f32::NAN; 8])],
        ),
        ("infinity", vec![entry("a", vec![f32::INFINITY; 8])]),
        (
            "an id twice",
            vec![entry("a", vec![0.0; 8]), entry("a", vec![1.0; 8])],
        ),
    ] {
        let error = store.put(entries).expect_err(what);
        assert!(
            error.code.is_input() && !error.hint.is_empty(),
            "{what}: {error}"
        );
        assert_eq!(store.len(), 20);
        assert!(!store.contains("a"));
    }
    assert!(
        store.search(&VectorQuery::new(&[0.0; 8], 0)).is_err(),
        "k of 0"
    );
    assert!(store.search(&VectorQuery::new(&[0.0; 7], 3)).is_err());
    assert!(store.search(&VectorQuery::new(&[f32::NAN; 8], 3)).is_err());
    assert_eq!(
        store
            .search(&VectorQuery::new(&[0.1; 8], 500))
            .unwrap()
            .len(),
        20,
        "k beyond the set"
    );
    let empty = MemoryStore::new(8, StoreConfig::default()).unwrap();
    assert!(
        empty
            .search(&VectorQuery::new(&[0.1; 8], 5))
            .unwrap()
            .is_empty()
    );
    store.put(Vec::new()).unwrap();
}
