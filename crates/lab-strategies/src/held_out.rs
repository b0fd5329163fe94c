//! The fair comparison: every strategy answers the same questions, which no strategy was trained on.

use crate::{Base, RunContext, Strategy};
use burn::module::Module;
use lab_model::corpus::covering_batches;
use lab_model::evaluate::evaluate_batch;
use lab_protocol::{LabError, ModelFile, STANDARD_ERROR};
use lab_village::{Estimate, Question, Village, score, score_completions};
use std::collections::BTreeMap;

/// Rows of a batch of held-out text.
const ROWS: usize = 16;

/// What a strategy's result is worth on the village's held-out questions and text, by metric name:
/// `held_out/known_facts` (beginnings of sentences about those who live there), `unseen_questions`,
/// `reading` (the answer stands in the prompt, or nowhere), `new_facts` (about people whom only the
/// documents describe), `true_reward` of the answers to unseen questions, `perplexity` a token of held-out
/// text and `nats_above_floor`, its distance from the entropy of the language; shares with their standard
/// errors. Nothing where there is no village, or the run was told to stop meanwhile.
pub async fn held_out(
    strategy: &dyn Strategy,
    files: &[ModelFile],
    run: &mut RunContext,
) -> Result<BTreeMap<String, f64>, LabError> {
    let mut metrics = BTreeMap::new();
    let Some(village) = run.data.village.clone() else {
        return Ok(metrics);
    };
    let base = Base::read(files, &run.device).await?;
    let mut put = |name: &str, estimate: Estimate| {
        metrics.insert(format!("held_out/{name}"), estimate.value);
        let name = format!("held_out/{name}{STANDARD_ERROR}");
        metrics.insert(name, estimate.standard_error);
    };
    let sets: [(&str, &[Question]); 3] = [
        ("unseen_questions", &village.questions),
        ("reading", &village.reading),
        ("new_facts", &village.library.questions),
    ];
    for (name, questions) in sets {
        let prompts: Vec<String> = questions.iter().map(Question::prompt).collect();
        let Some(outputs) = strategy.answer(&base, &prompts, run).await? else {
            return Ok(BTreeMap::new());
        };
        let found = score(questions, &outputs, run.seed)?;
        put(name, found.exact);
        if name == "unseen_questions" {
            put("true_reward", found.reward);
        }
    }
    let prompts: Vec<String> = village
        .completions
        .iter()
        .map(|completion| completion.prompt.clone())
        .collect();
    let model = base.model.valid();
    let completed = crate::answers(&model, &base.tokenizer, &prompts, base.end()?, 8, run).await?;
    let Some(outputs) = completed else {
        return Ok(BTreeMap::new());
    };
    put(
        "known_facts",
        score_completions(&village.completions, &outputs)?.exact,
    );
    let Some((loss, tokens)) = loss(&base, &village, run).await? else {
        return Ok(BTreeMap::new());
    };
    metrics.insert("held_out/perplexity".into(), loss.exp());
    let floor = village.floor().nats_per_token_of(tokens);
    metrics.insert("held_out/nats_above_floor".into(), loss - floor);
    Ok(metrics)
}

/// Mean loss a token of the held-out text, with half a context before each, and how many tokens it has.
async fn loss(
    base: &Base,
    village: &Village,
    run: &mut RunContext,
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
        if run.breathe().await {
            return Ok(None);
        }
    }
    Ok(Some((nats / tokens.max(1) as f64, ids.len())))
}
