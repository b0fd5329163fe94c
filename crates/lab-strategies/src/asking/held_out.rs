//! The fair comparison: every strategy answers the same questions, which no strategy was trained on.

use super::answerer::Answerer;
use super::answers::answers;
use crate::run::base::Base;
use crate::run::context::RunContext;
use crate::run::prompts::Prompt;
use crate::run::strategy::Strategy;
use burn::module::Module;
use lab_model::corpus::covering_batches;
use lab_model::evaluate::evaluate_batch;
use lab_protocol::{LabError, ModelFile, STANDARD_ERROR};
use lab_village::{Estimate, Question, Village, score, score_completions};
use serde::Serialize;
use std::collections::BTreeMap;

/// Rows of a batch of held-out text.
const ROWS: usize = 16;

/// Results of a strategy on held-out questions and text.
#[derive(Default)]
pub struct HeldOut {
    /// By name.
    pub metrics: BTreeMap<String, f64>,
    pub answers: Vec<HeldOutAnswer>,
}

/// A strategy's answer to a held-out question.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HeldOutAnswer {
    /// The questions it belongs to: `unseen_questions`, `reading` or `new_facts`.
    pub set: &'static str,
    pub prompt: String,
    /// The answer in the words that training uses.
    pub reference: String,
    pub answer: String,
}

/// Judges a result on the village's test questions and held-out text, by metric name:
/// `held_out/known_facts` (beginnings of sentences about the village's residents), `unseen_questions`, `reading` (the
/// answer stands in the prompt, or nowhere), `new_facts` (about people whom only the documents describe),
/// `true_reward` of the answers to unseen questions, `perplexity` a token of held-out text and `nats_above_floor`,
/// its distance from the entropy of the language; shares with their standard errors. A strategy that leaves no model
/// has no perplexity. Empty if there is no village, or the run was told to stop meanwhile.
pub async fn held_out(
    strategy: &dyn Strategy,
    files: &[ModelFile],
    run: &RunContext,
) -> Result<HeldOut, LabError> {
    let mut found = HeldOut::default();
    let Some(village) = run.data.village.clone() else {
        return Ok(found);
    };
    let answerer = Answerer::open(strategy, files, &run.device).await?;
    let metrics = &mut found.metrics;
    let mut put = |name: &str, estimate: Estimate| {
        metrics.insert(format!("held_out/{name}"), estimate.value);
        let name = format!("held_out/{name}{STANDARD_ERROR}");
        metrics.insert(name, estimate.standard_error);
    };
    let test: Vec<Question> = village.test_questions().cloned().collect();
    let sets: [(&str, &[Question]); 3] = [
        ("unseen_questions", &test),
        ("reading", &village.reading),
        ("new_facts", &village.library.questions),
    ];
    for (set, questions) in sets {
        let prompts: Vec<Prompt> = questions.iter().map(Prompt::from).collect();
        let Some(outputs) = answerer.answer(&prompts, &run.stop).await? else {
            return Ok(HeldOut::default());
        };
        let score = score(questions, &outputs, run.seed)?;
        put(set, score.exact);
        if set == "unseen_questions" {
            put("true_reward", score.reward);
        }
        let rows = questions.iter().zip(prompts).zip(outputs);
        found
            .answers
            .extend(rows.map(|((question, prompt), answer)| HeldOutAnswer {
                set,
                prompt: prompt.text(),
                reference: question.reference(),
                answer,
            }));
    }
    let prompts: Vec<Prompt> = village
        .completions
        .iter()
        .map(|completion| Prompt::Text(completion.prompt.clone()))
        .collect();
    let completed = match &answerer.base {
        Some(base) => {
            let model = base.model.valid();
            base.end()?;
            answers(&model, &base.format(), &prompts, 8, &run.stop).await?
        }
        None => answerer.answer(&prompts, &run.stop).await?,
    };
    let Some(outputs) = completed else {
        return Ok(HeldOut::default());
    };
    put(
        "known_facts",
        score_completions(&village.completions, &outputs)?.exact,
    );
    if let Some(base) = &answerer.base {
        let Some((loss, tokens)) = loss(base, &village, run).await? else {
            return Ok(HeldOut::default());
        };
        metrics.insert("held_out/perplexity".into(), loss.exp());
        let floor = village.floor().nats_per_token_of(tokens);
        metrics.insert("held_out/nats_above_floor".into(), loss - floor);
    }
    Ok(found)
}

/// Mean loss a token of the held-out text, each window after half a context of earlier text, and the number of
/// tokens.
async fn loss(
    base: &Base,
    village: &Village,
    run: &RunContext,
) -> Result<Option<(f64, usize)>, LabError> {
    let ids = base
        .tokenizer
        .encode_documents(&village.pretraining.held_out)?;
    let context = base.shape.context;
    let stride = (context / 2).max(1);
    let model = base.model.valid();
    let (mut nats, mut tokens) = (0.0, 0);
    for batch in covering_batches(&ids, ROWS, context, stride, 0) {
        nats += evaluate_batch(&model, &batch, &run.device).await?.0;
        tokens += batch.tokens;
        if run.stop.requested().await {
            return Ok(None);
        }
    }
    Ok(Some((nats / tokens.max(1) as f64, ids.len())))
}
