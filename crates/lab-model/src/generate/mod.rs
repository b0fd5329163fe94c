//! Writing with a model: several texts at a time, each token from a distribution that [`Sampling`] shapes.
//!
//! - [`generate_batch`]: prompts in, continuations out; for rollouts and evaluations.
//! - [`Generation`]: the same step by step, to show tokens as they come or to stop at will.
//! - [`generate_texts`], [`Writer`]: with a tokenizer, so that there are stop strings.

mod generation;
mod sampler;
mod text;

pub use generation::{Generation, NewToken};
pub use sampler::{Sampling, likeliest, log_probability, sample};
pub use text::{Writer, WrittenText, generate_texts};

use crate::decoder::Decoder;
use lab_protocol::{GenerateRequest, LabError};
use serde::{Deserialize, Serialize};

/// What to write, beside the prompts.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerationSettings {
    pub sampling: Sampling,
    pub max_tokens: usize,
    /// A row ends with one of these, which is its last token.
    pub stop_tokens: Vec<u32>,
    /// For each token, so many of the likeliest are reported. 0: none.
    pub alternatives: usize,
    /// The draws of row `i` follow from this and from `i`, and from nothing else.
    pub seed: u64,
    /// Rows that are written at a time, for memory's sake.
    pub rows: usize,
}

impl Default for GenerationSettings {
    fn default() -> Self {
        Self {
            sampling: Sampling::default(),
            max_tokens: 128,
            stop_tokens: Vec::new(),
            alternatives: 0,
            seed: 0,
            rows: 64,
        }
    }
}

impl From<&GenerateRequest> for GenerationSettings {
    fn from(request: &GenerateRequest) -> Self {
        Self {
            sampling: request.into(),
            max_tokens: request.max_tokens,
            seed: request.seed,
            ..Default::default()
        }
    }
}

/// Why a text ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// It has the most tokens that were asked for.
    Length,
    /// The model wrote a stop token.
    StopToken,
    /// A stop string was written.
    StopString,
}

/// What a model wrote after a prompt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GeneratedText {
    /// The new tokens, a stop token included.
    pub ids: Vec<u32>,
    /// For each, the natural logarithm of its probability in the model's own distribution: at
    /// temperature 1 and before every filter. With [`Sampling::default`] this is what it was drawn from.
    pub log_probs: Vec<f64>,
    /// For each, the likeliest tokens of that distribution with their logarithms, in descending order.
    pub alternatives: Vec<Vec<(u32, f64)>>,
    /// None while it is being written.
    pub finish_reason: Option<FinishReason>,
}

/// Writes a continuation of each prompt; the results are in the prompts' order.
///
/// Prompts may differ in length; texts that have ended cost nothing but their place. One read of the
/// device a token: `[rows, vocabulary]` logits, from which the host draws. Texts longer than the
/// model's window go on, at the cost of a pass over the whole window for each token.
///
/// ```no_run
/// # use lab_model::generate::{GenerationSettings, Sampling, generate_batch};
/// # async fn rollouts(model: &lab_model::decoder::Decoder) -> Result<(), lab_protocol::LabError> {
/// let settings = GenerationSettings {
///     sampling: Sampling::default(),
///     max_tokens: 24,
///     stop_tokens: vec![0],
///     seed: 7,
///     ..Default::default()
/// };
/// for text in generate_batch(model, vec![vec![5, 3], vec![4, 4, 1]], &settings).await? {
///     println!("{:?} {:?}", text.ids, text.finish_reason);
/// }
/// # Ok(())
/// # }
/// ```
pub async fn generate_batch(
    model: &Decoder,
    prompts: Vec<Vec<u32>>,
    settings: &GenerationSettings,
) -> Result<Vec<GeneratedText>, LabError> {
    // Neighbours in length together: less of the first pass is padding.
    let mut order: Vec<usize> = (0..prompts.len()).collect();
    order.sort_by_key(|&index| prompts.get(index).map(Vec::len));
    let mut texts = vec![GeneratedText::default(); prompts.len()];
    for group in order.chunks(settings.rows.max(1)) {
        let rows = group
            .iter()
            .filter_map(|&index| Some((index as u64, prompts.get(index)?.clone())))
            .collect();
        let mut generation = Generation::new(model, rows, settings)?;
        while !generation.next().await?.is_empty() {}
        for (&index, text) in group.iter().zip(generation.finish()) {
            if let Some(place) = texts.get_mut(index) {
                *place = text;
            }
        }
    }
    Ok(texts)
}
