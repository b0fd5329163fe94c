//! Measures and BM25 against independent implementations: golden values in tests/golden/retrieval.

use lab_retrieval::measures::{
    Evaluation, Gain, Judgements, ndcg, percentile, precision, quality, recall, reciprocal_rank,
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
    let as_trec_eval = Evaluation {
        mrr_depth: usize::MAX,
        ..Evaluation::default()
    };
    let means = quality(&rankings, &judgements, &as_trec_eval).means;
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

/// Computed by hand, as pytrec_eval computes it: nDCG = Σ relevance/log2(rank + 1) of the ranking over the
/// same sum of the ideal one.
#[test]
fn the_gain_is_linear_unless_asked_otherwise() {
    let judgements = BTreeMap::from([(
        "q".to_owned(),
        Judgements::from([("a".into(), 3), ("b".into(), 1), ("c".into(), 2)]),
    )]);
    let ranking = ["x", "b", "a", "c"].map(str::to_owned).to_vec();
    let rankings = HashMap::from([("q".to_owned(), ranking)]);
    let ndcg = |gain: Gain| {
        let evaluation = Evaluation {
            gain,
            ..Evaluation::default()
        };
        quality(&rankings, &judgements, &evaluation).means["ndcg@10"]
    };
    let discount = |rank: f64| 1.0 / (rank + 1.0).log2();
    let linear = (discount(2.0) + 3.0 * discount(3.0) + 2.0 * discount(4.0))
        / (3.0 * discount(1.0) + 2.0 * discount(2.0) + discount(3.0));
    assert!((ndcg(Gain::default()) - linear).abs() < 1e-12);
    assert!((linear - 0.628_385).abs() < 1e-6);
    let exponential = (discount(2.0) + 7.0 * discount(3.0) + 3.0 * discount(4.0))
        / (7.0 * discount(1.0) + 3.0 * discount(2.0) + discount(3.0));
    assert!((ndcg(Gain::Exponential) - exponential).abs() < 1e-12);
    assert!((exponential - 0.577_353).abs() < 1e-6);
}

/// BEIR's `ignore_identical_ids`: without it the query itself takes the first place.
#[test]
fn the_querys_own_document_does_not_count() {
    let judgements = BTreeMap::from([(
        "1".to_owned(),
        Judgements::from([("2".into(), 1), ("3".into(), 1)]),
    )]);
    let rankings = HashMap::from([(
        "1".to_owned(),
        ["1", "2", "9", "3"].map(str::to_owned).to_vec(),
    )]);
    let measured = |ignore_identical_ids: bool| {
        let evaluation = Evaluation {
            cutoffs: [1, 3].into(),
            ignore_identical_ids,
            ..Evaluation::default()
        };
        quality(&rankings, &judgements, &evaluation).means
    };
    // Without the own document the ranking is 2, 9, 3.
    let found = measured(true);
    let ideal = 1.0 + 1.0 / 3f64.log2();
    assert_eq!((found["mrr"], found["precision@1"]), (1.0, 1.0));
    assert_eq!((found["recall@1"], found["recall@3"]), (0.5, 1.0));
    assert!((found["ndcg@3"] - 1.5 / ideal).abs() < 1e-12);
    let kept = measured(false);
    assert_eq!((kept["mrr"], kept["precision@1"]), (0.5, 0.0));
    assert!((kept["ndcg@3"] - (1.0 / 3f64.log2()) / ideal).abs() < 1e-12);
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
