//! `lab eval-retrieval`: the measures of retrieval on a collection in BEIR's layout, each document as one
//! passage.

use super::embedder::EncoderArguments;
use super::{Bar, Method};
use crate::files;
use clap::ValueEnum;
use lab_protocol::{ErrorCode, LabError, text};
use lab_retrieval::measures::{BeirSet, Evaluation, Gain, percentile, quality};
use lab_retrieval::{
    Bm25, Bm25Config, Embedder, Hit, MemoryStore, StoreConfig, TextKind, VectorEntry, VectorQuery,
    embed_all, fuse,
};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

/// Documents of a ranking, before one with the query's own id is taken out.
const DEPTH: usize = 101;

#[derive(clap::Args)]
pub struct Arguments {
    /// Folder with corpus.jsonl, queries.jsonl and qrels/test.tsv.
    folder: PathBuf,
    /// The ranking of documents; the default is hybrid with --encoder, else bm25.
    #[arg(long, value_enum)]
    method: Option<Method>,
    #[command(flatten)]
    encoder: EncoderArguments,
    /// The k of recall@k and precision@k.
    #[arg(long, default_value_t = 10)]
    k: usize,
    /// The gain in nDCG: the relevance itself, as in trec_eval and BEIR, or 2^relevance - 1.
    #[arg(long, value_enum, default_value = "linear")]
    gain: GainChoice,
    /// Count a document with the id of the query, which BEIR's evaluation leaves out.
    #[arg(long)]
    keep_identical_ids: bool,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum GainChoice {
    Linear,
    Exponential,
}

pub fn run(arguments: Arguments) -> Result<(), LabError> {
    if arguments.k == 0 {
        return Err(LabError::config("k", "k is 0", "Use at least 1."));
    }
    let set = read(&arguments.folder)?;
    let method = arguments.method.unwrap_or(match arguments.encoder.encoder {
        Some(_) => Method::Hybrid,
        None => Method::Bm25,
    });
    let contents: Vec<String> = set
        .documents
        .iter()
        .map(|document| document.content())
        .collect();
    let contents: Vec<&str> = contents.iter().map(String::as_str).collect();
    let started = Instant::now();
    let mut bm25 = Bm25::new(Bm25Config::default());
    if method != Method::Dense {
        for (document, content) in set.documents.iter().zip(&contents) {
            bm25.put(&document.id, content);
        }
    }
    let dense = match method {
        Method::Bm25 => None,
        _ => Some(Dense::new(&set, &contents, &arguments.encoder)?),
    };
    let index_ms = started.elapsed().as_secs_f64() * 1000.0;
    let depth = DEPTH.max(arguments.k + 1);
    let mut rankings = HashMap::new();
    let mut milliseconds = Vec::new();
    for (number, query) in set.queries.iter().enumerate() {
        let begun = Instant::now();
        let words = match method {
            Method::Dense => Vec::new(),
            _ => bm25.search(&query.text, depth, &|_| true),
        };
        let near = match &dense {
            Some(dense) => dense.search(number, depth)?,
            None => Vec::new(),
        };
        let hits = match method {
            Method::Bm25 => words,
            Method::Dense => near,
            Method::Hybrid => fuse(&[&near, &words], depth),
        };
        milliseconds.push(begun.elapsed().as_secs_f64() * 1000.0);
        rankings.insert(
            query.id.clone(),
            hits.into_iter().map(|hit| hit.id).collect(),
        );
    }
    let k = arguments.k;
    let evaluation = Evaluation {
        cutoffs: [10, k].into(),
        gain: match arguments.gain {
            GainChoice::Linear => Gain::Linear,
            GainChoice::Exponential => Gain::Exponential,
        },
        ignore_identical_ids: !arguments.keep_identical_ids,
        ..Evaluation::default()
    };
    let quality = quality(&rankings, &set.judgements, &evaluation);
    let mut report = Map::new();
    for name in [
        "ndcg@10".to_owned(),
        format!("recall@{k}"),
        "mrr".into(),
        format!("precision@{k}"),
    ] {
        report.insert(name.clone(), json!(quality.means.get(&name)));
    }
    report.insert("method".into(), format!("{method:?}").to_lowercase().into());
    report.insert("queries".into(), quality.queries.into());
    report.insert("documents".into(), set.documents.len().into());
    report.insert("index_ms".into(), json!(index_ms));
    report.insert(
        "retrieval_ms_p50".into(),
        json!(percentile(&milliseconds, 50.0)),
    );
    report.insert(
        "retrieval_ms_p95".into(),
        json!(percentile(&milliseconds, 95.0)),
    );
    if let Some(dense) = &dense {
        report.insert("index_bytes".into(), dense.store.bytes().into());
    }
    print(&report.into(), arguments.json)
}

fn print(report: &Value, as_json: bool) -> Result<(), LabError> {
    if as_json {
        let text = serde_json::to_string_pretty(report);
        println!(
            "{}",
            text.map_err(|error| LabError::internal(error.to_string()))?
        );
        return Ok(());
    }
    let values: BTreeMap<&String, &Value> = report.as_object().into_iter().flatten().collect();
    for (name, value) in values {
        match value.as_f64().filter(|_| value.is_f64()) {
            Some(number) => println!("{name:<18} {number:.4}"),
            None => println!("{name:<18} {}", value.to_string().trim_matches('"')),
        }
    }
    Ok(())
}

/// Vectors of documents and queries.
struct Dense {
    store: MemoryStore,
    queries: Vec<Vec<f32>>,
}

impl Dense {
    fn new(set: &BeirSet, contents: &[&str], encoder: &EncoderArguments) -> Result<Self, LabError> {
        let embedder = encoder.open(contents.iter().copied())?;
        let embedder = embedder.as_dyn();
        let queries: Vec<&str> = set
            .queries
            .iter()
            .map(|query| query.text.as_str())
            .collect();
        let documents = embed(embedder, contents, TextKind::Passage)?;
        let mut store = MemoryStore::new(embedder.dimensions(), StoreConfig::default())?;
        let entries = set
            .documents
            .iter()
            .zip(documents)
            .map(|(document, vector)| VectorEntry {
                id: document.id.clone(),
                vector,
                metadata: Rc::default(),
            });
        store.put(entries.collect())?;
        Ok(Self {
            store,
            queries: embed(embedder, &queries, TextKind::Query)?,
        })
    }

