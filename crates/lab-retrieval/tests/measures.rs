//! Measures and BM25 against independent implementations: golden values in tests/golden/retrieval.

use lab_retrieval::measures::{
    Gain, Judgements, ndcg, percentile, precision, quality, recall, reciprocal_rank,
};
use lab_retrieval::{Bm25, Bm25Config, TermConfig};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

fn golden(name: &str) -> Value {
    let folder = match std::env::var_os("LAB_GOLDEN_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden"),
    };
    let file = folder.join("retrieval").join(name);
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

#[test]
fn measures_equal_trec_eval_and_ranx_golden() {
    let golden = golden("measures.json");
    let judgements: BTreeMap<String, Judgements> =
        serde_json::from_value(golden["judgements"].clone()).unwrap();
    let rankings: HashMap<String, Vec<String>> =
        serde_json::from_value(golden["rankings"].clone()).unwrap();
    let close = |query: &str, name: &str, ours: f64, theirs: &Value| {
        let theirs = theirs
            .as_f64()
            .unwrap_or_else(|| panic!("{query}: no {name}"));
        assert!(
            (ours - theirs).abs() < 1e-6,
            "{query} {name}: {ours}, not {theirs}"
        );
    };
    assert_eq!(rankings.len(), 12);
    for (query, ranking) in &rankings {
        let ranking: Vec<&str> = ranking.iter().map(String::as_str).collect();
        let judged = &judgements[query];
        let expected = &golden["expected"][query];
        for k in [1, 3, 10, 20] {
            close(
                query,
                "ndcg",
                ndcg(&ranking, judged, k, Gain::Linear),
                &expected[format!("ndcg_cut_{k}")],
            );
            close(
                query,
                "recall",
                recall(&ranking, judged, k),
                &expected[format!("recall_{k}")],
            );
            close(
                query,
                "precision",
                precision(&ranking, judged, k),
                &expected[format!("P_{k}")],
            );
            let burges = &golden["expected_ranx"][query][format!("ndcg_burges@{k}")];
            close(
                query,
                "ndcg, exponential",
                ndcg(&ranking, judged, k, Gain::Exponential),
                burges,
            );
        }
        close(
            query,
            "mrr",
            reciprocal_rank(&ranking, judged, usize::MAX),
            &expected["recip_rank"],
        );
        close(
            query,
            "mrr@10",
            reciprocal_rank(&ranking, judged, 10),
            &golden["expected_ranx"][query]["mrr@10"],
        );
    }
    let means = quality(&rankings, &judgements, &[10], Gain::Linear, usize::MAX).means;
    // A depth that is named twice counts once.
    let twice = quality(&rankings, &judgements, &[10, 10], Gain::Linear, usize::MAX).means;
    assert_eq!(means, twice);
    let mean = |name: &str| {
        rankings
            .keys()
            .map(|query| golden["expected"][query][name].as_f64().unwrap())
            .sum::<f64>()
            / 12.0
    };
    for (ours, theirs) in [
        ("ndcg@10", "ndcg_cut_10"),
        ("recall@10", "recall_10"),
        ("precision@10", "P_10"),
        ("mrr", "recip_rank"),
    ] {
        assert!((means[ours] - mean(theirs)).abs() < 1e-6, "{ours}");
    }
}

#[test]
fn bm25_ranks_as_a_reference_implementation_golden() {
    let text = include_str!("../../lab-village/data/moby-dick.txt");
    let mut index = Bm25::new(Bm25Config {
        terms: TermConfig {
            stemming: false,
            ..TermConfig::default()
        },
        ..Bm25Config::default()
    });
    let paragraphs = text
        .split("\n\n")
        .filter(|paragraph| !paragraph.trim().is_empty());
    for (number, paragraph) in paragraphs.take(1500).enumerate() {
        index.put(&format!("{number:05}"), paragraph);
    }
    // Texts that came and went leave no trace.
    for number in 0..200 {
        index.put(&format!("gone {number}"), "the white whale of captain ahab");
    }
    for number in 0..200 {
        assert!(index.remove(&format!("gone {number}")));
    }
    assert_eq!(index.len(), 1500);
    for query in golden("bm25.json")["queries"].as_array().unwrap() {
        let text = query["query"].as_str().unwrap();
        let hits = index.search(text, 20, &|_| true);
        let ours: Vec<usize> = hits.iter().map(|hit| hit.id.parse().unwrap()).collect();
        let theirs: Vec<usize> = serde_json::from_value(query["documents"].clone()).unwrap();
        assert_eq!(ours, theirs, "{text}");
        for (hit, score) in hits.iter().zip(query["scores"].as_array().unwrap()) {
            assert!(
                (f64::from(hit.score) - score.as_f64().unwrap()).abs() < 1e-5,
                "{text}: {}",
                hit.score
            );
        }
    }
}

/// BEIR's own evaluation embeds the title before the text, also where the text begins with it.
#[test]
fn documents_of_a_collection_begin_with_their_titles() {
    let corpus = concat!(
        "{\"_id\": \"a\", \"title\": \" A wing .\", \"text\": \"A wing . It lifts.\"}\n",
        "{\"_id\": \"b\", \"text\": \"No title.\"}\n",
    );
    let queries = "{\"_id\": \"1\", \"text\": \"wing\"}\n";
    let qrels = "query-id\tcorpus-id\tscore\n1\ta\t1\n";
    let set = lab_retrieval::measures::BeirSet::parse(corpus, queries, qrels).unwrap();
    assert_eq!(set.documents[0].content(), "A wing . A wing . It lifts.");
    assert_eq!(set.documents[1].content(), "No title.");
}

#[test]
fn percentiles_lie_between_neighbours() {
    let values = [4.0, 1.0, 3.0, 2.0];
    assert_eq!(percentile(&values, 50.0), Some(2.5));
    assert_eq!(percentile(&values, 0.0), Some(1.0));
    assert_eq!(percentile(&values, 100.0), Some(4.0));
    assert_eq!(percentile(&[], 50.0), None);
}

#[test]
fn answers_are_compared_as_in_squad() {
    use lab_retrieval::measures::{exact_match, supported, token_f1};
    assert!(exact_match("The Baker.", &["baker"]));
    assert!(!exact_match("a cook", &["baker"]));
    assert!((token_f1("the red house", &["a red barn"]) - 0.5).abs() < 1e-9);
    assert_eq!(token_f1("nothing alike", &["red barn"]), 0.0);
    let passages = [
        "Mary keeps a bakery in the old mill.",
        "The mill burned in spring.",
    ];
    assert_eq!(
        supported("Mary keeps a bakery. She sails to Spain.", &passages),
        Some(0.5)
    );
    assert_eq!(supported("", &passages), None);
}
