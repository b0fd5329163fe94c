//! `lab search`.

use super::{Method, embedder};
use crate::files;
use lab_protocol::{LabError, from_json};
use lab_retrieval::{Filter, Index, Request};
use lab_strategies::IndexEmbedder;
use serde_json::json;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    /// An index, as `lab index` writes it.
    index: PathBuf,
    query: String,
    /// Number of passages.
    #[arg(long, default_value_t = 5)]
    k: usize,
    /// The method of ranking.
    #[arg(long, value_enum, default_value = "hybrid")]
    method: Method,
    /// Folder of the model that the index was made with.
    #[arg(long)]
    encoder: Option<PathBuf>,
    /// Lowest score that comes back, by the scale of the method.
    #[arg(long)]
    threshold: Option<f32>,
    /// A condition on metadata as JSON, e.g. {"equals": {"key": "source", "value": "a.md"}}.
    #[arg(long)]
    filter: Option<String>,
    /// From 0 to 1: weight of relevance against variety (maximal marginal relevance).
    #[arg(long)]
    diversity_balance: Option<f32>,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: Arguments) -> Result<(), LabError> {
    let index = Index::from_bytes(&files::read(&arguments.index, "index")?)?;
    let filter: Option<Filter> = arguments
        .filter
        .as_deref()
        .map(|text| from_json(text).map_err(|error| error.at("filter")))
        .transpose()?;
    let request = Request {
        filter: filter.as_ref(),
        threshold: arguments.threshold,
        diversity_balance: arguments.diversity_balance,
        ..Request::new(&arguments.query, arguments.k, arguments.method.into())
    };
    let embedder = match arguments.method {
        Method::Bm25 => None,
        _ => embedder::of_index(index.embedder(), arguments.encoder.as_deref())?,
    };
    let search = index.search(&request, embedder.as_ref().map(IndexEmbedder::as_dyn));
    let passages = pollster::block_on(search)?;
    if arguments.json {
        let passages: Vec<_> = passages
            .iter()
            .map(|passage| {
                json!({
                    "document": passage.chunk.document, "chunk": passage.chunk.number, "start": passage.chunk.start,
                    "end": passage.chunk.end, "score": passage.score, "text": passage.chunk.text,
                    "metadata": passage.metadata,
                })
            })
            .collect();
        let text =
            serde_json::to_string_pretty(&json!({"query": arguments.query, "passages": passages}));
        println!(
            "{}",
            text.map_err(|error| LabError::internal(error.to_string()))?
        );
        return Ok(());
    }
    if passages.is_empty() {
        // An answer too, and not an error.
        eprintln!("no passage is close enough");
    }
    for passage in passages {
        let chunk = &passage.chunk;
        println!(
            "{:.4}  {} [{}..{}]",
            passage.score, chunk.document, chunk.start, chunk.end
        );
        for line in chunk.text.lines() {
            println!("    {line}");
        }
    }
    Ok(())
}
