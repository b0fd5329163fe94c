//! The settings of retrieval, as its card shows them.

use crate::settings::Group::{Data, Evaluation, Main};
use crate::settings::Kind::{Choice, Number, Whole};
use crate::settings::{ANY, Setting, setting};

pub const RAG: &[Setting] = &[
    setting(
        Main,
        "method",
        "Method",
        Choice(&[
            ("hybrid", "Vectors and words"),
            ("dense", "Vectors"),
            ("bm25", "Words (BM25)"),
        ]),
        "By what passages are ranked.",
    ),
    setting(
        Main,
        "passages",
        "Passages",
        Whole(1, 100),
        "Passages that an answer is written from.",
    ),
    setting(
        Data,
        "chunking.method",
        "Cut",
        Choice(&[
            ("structure", "At headings and paragraphs"),
            ("sentences", "Between sentences"),
            ("tokens", "Between words"),
        ]),
        "What documents are cut along.",
    ),
    setting(
        Data,
        "chunking.size",
        "Chunk size",
        Whole(1, 1_000_000),
        "The most tokens in a chunk.",
    ),
    setting(
        Data,
        "chunking.overlap",
        "Overlap",
        Whole(0, ANY),
        "Tokens that a chunk repeats of the one before it; fewer than its size.",
    ),
    setting(
        Main,
        "threshold",
        "Threshold",
        Number(0.0, 1e6),
        "Passages that score lower are not used; 0 is no limit.",
    ),
    setting(
        Main,
        "answer_tokens",
        "Answer",
        Whole(1, 10_000),
        "The longest answer, in tokens; passages are left out until it fits.",
    ),
    setting(
        Evaluation,
        "evaluation_depth",
        "Depth",
        Whole(1, 1000),
        "Passages that are looked at to measure retrieval.",
    ),
];
