//! `lab index`, `lab search`, `lab eval-retrieval`, as their user sees them.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

fn lab(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lab"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

fn json(output: &Output) -> Value {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn documents_are_indexed_and_found() {
    let folder = tempfile::tempdir().unwrap();
    let docs = folder.path().join("docs/more");
    std::fs::create_dir_all(&docs).unwrap();
    std::fs::write(
        docs.join("mill.md"),
        "# Mill\n\nThe miller grinds corn.\n\n# Bakery\n\nThe baker bakes bread.",
    )
    .unwrap();
    std::fs::write(
        folder.path().join("docs/facts.jsonl"),
        "{\"id\": \"n\", \"text\": \"A fisher mends nets.\", \"kind\": \"craft\"}\n",
    )
    .unwrap();
    let output = lab(&["index", "docs", "--out", "made/index.lab"], folder.path());
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(String::from_utf8_lossy(&output.stdout).contains("2 documents, 3 chunks"));
    for method in ["bm25", "dense", "hybrid"] {
        let found = json(&lab(
            &[
                "search",
                "made/index.lab",
                "who bakes bread",
                "--k",
                "1",
                "--method",
                method,
                "--json",
            ],
            folder.path(),
        ));
        let passage = &found["passages"][0];
        assert_eq!(passage["document"], "more/mill.md", "{method}");
        assert_eq!(
            passage["text"], "# Bakery\n\nThe baker bakes bread.",
            "{method}"
        );
        let (start, end) = (
            passage["start"].as_u64().unwrap() as usize,
            passage["end"].as_u64().unwrap() as usize,
        );
        let whole = std::fs::read_to_string(docs.join("mill.md")).unwrap();
        assert_eq!(whole[start..end], passage["text"].as_str().unwrap()[..]);
    }
    let filter = r#"{"equals": {"key": "kind", "value": "craft"}}"#;
    let found = json(&lab(
        &[
            "search",
            "made/index.lab",
            "who bakes bread",
            "--filter",
            filter,
            "--json",
        ],
        folder.path(),
    ));
    assert_eq!(found["passages"].as_array().unwrap().len(), 1);
    assert_eq!(found["passages"][0]["document"], "n");
    let none = lab(
        &["search", "made/index.lab", "zebra", "--method", "bm25"],
        folder.path(),
    );
    assert!(none.status.success() && none.stdout.is_empty());
    assert!(String::from_utf8_lossy(&none.stderr).contains("no passage is close enough"));
}

#[test]
fn wrong_input_ends_with_status_2() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("doc.txt"), "some words").unwrap();
    std::fs::write(folder.path().join("bad.csv"), "id,kind\n1,2\n").unwrap();
    std::fs::write(folder.path().join("broken.lab"), "no index").unwrap();
    assert!(
        lab(&["index", "doc.txt", "--out", "good.lab"], folder.path())
            .status
            .success()
    );
    for arguments in [
        &["index", "missing", "--out", "x"][..],
        &["index", "bad.csv", "--out", "x"],
        &["index", "doc.txt", "--out", "x", "--overlap", "300"],
        &["index", "doc.txt", "--out", "x", "--encoder", "."],
        &["search", "broken.lab", "words"],
        &["search", "good.lab", " "],
        &["search", "good.lab", "words", "--k", "0"],
        &["search", "good.lab", "words", "--filter", "{\"no\": 1}"],
        &["eval-retrieval", "."],
    ] {
        let output = lab(arguments, folder.path());
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains(" — "), "{arguments:?}: {error}");
    }
    assert!(!folder.path().join("x").exists());
}

#[test]
fn a_collection_in_beirs_layout_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("qrels")).unwrap();
    std::fs::write(
        folder.path().join("corpus.jsonl"),
        "{\"_id\": \"a\", \"title\": \"\", \"text\": \"the miller grinds corn\"}\n{\"_id\": \"b\", \"title\": \"bread\", \"text\": \"the baker bakes\"}\n{\"_id\": \"c\", \"text\": \"a fisher mends nets\"}\n",
    )
    .unwrap();
    std::fs::write(
        folder.path().join("queries.jsonl"),
        "{\"_id\": \"1\", \"text\": \"baker bread\"}\n{\"_id\": \"2\", \"text\": \"corn\"}\n{\"_id\": \"3\", \"text\": \"not judged\"}\n",
    )
    .unwrap();
    std::fs::write(
        folder.path().join("qrels/test.tsv"),
        "query-id\tcorpus-id\tscore\n1\tb\t2\n1\tc\t1\n2\ta\t1\n",
    )
    .unwrap();
    let report = json(&lab(
        &["eval-retrieval", ".", "--json", "--k", "2"],
        folder.path(),
    ));
    // The first query finds only b, of gain 2; the maximum is 2 + 1/log2(3). The second finds all.
    let ndcg = (2.0 / (2.0 + 1.0 / 3f64.log2()) + 1.0) / 2.0;
    for (name, expected) in [
        ("ndcg@10", ndcg),
        ("recall@2", 0.75),
        ("mrr", 1.0),
        ("precision@2", 0.5),
    ] {
        let found = report[name]
            .as_f64()
            .unwrap_or_else(|| panic!("{name} in {report}"));
        assert!(
            (found - expected).abs() < 1e-9,
            "{name}: {found}, not {expected}"
        );
    }
    for method in ["dense", "hybrid"] {
        let report = json(&lab(
            &["eval-retrieval", ".", "--json", "--method", method],
            folder.path(),
        ));
        assert_eq!(report["mrr"], 1.0, "{method}");
        // Three documents are all that there are, and of the two of the first query both are found.
        assert_eq!(report["recall@10"], 1.0, "{method}");
    }
}
