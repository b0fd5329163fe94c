//! `RagStrategy`'s configuration, and the report on its answers.

use crate::{ChunkConfig, EmbedderKind, ErrorCode, LabError, RetrievalMethod, Settings};
use serde::{Deserialize, Serialize};

/// Settings of `RagStrategy`: the index of the documents, and the answers from them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Settings)]
#[serde(default, deny_unknown_fields)]
#[settings(check = Self::texts_are_complete)]
pub struct RagConfig {
    /// The cutting of documents into chunks.
    #[setting(group = Data)]
    pub chunking: ChunkConfig,
    /// The ranking of passages.
    pub method: RetrievalMethod,
    /// The embedder, which turns passages and questions into vectors.
    #[setting(when(method = "dense" | "hybrid"))]
    pub embedder: EmbedderKind,
    /// Folder of the sentence encoder; in the page, its address.
    ///
    /// A Hugging Face folder of the BERT family. Files in the folder `encoder/` of the run that the strategy
    /// starts from are used first.
    #[setting(when(embedder = "encoder"))]
    pub encoder: String,
    /// Text before each question, e.g. "query: " for E5; empty is the one that the encoder's files name.
    #[setting(label = "Question prefix", group = Retrieval, when(embedder = "encoder"))]
    pub query_prefix: String,
    /// Text before each passage, e.g. "passage: " for E5; empty is the one that the encoder's files name.
    #[setting(group = Retrieval, when(embedder = "encoder"))]
    pub passage_prefix: String,
    /// Passages that an answer is written from.
    #[setting(range = 1..=100, default = 3)]
    pub passages: usize,
    /// Condition on the metadata of the documents that are searched, as JSON; empty is no condition.
    ///
    /// E.g. `{"equals": {"key": "year", "value": 1958}}`; the others are `one_of`, `range`, `exists`, `all`,
    /// `any` and `not`.
    #[setting(group = Retrieval)]
    pub filter: String,
    /// Weight of relevance against variety of the passages: 1 is relevance alone, 0 is variety alone.
    ///
    /// Maximal marginal relevance (Carbonell and Goldstein 1998).
    #[setting(label = "Relevance or variety", range = 0.0..=1.0, default = 1.0, group = Retrieval)]
    pub diversity_balance: f64,
    /// Text of the request, with {passages} and {question} in it; empty is a line for each of them.
    #[setting(label = "Prompt", group = Answers)]
    pub prompt_template: String,
    /// Minimum score of a passage; without any passage there is no answer. 0 is no limit.
    ///
    /// By the scale of the method.
    #[setting(range = 0.0..=1e6)]
    pub threshold: f64,
    /// Maximum number of tokens of an answer; passages are left out until question and answer fit the context.
    #[setting(label = "Answer", range = 1..=10_000, default = 40, unit = "tokens")]
    pub answer_tokens: usize,
    /// Number of passages by which retrieval is measured, e.g. in `ndcg@10`.
    #[setting(label = "Depth", range = 1..=1000, default = 10, group = Evaluation)]
    pub evaluation_depth: usize,
    /// With fewer chunks than this, the search compares every vector; with more, it uses a graph.
    #[setting(range = 2..=1_000_000, default = 4096, group = Retrieval)]
    pub exact_below: usize,
    /// Questions that are answered when the index is there, one a line.
    #[setting(lines)]
    pub questions: Vec<String>,
    /// An OpenAI-compatible endpoint answers instead of a model of the lab: questions and passages are sent to it.
    #[setting(label = "Answers from an endpoint")]
    pub endpoint: Option<EndpointConfig>,
}

impl RagConfig {
    fn texts_are_complete(&self) -> Result<(), LabError> {
        let template = &self.prompt_template;
        let lacks = |place: &str| !template.contains(place);
        if !template.is_empty() && (lacks("{passages}") || lacks("{question}")) {
            return Err(LabError::config(
                "prompt_template",
                "the template lacks {passages} or {question}",
                "Put both where they belong in the text, or leave the template empty.",
            ));
        }
        match self.questions.iter().position(|q| q.trim().is_empty()) {
            None => Ok(()),
            Some(place) => Err(LabError::config(
                &format!("questions[{place}]"),
                "a question is empty",
                "Ask with at least one word, or leave it out.",
            )),
        }
    }
}

