//! A strategy with what its run left, to be asked.

use crate::examples::prompt;
use crate::learning::base::Base;
use crate::run::context::RunContext;
use crate::run::strategy::Strategy;
use burn::tensor::Device;
use lab_model::chat::ChatMessage;
use lab_model::generate::generate_texts;
use lab_protocol::{ErrorCode, GenerateRequest, LabError, ModelFile};

/// Tokens of an answer that is drawn, at most.
const LONGEST: usize = 64;
/// Draws until two answers differ.
const ATTEMPTS: u64 = 8;

/// Answers prompts as a finished run of a strategy does.
pub struct Answerer<'a> {
    strategy: &'a dyn Strategy,
    files: &'a [ModelFile],
    /// The model among the files; none for a strategy that leaves no `model/`.
    pub base: Option<Base>,
}

impl<'a> Answerer<'a> {
    /// Reads the model among the run's files.
    pub async fn read(
        strategy: &'a dyn Strategy,
        files: &'a [ModelFile],
        device: &Device,
    ) -> Result<Self, LabError> {
        let has_model = files.iter().any(|file| file.path.starts_with("model/"));
        let base = match has_model {
            true => Some(Base::read(files, device).await?),
            false => None,
        };
        Ok(Self {
            strategy,
            files,
            base,
        })
    }

    /// A question in the form in which the strategies learn from questions.
    pub fn question(&self, text: &str) -> Result<String, LabError> {
        match &self.base {
            Some(base) => prompt(
                &[ChatMessage {
                    role: "user".to_owned(),
                    content: text.to_owned(),
                }],
                base,
            ),
            None => Ok(format!("{text}\n")),
        }
    }

    /// `None` if the strategy cannot be asked, or the run was told to stop meanwhile.
    pub async fn answer(
        &self,
        prompts: &[String],
        run: &mut RunContext,
    ) -> Result<Option<Vec<String>>, LabError> {
        match &self.base {
            Some(base) => self.strategy.answer(base, prompts, run).await,
            None => self.strategy.answer_from(self.files, prompts, run).await,
        }
    }

    /// Two answers to one prompt that differ, drawn from the model as it is; none but the model is asked.
    pub async fn two_answers(&self, prompt: &str, seed: u64) -> Result<[String; 2], LabError> {
        let cannot = |message: &str, hint: &str| {
            LabError::new(ErrorCode::InvalidCommand, message, hint).at("prompt")
        };
        let Some(base) = &self.base else {
            return Err(cannot(
                "there is no model to draw answers from",
                "Ask a run that leaves a model.",
            ));
        };
        let prompts = [prompt.to_owned(), prompt.to_owned()];
        let end: Vec<u32> = base.end().into_iter().collect();
        for attempt in 0..ATTEMPTS {
            let request = GenerateRequest {
                max_tokens: LONGEST,
                temperature: 1.0,
                seed: seed.wrapping_mul(ATTEMPTS).wrapping_add(attempt),
                ..Default::default()
            };
            let texts =
                generate_texts(&base.model, &base.tokenizer, &prompts, &request, &end).await?;
            let mut texts = texts.into_iter().map(|text| text.text.trim().to_owned());
            if let (Some(first), Some(second)) = (texts.next(), texts.next())
                && first != second
            {
                return Ok([first, second]);
            }
        }
        Err(cannot(
            "the model says the same again and again",
            "Ask something that it is less sure of.",
        ))
    }
}
