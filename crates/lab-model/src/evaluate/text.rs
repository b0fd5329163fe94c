//! The likelihood of a text under a model.

use super::batch::upload;
use crate::corpus::{Batch, covering_batches};
use crate::decoder::Decoder;
use crate::dropout::Dropout;
use crate::kernels;
use crate::parameters;
use crate::tokenizer::Tokenizer;
use burn::module::Module;
use burn::tensor::Tensor;
use lab_protocol::{ErrorCode, LabError, text};
use serde::Serialize;

/// The scores of a text.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TextScore {
    /// Mean negative log-likelihood a token, in nats: of all tokens together, not of windows.
    pub nll: f64,
    /// `exp(nll)`; infinity if that exceeds the largest number.
    pub perplexity: f64,
    /// Bits for each byte of UTF-8, which compares across tokenizers. The first token's bytes are not counted,
    /// because nothing predicts it.
    pub bits_per_byte: f64,
    /// Number of tokens that were predicted: all but the first.
    pub tokens: usize,
    /// Maximum number of tokens that the model read at once.
    pub window: usize,
    /// Tokens from one window to the next. If it is less than the window, each token but the first ones has at least
    /// `window - stride` before it.
    pub stride: usize,
}

/// Maximum number of logits that are in memory together.
const LOGITS: usize = 1 << 24;

/// The score of a text of at least two tokens, in windows of the model's context, `stride` tokens apart (0: windows
/// that do not overlap). `progress` gets the number of windows done and the number of all windows; if it returns
/// false, the evaluation ends without a result.
pub async fn evaluate_text(
    model: &Decoder,
    tokenizer: &Tokenizer,
    text: &str,
    stride: usize,
    mut progress: impl FnMut(usize, usize) -> bool,
) -> Result<Option<TextScore>, LabError> {
    let ids = tokenizer.encode(text).map_err(|error| error.at("text"))?;
    if ids.len() < 2 {
        return Err(LabError::new(
            ErrorCode::InvalidData,
            text!(
                "the text has {tokens} tokens, and the first is not predicted",
                tokens = ids.len()
            ),
            "Give a text of at least two tokens.",
        )
        .at("text"));
    }
    let window = model.context().min(ids.len() - 1);
    let stride = if stride == 0 { window } else { stride };
    if stride > model.context() {
        return Err(LabError::config(
            "stride",
            text!(
                "a stride of {stride} leaves out tokens: the window is {window}",
                stride,
                window = model.context()
            ),
            "Use a stride from 1 to the model's window.",
        ));
    }
    let stride = stride.min(window);
    let model = model.valid();
    let batches = covering_batches(&ids, 1, window, stride, 0);
    let (mut nll, mut tokens) = (0.0, 0);
    for (done, batch) in batches.iter().enumerate() {
        if !progress(done, batches.len()) {
            return Ok(None);
        }
        let sums = parameters::read(nll_sums(&model, batch)).await?;
        nll += sums
            .iter()
            .flatten()
            .map(|&sum| f64::from(sum))
            .sum::<f64>();
        tokens += batch.tokens;
    }
    let bytes: usize = ids.iter().skip(1).map(|&id| tokenizer.bytes_of(id)).sum();
    let mean = nll / tokens as f64;
    if mean.is_nan() {
        return Err(LabError::new(
            ErrorCode::NonFinite,
            "the model's logits are not numbers",
            "Its weights hold NaN or infinity: use an earlier checkpoint.",
        ));
    }
    Ok(Some(TextScore {
        nll: mean,
        perplexity: mean.exp(),
        bits_per_byte: nll / std::f64::consts::LN_2 / bytes.max(1) as f64,
        tokens,
        window,
        stride,
    }))
}

/// Sums of the losses of a batch, computed for as many positions at a time as logits fit into memory.
fn nll_sums(model: &Decoder, batch: &Batch) -> Vec<Tensor<1>> {
    let device = model.token_embedding.val().device();
    let (ids, targets) = upload(batch, &device);
    let hidden = model.hidden(ids, &mut Dropout::off());
    let [rows, columns, width] = hidden.dims();
    let (positions, vocabulary) = (rows * columns, model.vocabulary());
    let hidden = hidden.reshape([1, positions, width]);
    let at_once = (LOGITS / vocabulary).clamp(1, positions);
    (0..positions)
        .step_by(at_once)
        .map(|start| {
            let count = at_once.min(positions - start);
            let logits = model.logits(hidden.clone().narrow(1, start, count));
            let targets = targets.clone().narrow(0, start, count);
            kernels::cross_entropy(logits.reshape([count, vocabulary]), targets).sum()
        })
        .collect()
}
