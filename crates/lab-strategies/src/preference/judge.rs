//! Evaluates a policy on held-out data: its answers to new questions, and its perplexity on text.

use super::data::{EncodedPrompt, PreferenceData};
use super::reward::Scorer;
use super::reward_stage::answers_of;
use super::rollout::Sampler;
use crate::run::base::Base;
use crate::run::context::RunContext;
use lab_model::corpus::{Batch, covering_batches};
use lab_model::decoder::Decoder;
use lab_model::evaluate::evaluate_batch;
use lab_protocol::LabError;
use lab_village::{Question, answer_in, score};
use std::collections::BTreeMap;

/// Held-out prompts and, of the village, held-out text.
pub(crate) struct Judge {
    prompts: Vec<EncodedPrompt>,
    windows: Vec<Batch>,
    sampler: Sampler,
}

/// Results of an evaluation, by metric.
pub(crate) type Judgement = BTreeMap<String, f64>;

/// Maximum number of windows of held-out text, and windows in a batch.
const WINDOWS: usize = 64;
const ROWS: usize = 8;
/// Takes the place of a step, so the draws differ from the draws of the training.
const DRAWS: u64 = 1 << 34;

impl Judge {
    /// Evaluates on at most `max_prompts` prompts (0 means all), spread evenly.
    pub fn new(
        data: &PreferenceData,
        base: &Base,
        sampler: Sampler,
        max_prompts: usize,
        run: &RunContext,
    ) -> Result<Self, LabError> {
        let all = &data.held_out_prompts;
        let count = if max_prompts == 0 {
            all.len()
        } else {
            max_prompts.min(all.len())
        };
        let windows = match &run.data.village {
            Some(village) => {
                let tokens = base
                    .tokenizer
                    .encode_documents(&village.pretraining.held_out)?;
                let columns = base.shape.context;
                covering_batches(&tokens, ROWS, columns, columns, WINDOWS)
            }
            None => Vec::new(),
        };
        Ok(Self {
            prompts: (0..count)
                .map(|i| all[i * all.len() / count].clone())
                .collect(),
            windows,
            sampler,
        })
    }

    /// Evaluates a model that records no gradients, with the same questions and draws every time. `None` if the run
    /// was told to stop meanwhile.
    pub async fn judge(
        &self,
        model: &Decoder,
        base: &Base,
        scorer: Option<&Scorer>,
        run: &RunContext,
    ) -> Result<Option<Judgement>, LabError> {
        let mut found = Judgement::new();
        let mut put = |name: &str, value: f64| {
            found.insert(name.to_owned(), value);
        };
        if !self.prompts.is_empty() {
            let asked: Vec<&EncodedPrompt> = self.prompts.iter().collect();
            let tokens: Vec<&[u32]> = asked.iter().map(|p| p.tokens.as_slice()).collect();
            let responses = self.sampler.answer(model, &tokens, DRAWS).await?;
            let (sequences, answers) =
                answers_of(&asked, &responses, &base.tokenizer, self.sampler.end);
            let lengths: usize = answers.iter().map(|answer| answer.tokens).sum();
            put("response_length", lengths as f64 / answers.len() as f64);
            if let Some(scorer) = scorer {
                let rewards = scorer.rewards(&sequences, &answers, &run.device).await?;
                put(
                    "evaluation_reward",
                    rewards.iter().sum::<f64>() / rewards.len() as f64,
                );
            }
            let questions: Option<Vec<Question>> =
                asked.iter().map(|prompt| prompt.question.clone()).collect();
            if let Some(questions) = questions {
                let texts: Vec<String> = answers
                    .iter()
                    .map(|answer| answer_in(&answer.response).to_owned())
                    .collect();
                let score = score(&questions, &texts, run.seed)?;
                put("true_reward", score.reward.value);
                put("true_reward_standard_error", score.reward.standard_error);
                put("exact_match", score.exact.value);
            }
            if run.stop.requested().await {
                return Ok(None);
            }
        }
        let (mut nll, mut tokens) = (0.0, 0);
        for batch in &self.windows {
            nll += evaluate_batch(model, batch, &run.device).await?.0;
            tokens += batch.tokens;
            if run.stop.requested().await {
                return Ok(None);
            }
        }
        if tokens > 0 {
            put("validation_loss", nll / tokens as f64);
            put("validation_perplexity", (nll / tokens as f64).exp());
        }
        Ok(Some(found))
    }
}

/// Compares a policy with its base: the metrics of both, and values computed from them.
pub(crate) fn compare(start: &Judgement, end: &Judgement) -> Judgement {
    let mut all = end.clone();
    all.extend(
        start
            .iter()
            .map(|(name, value)| (format!("reference_{name}"), *value)),
    );
    let of = |judgement: &Judgement, name: &str| judgement.get(name).copied();
    let both = |name: &str| of(start, name).zip(of(end, name));
    if let (Some((before, after)), Some((error_before, error_after))) =
        (both("true_reward"), both("true_reward_standard_error"))
    {
        let error = error_before.hypot(error_after);
        if error > 0.0 {
            all.insert(
                "true_reward_gain_in_standard_errors".into(),
                (after - before) / error,
            );
        }
    }
    if let Some((before, after)) = both("validation_perplexity") {
        all.insert("perplexity_ratio".into(), after / before);
    }
    all
}
