//! Answers to many prompts at once, by the likeliest token each time, and the share of the village's questions that
//! are answered right.

use crate::run::base::Base;
use crate::run::commands::StopSignal;
use crate::run::context::RunContext;
use crate::run::prompts::Prompt;
use crate::run::strategy::Answers;
use async_trait::async_trait;
use burn::module::Module;
use lab_model::burn::tensor::Tensor;
use lab_model::decoder::Decoder;
use lab_model::parameters;
use lab_model::prompts::PromptFormat;
use lab_protocol::LabError;
use lab_village::{Question, score};
use std::rc::Rc;

/// Maximum number of tokens of an answer.
const ANSWER: usize = 40;
/// Rows that are answered together.
pub(crate) const ROWS: usize = 32;

/// The likeliest continuation of each prompt, up to a token that ends answers, a full context or `max_tokens` tokens.
/// Of a prompt that fills the context, the model reads only the end. `None` if told to stop meanwhile. `model` is
/// without autodiff.
pub async fn answers(
    model: &Decoder,
    format: &PromptFormat<'_>,
    prompts: &[Prompt],
    max_tokens: usize,
    stop: &StopSignal,
) -> Result<Option<Vec<String>>, LabError> {
    let encoded = prompts
        .iter()
        .map(|prompt| {
            let mut ids = prompt.tokens(format)?;
            let context = model.context();
            if ids.len() >= context {
                let kept = (context - max_tokens.min(context / 2)).max(1);
                ids.drain(..ids.len() - kept);
            }
            Ok(ids)
        })
        .collect::<Result<Vec<_>, LabError>>()?;
    // Prompts of similar length go together: little is computed for padding.
    let mut order: Vec<usize> = (0..encoded.len()).collect();
    order.sort_by_key(|&index| encoded[index].len());
    let mut found = vec![String::new(); prompts.len()];
    for indices in order.chunks(ROWS) {
        let rows: Vec<&[u32]> = indices.iter().map(|&index| &encoded[index][..]).collect();
        let (logits, mut cache) = model.prefill(&rows)?;
        let mut written: Vec<Vec<u32>> = vec![Vec::new(); rows.len()];
        let mut last = likeliest(logits).await?;
        let mut open = vec![true; rows.len()];
        for _ in 0..max_tokens {
            let mut next = Vec::with_capacity(rows.len());
            for (row, &token) in last.iter().enumerate() {
                open[row] &=
                    !format.ends.contains(&token) && cache.lengths()[row] < model.context();
                if open[row] {
                    written[row].push(token);
                }
                next.push(open[row].then_some(token));
            }
            if !open.contains(&true) {
                break;
            }
            last = likeliest(model.step(&next, &mut cache)?).await?;
            if stop.requested().await {
                return Ok(None);
            }
        }
        for (&index, ids) in indices.iter().zip(&written) {
            found[index] = format.tokenizer.decode(ids);
        }
    }
    Ok(Some(found))
}

/// The index of the largest logit of each row.
async fn likeliest(logits: Tensor<2>) -> Result<Vec<u32>, LabError> {
    let [rows, width] = logits.dims();
    let values = parameters::read(vec![logits.reshape([rows * width])]).await?;
    let values = values.into_iter().next().unwrap_or_default();
    let largest = |row: &[f32]| {
        let mut best = 0;
        for (index, value) in row.iter().enumerate() {
            if *value > row[best] {
                best = index;
            }
        }
        best as u32
    };
    Ok(values.chunks_exact(width).map(largest).collect())
}

/// Share of the village's questions that are answered right, character for character or as an accepted
/// sentence. `None` if the run was told to stop meanwhile.
pub async fn exact_match(
    model: &Decoder,
    format: &PromptFormat<'_>,
    questions: &[Question],
    run: &RunContext,
) -> Result<Option<f64>, LabError> {
    let prompts: Vec<Prompt> = questions.iter().map(Prompt::from).collect();
    match answers(model, format, &prompts, ANSWER, &run.stop).await? {
        Some(outputs) => Ok(Some(score(questions, &outputs, run.seed)?.exact.value)),
        None => Ok(None),
    }
}

/// The answers of a model: the likeliest continuations, up to the end of text.
pub(crate) struct ModelAnswers(pub Rc<Base>);

#[async_trait(?Send)]
impl Answers for ModelAnswers {
    async fn answer(
        &self,
        prompts: &[Prompt],
        stop: &StopSignal,
    ) -> Result<Option<Vec<String>>, LabError> {
        self.0.end()?;
        let model = self.0.model.valid();
        answers(&model, &self.0.format(), prompts, ANSWER, stop).await
    }
}
