//! How good rankings and answers are.

mod answers;
mod beir;
mod ranking;

pub use answers::{exact_match, normalize, supported, token_f1};
pub use beir::{BeirDocument, BeirQuery, BeirSet};
pub use ranking::{
    Gain, Judgements, Quality, index_recall, ndcg, percentile, precision, quality, recall,
    reciprocal_rank,
};