/// A model behind the network, asked through OpenAI's chat completions.
///
/// Its key is not a setting: natively it stands in an environment variable, in the page it is typed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Settings)]
#[serde(default, deny_unknown_fields)]
#[settings(check = Self::can_be_reached)]
pub struct EndpointConfig {
    /// Address before `/chat/completions`. It must allow requests from this page (CORS).
    #[setting(label = "Address", default = "http://127.0.0.1:8000/v1")]
    pub base_url: String,
    /// The endpoint's name for the model.
    #[setting(default = "default")]
    pub model: String,
    /// The environment variable that the terminal program takes the key from; in the page it is typed.
    ///
    /// Empty for an endpoint without a key.
    #[setting(label = "Key's variable", group = Answers)]
    pub key_variable: String,
    /// Seconds after which an attempt without a whole answer is given up.
    #[setting(label = "Time limit", range = 0.1..=3600.0, default = 60.0, unit = "s", group = Answers)]
    pub timeout: f64,
    /// Attempts after the first, if another may succeed.
    #[setting(label = "Further tries", range = 0..=10, default = 3, group = Answers)]
    pub retries: usize,
}

impl EndpointConfig {
    fn can_be_reached(&self) -> Result<(), LabError> {
        let host = ["http://", "https://"]
            .iter()
            .find_map(|scheme| self.base_url.strip_prefix(scheme))
            .and_then(|rest| rest.split('/').next())
            .unwrap_or_default();
        let plain = |c: char| !c.is_whitespace() && !c.is_control();
        if host.is_empty() || !self.base_url.chars().all(plain) {
            return Err(LabError::config(
                "base_url",
                "it is not the address of an endpoint",
                "Begin with http:// or https://, e.g. http://127.0.0.1:8000/v1.",
            ));
        }
        // A configuration is kept and shared, so it must not contain a secret. Therefore the error does not repeat
        // the address.
        if host.contains('@') || self.base_url.contains(['?', '#']) {
            return Err(LabError::config(
                "base_url",
                "it has a name, a password or parameters in it",
                "Leave them out: the key is given apart, and is never kept.",
            ));
        }
        if self.model.trim().is_empty() {
            return Err(LabError::config(
                "model",
                "the endpoint's model has no name",
                "Name it as the endpoint does.",
            ));
        }
        let of_a_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !self.key_variable.chars().all(of_a_name) || self.key_variable.len() > 64 {
            return Err(LabError::config(
                "key_variable",
                "it is not the name of an environment variable",
                "Name the variable, e.g. OPENAI_API_KEY; never the key itself.",
            ));
        }
        Ok(())
    }
}

/// A secret text: an endpoint's key. It is handed on in a command and nowhere else.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// Refuses keys that no HTTP header can hold.
    pub fn validate(&self) -> Result<(), LabError> {
        let printable = |c: char| c.is_ascii_graphic();
        if !self.0.is_empty() && self.0.chars().all(printable) {
            return Ok(());
        }
        Err(LabError::new(
            ErrorCode::InvalidConfig,
            "the endpoint's key is empty, or has characters that no key has",
            "Copy the key again, without blanks and line ends.",
        ))
    }

    /// A text with the secret removed, if it contains it.
    pub fn taken_out_of(&self, text: &str) -> String {
        if self.0.is_empty() {
            text.to_owned()
        } else {
            text.replace(&self.0, "…")
        }
    }
}

/// The origin of an answer from documents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grounds {
    pub outcome: AnswerOutcome,
    /// The passages that it was written from, the best first.
    pub passages: Vec<UsedPassage>,
    /// The path of the search, if it was by vectors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchPath>,
}

/// A search in the plane of a [`VectorMap`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchPath {
    /// The place of the question's own vector.
    pub query: [f32; 2],
    /// The vectors that the search visited, in this order; empty if it compared every vector.
    pub steps: Vec<[f32; 2]>,
}

/// The vectors of an index in two dimensions, along their first two principal components.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VectorMap {
    pub points: Vec<MapPoint>,
}

/// A chunk's vector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapPoint {
    pub document: String,
    pub place: [f32; 2],
}

/// The outcome of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerOutcome {
    Answered,
    /// No passage is close enough: the generator was not asked.
    NoPassage,
}

/// A passage that an answer was written from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UsedPassage {
    /// Id of the document.
    pub document: String,
    /// Its first character in the document and the one after its last, in Unicode scalar values.
    pub start: usize,
    pub end: usize,
    pub text: String,
    /// By the scale of the method.
    pub score: f64,
    /// Whether the answer cites it by its number; if the answer cites no number, whether it says the same.
    pub cited: bool,
    /// The place of its vector in the plane of the index's [`VectorMap`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<[f32; 2]>,
}

/// A question and its answer, as `answers/answers.json` lists them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroundedAnswer {
    pub question: String,
    pub answer: String,
    #[serde(flatten)]
    pub grounds: Grounds,
}