    fn search(&self, query: usize, k: usize) -> Result<Vec<Hit>, LabError> {
        match self.queries.get(query) {
            Some(vector) => self.store.search(&VectorQuery::new(vector, k)),
            None => Ok(Vec::new()),
        }
    }
}

/// Texts that the embedder gets at once.
const BATCH: usize = 64;

fn embed(
    embedder: &dyn Embedder,
    texts: &[&str],
    kind: TextKind,
) -> Result<Vec<Vec<f32>>, LabError> {
    let mut bar = Bar::new("embedding");
    let vectors = pollster::block_on(embed_all(embedder, texts, kind, BATCH, &mut bar))?;
    Ok(vectors.unwrap_or_default())
}

fn read(folder: &Path) -> Result<BeirSet, LabError> {
    let text = |name: &str| {
        let path = folder.join(name);
        String::from_utf8(files::read(&path, "data")?).map_err(|_| not_text(&path))
    };
    BeirSet::parse(
        &text("corpus.jsonl")?,
        &text("queries.jsonl")?,
        &text("qrels/test.tsv")?,
    )
}

fn not_text(path: &Path) -> LabError {
    LabError::new(
        ErrorCode::InvalidUtf8,
        text!("{path} is not UTF-8", path = path.display()),
        "Save the file as UTF-8 text.",
    )
    .at("data")
}
