//! `cargo xtask bench retrieval`: queries and building, on one thread, beside hnsw_rs and usearch, on the
//! same vectors and at the same recall. Prints a table, or one JSON document with `--json`.
//!
//! Every engine builds once with its settings, then its search effort is raised until the recall of the ten
//! nearest, against exact search, is at least 0.95 and 0.99. The queries are then timed at these efforts in
//! rounds that take the engines in turn; the result is the median of the rounds' times a query.

mod engines;

use engines::{Engine, HnswRs, Labs, USearch};
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use std::error::Error;
use std::time::Instant;

const DIMENSIONS: usize = 384;
const K: usize = 10;
/// The last vectors of the file.
const QUERIES: usize = 500;
const RECALLS: [f64; 2] = [0.95, 0.99];
const EFFORTS: [usize; 22] =
    [10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 256, 384, 512, 768];
const ROUNDS: usize = 15;

type Fallible<T> = Result<T, Box<dyn Error>>;

fn main() -> Fallible<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let as_json = arguments.iter().any(|argument| argument == "--json");
    let paths: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    let [vectors, sizes @ ..] = &paths[..] else {
        return Err("usage: bench-retrieval VECTORS [SIZE…] [--json]".into());
    };
    let mut all = read(vectors)?;
    let queries = all.split_off(all.len().saturating_sub(QUERIES * DIMENSIONS));
    let sizes: Vec<usize> = if sizes.is_empty() {
        vec![1_000, 10_000, 30_000]
    } else {
        sizes.iter().map(|size| size.parse()).collect::<Result<_, _>>()?
    };
    let mut document = Map::new();
    for size in sizes {
        let vectors = all.get(..size * DIMENSIONS).ok_or("too few vectors in the file")?;
        let report = measure(vectors, &queries)?;
        if !as_json {
            print(size, &report);
        }
        document.insert(size.to_string(), report);
    }
    if as_json {
        println!("{}", Value::Object(document));
    }
    Ok(())
}

fn read(path: &str) -> Fallible<Vec<f32>> {
    let bytes = std::fs::read(path)?;
    Ok(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
}

/// The results of an engine at one recall.
struct Contest {
    engine: usize,
    recall_wanted: f64,
    effort: usize,
    recall: f64,
    /// Microseconds a query, of each round.
    times: Vec<f64>,
}

fn measure(vectors: &[f32], queries: &[f32]) -> Fallible<Value> {
    let queries: Vec<&[f32]> = queries.chunks_exact(DIMENSIONS).collect();
    let truth: Vec<HashSet<usize>> = queries.iter().map(|query| exact(vectors, query)).collect();
    let mut engines: Vec<Box<dyn Engine>> = vec![
        Box::new(Labs::new(DIMENSIONS)?),
        Box::new(HnswRs::new(vectors.len() / DIMENSIONS)),
        Box::new(USearch::new(DIMENSIONS, false)?),
        Box::new(USearch::new(DIMENSIONS, true)?),
    ];
    let mut build = Vec::new();
    for engine in &mut engines {
        let started = Instant::now();
        engine.build(vectors)?;
        build.push(started.elapsed().as_secs_f64());
        eprintln!("{} built in {:.2} s", engine.name(), build.last().unwrap_or(&0.0));
    }
    let mut contests = Vec::new();
    for (index, engine) in engines.iter_mut().enumerate() {
        for recall_wanted in RECALLS {
            for effort in EFFORTS {
                let recall = recall(&mut **engine, &queries, &truth, effort)?;
                if recall >= recall_wanted {
                    contests.push(Contest { engine: index, recall_wanted, effort, recall, times: Vec::new() });
                    break;
                }
            }
        }
    }
    for _ in 0..ROUNDS {
        for contest in &mut contests {
            let engine = &mut engines[contest.engine];
            let started = Instant::now();
            for query in &queries {
                engine.search(query, K, contest.effort)?;
            }
            contest.times.push(started.elapsed().as_secs_f64() * 1e6 / queries.len() as f64);
        }
    }
    let mut report = Map::new();
    for (index, engine) in engines.iter().enumerate() {
        let mut entry = Map::new();
        entry.insert("build_seconds".into(), json!(build[index]));
        entry.insert("bytes_per_vector".into(), json!(engine.bytes().map(|bytes| bytes / (vectors.len() / DIMENSIONS))));
        for contest in contests.iter_mut().filter(|contest| contest.engine == index) {
            contest.times.sort_by(f64::total_cmp);
            let entry_name = format!("recall_{}", contest.recall_wanted);
            entry.insert(entry_name, json!({
                "microseconds": contest.times[contest.times.len() / 2], "recall": contest.recall, "effort": contest.effort,
            }));
        }
        report.insert(engine.name().into(), entry.into());
    }
    Ok(report.into())
}

fn exact(vectors: &[f32], query: &[f32]) -> HashSet<usize> {
    let mut scored: Vec<(f32, usize)> = vectors
        .chunks_exact(DIMENSIONS)
        .enumerate()
        .map(|(id, vector)| (lab_retrieval::dot(vector, query), id))
        .collect();
    scored.select_nth_unstable_by(K, |a, b| b.0.total_cmp(&a.0));
    scored[..K].iter().map(|(_, id)| *id).collect()
}

fn recall(engine: &mut dyn Engine, queries: &[&[f32]], truth: &[HashSet<usize>], effort: usize) -> Fallible<f64> {
    let mut found = 0;
    for (query, truth) in queries.iter().zip(truth) {
        found += engine.search(query, K, effort)?.iter().filter(|id| truth.contains(id)).count();
    }
    Ok(found as f64 / (K * queries.len()) as f64)
}

fn print(size: usize, report: &Value) {
    println!("\n{size} vectors of {DIMENSIONS} numbers, one thread, {K} nearest");
    println!("{:<14} {:>9} {:>9}   {:>22}   {:>22}", "", "build s", "bytes", "µs (recall, ef) ≥ 0.95", "µs (recall, ef) ≥ 0.99");
    for (name, entry) in report.as_object().into_iter().flatten() {
        let at = |recall: &str| match &entry[format!("recall_{recall}")] {
            Value::Null => "-".to_owned(),
            found => format!(
                "{:.1} ({:.3}, {})",
                found["microseconds"].as_f64().unwrap_or(f64::NAN),
                found["recall"].as_f64().unwrap_or(f64::NAN),
                found["effort"]
            ),
        };
        println!(
            "{name:<14} {:>9.2} {:>9}   {:>22}   {:>22}",
            entry["build_seconds"].as_f64().unwrap_or(f64::NAN),
            entry["bytes_per_vector"].as_u64().map_or("-".to_owned(), |bytes| bytes.to_string()),
            at("0.95"),
            at("0.99")
        );
    }
}
