//! The graph of a seed is the same on every machine: this is the number that wasm.test.mjs finds too.

#[path = "../examples/same_graph.rs"]
#[allow(dead_code)]
mod same_graph;

const FINGERPRINTS: &str = include_str!("fingerprints.json");

#[test]
fn the_graph_is_the_one_on_record() {
    let expected: Vec<[u64; 3]> = serde_json::from_str(FINGERPRINTS).unwrap();
    for [number, seed, fingerprint] in expected {
        assert_eq!(
            u64::from(same_graph::fingerprint(number as u32, seed)),
            fingerprint,
            "{number} vectors, seed {seed}"
        );
    }
}
