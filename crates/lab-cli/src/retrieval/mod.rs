//! `lab index`, `lab search`, `lab eval-retrieval`.

mod embedder;
pub mod evaluate;
pub mod index;
pub mod search;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use lab_protocol::RetrievalMethod;

/// The method of ranking passages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// Words in common.
    Bm25,
    /// Nearness of vectors.
    Dense,
    /// Both rankings, fused by reciprocal ranks.
    Hybrid,
}

impl From<Method> for RetrievalMethod {
    fn from(method: Method) -> Self {
        match method {
            Method::Bm25 => Self::Bm25,
            Method::Dense => Self::Dense,
            Method::Hybrid => Self::Hybrid,
        }
    }
}

/// A bar on standard error, if that is a terminal.
struct Bar(ProgressBar);

impl Bar {
    fn new(what: &'static str) -> Self {
        let bar = ProgressBar::no_length().with_message(what);
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}") {
            bar.set_style(style);
        }
        Self(bar)
    }
}

#[async_trait::async_trait(?Send)]
impl lab_retrieval::Progress for Bar {
    async fn report(&mut self, done: usize, total: usize) -> bool {
        self.0.set_length(total as u64);
        self.0.set_position(done as u64);
        true
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
