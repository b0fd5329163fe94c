//! Prompts, the same for every strategy.

use lab_model::chat::ChatMessage;
use lab_model::prompts::PromptFormat;
use lab_protocol::LabError;
use lab_village::Question;

/// A prompt.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Prompt {
    /// A conversation; the assistant answers next.
    Chat {
        messages: Vec<ChatMessage>,
        /// The passages from which the last message is answered. If it is empty, retrieval searches for passages.
        passages: Vec<String>,
    },
    /// A text that the model continues unchanged.
    Text(String),
}

impl Prompt {
    /// A question of the user's.
    pub fn question(text: &str) -> Self {
        Self::chat(vec![ChatMessage::user(text)])
    }

    pub fn chat(messages: Vec<ChatMessage>) -> Self {
        Self::Chat {
            messages,
            passages: Vec::new(),
        }
    }

    /// The messages as the model gets them, the passages in the last one, a line each; `None` for a text.
    pub fn messages(&self) -> Option<Vec<ChatMessage>> {
        let Self::Chat { messages, passages } = self else {
            return None;
        };
        let mut messages = messages.clone();
        if let Some(last) = messages.last_mut().filter(|_| !passages.is_empty()) {
            let content = lab_village::prompt(passages, &last.content);
            last.content = content.trim_end_matches('\n').to_owned();
        }
        Some(messages)
    }

    /// The question that retrieval searches passages for; `None` if there are passages already, or no question.
    pub fn to_search(&self) -> Option<&str> {
        match self {
            Self::Chat { messages, passages } if passages.is_empty() => {
                let question = messages.last()?.content.trim();
                (!question.is_empty()).then_some(question)
            }
            _ => None,
        }
    }

    /// The prompt in words: passages and messages, each with a new line at its end.
    pub fn text(&self) -> String {
        let lines = |messages: Vec<ChatMessage>| {
            let line = |message: ChatMessage| match message.content.ends_with('\n') {
                true => message.content,
                false => message.content + "\n",
            };
            messages.into_iter().map(line).collect()
        };
        match self {
            Self::Text(text) => text.clone(),
            Self::Chat { .. } => self.messages().map(lines).unwrap_or_default(),
        }
    }

    /// The tokens that the model gets.
    pub fn tokens(&self, format: &PromptFormat<'_>) -> Result<Vec<u32>, LabError> {
        match self.messages() {
            Some(messages) => format.prompt(&messages),
            None => format.tokenizer.encode_prompt(&self.text()),
        }
    }
}

impl From<&Question> for Prompt {
    /// A question of the village, with the passages that belong to it.
    fn from(question: &Question) -> Self {
        Self::Chat {
            messages: vec![ChatMessage::user(&question.text)],
            passages: question.passages.clone(),
        }
    }
}
