//! Generation of several texts, step by step.

use super::sampler::{likeliest, log_probability};
use super::settings::{FinishReason, GeneratedText, GenerationSettings};
use crate::decoder::{Decoder, KvCache};
use crate::parameters;
use crate::random::{Purpose, Random};
use burn::module::Module;
use burn::tensor::Tensor;
use lab_protocol::{ErrorCode, LabError};

/// Several texts in progress, which get one token each in a step. Owns its copy of the model, without autodiff.
pub struct Generation {
    model: Decoder,
    context: usize,
    settings: GenerationSettings,
    rows: Vec<Row>,
    cache: Option<KvCache>,
    /// The text of each row of the cache.
    cached: Vec<usize>,
}

struct Row {
    /// The prompt and the tokens written after it.
    ids: Vec<u32>,
    text: GeneratedText,
    random: Random,
}

impl Row {
    fn live(&self) -> bool {
        self.text.finish_reason.is_none()
    }
}

/// A token that was written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NewToken {
    /// The text that it belongs to, by the index of its prompt.
    pub row: usize,
    pub id: u32,
    /// As in [`GeneratedText::log_probs`].
    pub log_prob: f64,
    /// Set if it is the last token of the text.
    pub finish_reason: Option<FinishReason>,
}

impl Generation {
    /// Starts after the prompts, each with the number that its draws follow from. A prompt must not be empty; if it
    /// is longer than the model's window, the model reads its end.
    pub fn new(
        model: &Decoder,
        prompts: Vec<(u64, Vec<u32>)>,
        settings: &GenerationSettings,
    ) -> Result<Self, LabError> {
        settings.sampling.validate()?;
        let model = model.valid();
        let rows: Vec<Row> = prompts
            .into_iter()
            .map(|(number, ids)| Row {
                ids,
                text: GeneratedText {
                    finish_reason: (settings.max_tokens == 0).then_some(FinishReason::Length),
                    ..Default::default()
                },
                random: Random::new(settings.seed, Purpose::Samples, number),
            })
            .collect();
        if rows.iter().any(|row| row.ids.is_empty()) {
            return Err(LabError::new(
                ErrorCode::InvalidData,
                "the prompt is empty",
                "Begin with at least one character.",
            )
            .at("prompt"));
        }
        Ok(Self {
            context: model.context(),
            model,
            settings: settings.clone(),
            rows,
            cache: None,
            cached: Vec::new(),
        })
    }

    /// Starts after one prompt.
    pub fn one(
        model: &Decoder,
        prompt: Vec<u32>,
        settings: &GenerationSettings,
    ) -> Result<Self, LabError> {
        Self::new(model, vec![(0, prompt)], settings)
    }

    /// Writes one more token of every text that has not ended, and returns these tokens; empty once all texts have
    /// ended.
    pub async fn next(&mut self) -> Result<Vec<NewToken>, LabError> {
        let logits = self.logits().await?;
        Ok(logits
            .into_iter()
            .filter_map(|(row, logits)| self.write(row, &logits))
            .collect())
    }

    /// Ends a text, as when a stop string was written.
    pub fn stop(&mut self, row: usize, reason: FinishReason) {
        if let Some(row) = self.rows.get_mut(row) {
            row.text.finish_reason = Some(reason);
        }
    }

    /// The texts so far, in the prompts' order.
    pub fn texts(&self) -> impl Iterator<Item = &GeneratedText> {
        self.rows.iter().map(|row| &row.text)
    }

    /// The finished texts, in the prompts' order.
    pub fn finish(self) -> Vec<GeneratedText> {
        self.rows.into_iter().map(|row| row.text).collect()
    }

    /// Logits for each text that has not ended, all in one read.
    async fn logits(&mut self) -> Result<Vec<(usize, Vec<f32>)>, LabError> {
        let mut tensors: Vec<Tensor<2>> = Vec::with_capacity(2);
        let mut owners: Vec<usize> = Vec::new();
        let (full, fitting): (Vec<usize>, Vec<usize>) = (0..self.rows.len())
            .filter(|&row| self.rows[row].live())
            .partition(|&row| self.rows[row].ids.len() > self.context);
        if !fitting.is_empty() {
            let logits = match self.cache.take() {
                Some(cache) => self.step(cache, &fitting)?,
                None => {
                    let prompts = self.windows(&fitting);
                    let (logits, cache) = self.model.prefill(&prompts)?;
                    self.cache = Some(cache);
                    self.cached = fitting;
                    logits
                }
            };
            owners.extend(&self.cached);
            tensors.push(logits);
        } else {
            self.cache = None;
        }
        if !full.is_empty() {
            // The window slides: every token in it gets another position, so the cache is useless.
            tensors.push(self.model.last_logits(&self.windows(&full))?);
            owners.extend(full);
        }
        let width = self.model.vocabulary();
        let values = parameters::read(tensors).await?;
        let rows = values.iter().flat_map(|values| values.chunks(width.max(1)));
        Ok(owners
            .into_iter()
            .zip(rows)
            .filter(|&(row, _)| self.rows[row].live())
            .map(|(row, logits)| (row, logits.to_vec()))
            .collect())
    }

    /// One step of the cached rows; only `live` ones continue.
    fn step(&mut self, mut cache: KvCache, live: &[usize]) -> Result<Tensor<2>, LabError> {
        // Rows that have ended are removed only now and then, because this copies the cache.
        if live.len() * 4 <= self.cached.len() * 3 {
            let kept: Vec<usize> = (0..self.cached.len())
                .filter(|&place| live.contains(&self.cached[place]))
                .collect();
            cache.select(&kept);
            self.cached = kept.iter().map(|&place| self.cached[place]).collect();
        }
        let tokens: Vec<Option<u32>> = self
            .cached
            .iter()
            .map(|row| {
                live.contains(row)
                    .then(|| self.rows[*row].ids.last().copied())?
            })
            .collect();
        let logits = self.model.step(&tokens, &mut cache)?;
        self.cache = Some(cache);
        Ok(logits)
    }

    /// The end of each text that fits into the model's window.
    fn windows(&self, rows: &[usize]) -> Vec<&[u32]> {
        let window = |&row: &usize| {
            let ids = &self.rows[row].ids;
            &ids[ids.len().saturating_sub(self.context)..]
        };
        rows.iter().map(window).collect()
    }

    fn write(&mut self, index: usize, logits: &[f32]) -> Option<NewToken> {
        let settings = &self.settings;
        let row = self.rows.get_mut(index)?;
        let id = settings.sampling.sample(logits, &row.ids, &mut row.random);
        let log_prob = log_probability(logits, id);
        row.ids.push(id);
        row.text.ids.push(id);
        row.text.log_probs.push(log_prob);
        if settings.alternatives > 0 {
            let tokens = likeliest(logits, settings.alternatives);
            row.text.alternatives.push(tokens);
        }
        if settings.stop_tokens.contains(&id) {
            row.text.finish_reason = Some(FinishReason::StopToken);
        } else if row.text.ids.len() >= settings.max_tokens {
            row.text.finish_reason = Some(FinishReason::Length);
        }
        Some(NewToken {
            row: index,
            id,
            log_prob,
            finish_reason: row.text.finish_reason,
        })
    }
}
