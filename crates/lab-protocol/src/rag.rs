//! `RagStrategy`'s configuration, and what is reported of its answers.

use crate::checks::{number, whole};
use crate::{ChunkConfig, ErrorCode, LabError, RetrievalMethod};
use serde::{Deserialize, Serialize};

/// How documents are indexed, and how questions are answered from them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct RagConfig {
    pub chunking: ChunkConfig,
    pub method: RetrievalMethod,
    /// Passages that an answer is written from.
    pub passages: usize,
    /// Passages that score lower are not used, by the scale of the method; 0 for no limit. Where no
    /// passage is left, the question is not answered.
    pub threshold: f64,
    /// The longest answer, in tokens; passages are left out until question and answer fit the context.
    pub answer_tokens: usize,
    /// Passages that are looked at to measure retrieval, e.g. in `ndcg@10`.
    pub evaluation_depth: usize,
    /// With fewer chunks every vector is looked at; with more, a graph is searched.
    pub exact_below: usize,
    /// Questions that are answered when the index is there.
    pub questions: Vec<String>,
    /// Answers, if there, instead of the model that the strategy starts from.
    pub endpoint: Option<EndpointConfig>,
}

impl Default for RagConfig {
    fn default() -> Self {
        Self {
            chunking: ChunkConfig::default(),
            method: RetrievalMethod::default(),
            passages: 3,
            threshold: 0.0,
            answer_tokens: 40,
            evaluation_depth: 10,
            exact_below: 4096,
            questions: Vec::new(),
            endpoint: None,
        }
    }
}

impl RagConfig {
    pub fn validate(&self) -> Result<(), LabError> {
        self.chunking.validate().map_err(|e| e.at("chunking"))?;
        whole("passages", self.passages, 1, 100)?;
        whole("answer_tokens", self.answer_tokens, 1, 10_000)?;
        whole("evaluation_depth", self.evaluation_depth, 1, 1000)?;
        whole("exact_below", self.exact_below, 2, 1_000_000)?;
        number("threshold", self.threshold, 0.0, 1e6)?;
        if let Some(place) = self.questions.iter().position(|q| q.trim().is_empty()) {
            return Err(LabError::config(
                &format!("questions[{place}]"),
                "a question is empty",
                "Ask with at least one word, or leave it out.",
            ));
        }
        match &self.endpoint {
            Some(endpoint) => endpoint.validate().map_err(|error| error.at("endpoint")),
            None => Ok(()),
        }
    }
}

/// A model behind the network, asked as OpenAI's chat completions are. Its key is no part of this: natively
/// it stands in an environment variable, in the page it is typed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct EndpointConfig {
    /// What `/chat/completions` is put behind, e.g. `http://127.0.0.1:8000/v1`.
    pub base_url: String,
    /// The endpoint's name for the model.
    pub model: String,
    /// The environment variable that `lab` takes the key from; empty for an endpoint without one.
    pub key_variable: String,
    /// Seconds after which a try without a whole answer is given up.
    pub timeout: f64,
    /// Tries after the first, where another may succeed.
    pub retries: usize,
}

impl Default for EndpointConfig {
    fn default() -> Self {
        Self {
            base_url: "http://127.0.0.1:8000/v1".into(),
            model: "default".into(),
            key_variable: String::new(),
            timeout: 60.0,
            retries: 3,
        }
    }
}

impl EndpointConfig {
    pub fn validate(&self) -> Result<(), LabError> {
        // Before what has no default.
        number("timeout", self.timeout, 0.1, 3600.0)?;
        whole("retries", self.retries, 0, 10)?;
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
        // A configuration is kept and shared: no secret may stand in it. So the address is not repeated here.
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

/// A text that must not be seen: an endpoint's key. It is handed on in a command and nowhere else.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// Refuses what no HTTP header can hold.
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

    /// A text without the secret, should it be in there.
    pub fn taken_out_of(&self, text: &str) -> String {
        if self.0.is_empty() {
            text.to_owned()
        } else {
            text.replace(&self.0, "…")
        }
    }
}

/// How an answer from documents came about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grounds {
    pub outcome: AnswerOutcome,
    /// What it was written from, the best first.
    pub passages: Vec<UsedPassage>,
    /// Where the search went, where it was by vectors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchPath>,
}

/// A search in the plane of a [`VectorMap`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchPath {
    /// Where the question's own vector lies.
    pub query: [f32; 2],
    /// The vectors that the search went to, in this order; none where it looked at every vector.
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

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerOutcome {
    Answered,
    /// No passage is close enough: nobody was asked.
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
    /// Whether the answer refers to it by its number, or, where it refers to none, says what it says.
    pub cited: bool,
    /// Where its vector lies in the plane of the index's [`VectorMap`].
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
