//! The settings of retrieval, as its card shows them.

use crate::settings::Group::{Answers, Data, Evaluation, Main, Retrieval};
use crate::settings::Kind::{Choice, Lines, Number, Part, Text, Whole};
use crate::settings::{ANY, Setting, only, setting};

/// Whether an endpoint answers.
pub const ENDPOINT: &str = "endpoint";
const THERE: &[&str] = &["true"];

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
        "Passages that score lower are not used, and nothing is answered without any; 0 is no limit.",
    ),
    setting(
        Main,
        "answer_tokens",
        "Answer",
        Whole(1, 10_000),
        "The longest answer, in tokens; passages are left out until it fits.",
    ),
    setting(
        Main,
        "questions",
        "Questions",
        Lines,
        "Answered when the index is there, one a line.",
    ),
    setting(
        Main,
        ENDPOINT,
        "Answers from an endpoint",
        Part,
        "An OpenAI-compatible endpoint answers instead of a model of the lab: questions and passages are sent to it.",
    ),
    only(
        ENDPOINT,
        THERE,
        setting(
            Main,
            "endpoint.base_url",
            "Address",
            Text,
            "What /chat/completions is put behind. It must allow requests from this page (CORS).",
        ),
    ),
    only(
        ENDPOINT,
        THERE,
        setting(
            Main,
            "endpoint.model",
            "Model",
            Text,
            "The endpoint's name for it.",
        ),
    ),
    only(
        ENDPOINT,
        THERE,
        setting(
            Answers,
            "endpoint.timeout",
            "Time limit",
            Number(0.1, 3600.0),
            "Seconds after which a try without a whole answer is given up.",
        ),
    ),
    only(
        ENDPOINT,
        THERE,
        setting(
            Answers,
            "endpoint.retries",
            "Further tries",
            Whole(0, 10),
            "After the first, where another may succeed.",
        ),
    ),
    only(
        ENDPOINT,
        THERE,
        setting(
            Answers,
            "endpoint.key_variable",
            "Key's variable",
            Text,
            "The environment variable that the terminal program takes the key from; in this page it is typed.",
        ),
    ),
    setting(
        Retrieval,
        "exact_below",
        "Exact below",
        Whole(2, 1_000_000),
        "With fewer chunks every vector is looked at; with more, a graph is searched.",
    ),
    setting(
        Evaluation,
        "evaluation_depth",
        "Depth",
        Whole(1, 1000),
        "Passages that are looked at to measure retrieval.",
    ),
];
