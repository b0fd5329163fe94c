//! A strategy with what its run left, to be asked.

use crate::examples::prompt;
use crate::{Base, RunContext, Strategy};
use burn::tensor::Device;
use lab_model::chat::ChatMessage;
use lab_protocol::{LabError, ModelFile};

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
}
