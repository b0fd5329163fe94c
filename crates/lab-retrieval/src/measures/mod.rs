//! Measures of rankings and of answers.

mod answers;
mod beir;
mod ranking;

pub use answers::{exact_match, normalize, supported, token_f1};
pub use beir::{BeirDocument, BeirQuery, BeirSet};
pub use ranking::{
    Evaluation, Gain, Judgements, Quality, index_recall, ndcg, percentile, precision, quality,
    recall, reciprocal_rank,
};
