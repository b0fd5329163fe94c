//! Generators write answers from passages: a model of the lab, or an endpoint.

use super::template::filled;
use crate::asking::answers::answers;
use crate::run::base::Base;
use crate::run::context::RunContext;
use crate::run::prompts::Prompt;
use async_trait::async_trait;
use burn::module::Module;
use lab_model::chat::ChatMessage;
use lab_protocol::LabError;
use lab_retrieval::Passage;
use std::rc::Rc;

/// A question with the passages that were found for it.
pub(crate) struct Asked {
    pub question: String,
    /// The best first.
    pub passages: Vec<Passage>,
}

#[async_trait(?Send)]
pub(crate) trait Generator {
    /// The number of passages, from the first, that fit into the prompt together with the question.
    fn fitting(&self, question: &str, passages: &[Passage]) -> Result<usize, LabError>;

    /// One answer to each question. `None` if the run was told to stop meanwhile.
    async fn answer(
        &self,
        asked: &[Asked],
        run: &RunContext,
    ) -> Result<Option<Vec<String>>, LabError>;
}

/// A model of the lab.
pub(crate) struct LabModel {
    pub base: Rc<Base>,
    /// Maximum number of tokens of an answer.
    pub max_tokens: usize,
    /// Text with the places `{passages}` and `{question}`. If it is empty, each passage and the question are a line.
    pub template: String,
}

impl LabModel {
    /// The message that the model gets.
    pub fn prompt(&self, question: &str, passages: &[Passage]) -> Prompt {
        let lines = passages
            .iter()
            .map(|passage| passage.chunk.text.replace('\n', " "));
        let passages: Vec<String> = lines.collect();
        match self.template.as_str() {
            "" => Prompt::Chat {
                messages: vec![ChatMessage::user(question)],
                passages,
            },
            template => Prompt::question(&filled(template, &passages.join("\n"), question)),
        }
    }
}

#[async_trait(?Send)]
impl Generator for LabModel {
    fn fitting(&self, question: &str, passages: &[Passage]) -> Result<usize, LabError> {
        let room = self.base.shape.context.saturating_sub(self.max_tokens);
        for count in (1..=passages.len()).rev() {
            let prompt = self.prompt(question, &passages[..count]);
            if prompt.tokens(&self.base.format())?.len() <= room {
                return Ok(count);
            }
        }
        Ok(0)
    }

    async fn answer(
        &self,
        asked: &[Asked],
        run: &RunContext,
    ) -> Result<Option<Vec<String>>, LabError> {
        let prompts: Vec<Prompt> = asked
            .iter()
            .map(|asked| self.prompt(&asked.question, &asked.passages))
            .collect();
        self.base.end()?;
        let model = self.base.model.valid();
        let format = self.base.format();
        answers(&model, &format, &prompts, self.max_tokens, &run.stop).await
    }
}
