//! The answers of a finished run to prompts.

use super::answers::ModelAnswers;
use super::continuation::write;
use crate::run::base::Base;
use crate::run::commands::StopSignal;
use crate::run::files::RunFiles;
use crate::run::prompts::Prompt;
use crate::run::strategy::{Answers, Strategy};
use burn::module::Module;
use burn::tensor::Device;
use lab_model::generate::generate_from;
use lab_protocol::{ErrorCode, GenerateRequest, LabError, ModelFile, UsedPassage};
use std::rc::Rc;

/// Maximum number of tokens of an answer that is drawn.
const LONGEST: usize = 64;
/// Maximum number of draws until two answers differ.
const ATTEMPTS: u64 = 8;

/// Answers prompts as a finished run of a strategy does.
pub struct Answerer {
    /// None if the run cannot be asked.
    answers: Option<Box<dyn Answers>>,
    /// The model that the run left, if any.
    pub base: Option<Rc<Base>>,
}

impl Answerer {
    /// Opens the run's files. The strategy answers in its own way if it has one, else the model among the files
    /// answers.
    pub async fn open(
        strategy: &dyn Strategy,
        files: &[ModelFile],
        device: &Device,
    ) -> Result<Self, LabError> {
        let files = RunFiles::new(files, device);
        let own = strategy.open(&files).await?;
        let base = files.model().await?;
        let of_model = |base: &Rc<Base>| Box::new(ModelAnswers(base.clone())) as Box<dyn Answers>;
        Ok(Self {
            answers: own.or_else(|| base.as_ref().map(of_model)),
            base,
        })
    }

    /// `None` if the run cannot be asked, or was told to stop meanwhile.
    pub async fn answer(
        &self,
        prompts: &[Prompt],
        stop: &StopSignal,
    ) -> Result<Option<Vec<String>>, LabError> {
        match &self.answers {
            Some(answers) => answers.answer(prompts, stop).await,
            None => Ok(None),
        }
    }

    /// A continuation of a prompt by the model, as the request says, whose own prompt is not looked at.
    pub async fn write(
        &self,
        prompt: &Prompt,
        request: &GenerateRequest,
        stop: &StopSignal,
    ) -> Result<String, LabError> {
        let Some(base) = &self.base else {
            return Err(cannot(
                "there is no model that could write",
                "Ask a run that leaves a model.",
            ));
        };
        write(&base.model.valid(), &base.format(), prompt, request, stop).await
    }

    /// At most `count` passages of the run's index, the best first.
    pub async fn retrieve(
        &self,
        question: &str,
        count: usize,
    ) -> Result<Vec<UsedPassage>, LabError> {
        let found = match &self.answers {
            Some(answers) => answers.retrieve(question, count).await?,
            None => None,
        };
        found.ok_or_else(|| {
            cannot(
                "there is no index to search",
                "Ask a run of the strategy rag.",
            )
        })
    }

    /// Two different answers to one prompt. Both are drawn from the run's model alone.
    pub async fn two_answers(&self, prompt: &Prompt, seed: u64) -> Result<[String; 2], LabError> {
        let Some(base) = &self.base else {
            return Err(cannot(
                "there is no model to draw answers from",
                "Ask a run that leaves a model.",
            ));
        };
        let tokens = prompt.tokens(&base.format());
        let tokens = tokens.map_err(|error| error.at("prompt"))?;
        let prompts = [tokens.clone(), tokens];
        for attempt in 0..ATTEMPTS {
            let request = GenerateRequest {
                max_tokens: LONGEST,
                temperature: 1.0,
                seed: seed.wrapping_mul(ATTEMPTS).wrapping_add(attempt),
                ..Default::default()
            };
            let texts = generate_from(
                &base.model,
                &base.tokenizer,
                &prompts,
                &request,
                base.ends(),
            )
            .await?;
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

fn cannot(message: &str, hint: &str) -> LabError {
    LabError::new(ErrorCode::InvalidCommand, message, hint).at("prompt")
}
